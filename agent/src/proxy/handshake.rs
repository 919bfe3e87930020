//! The opening handshake of a WebSocket (RFC 6455, 4.2).

use passenger_native::headers::HeaderBlock;
use tungstenite::handshake::derive_accept_key;

use crate::http::head::{Head, Rejection};
use crate::http::response;

/// The version of the protocol that is spoken here.
pub const VERSION: &str = "13";

/// What a client asks for that wants a WebSocket.
pub enum Handshake {
    /// A WebSocket that can be had.
    Valid(Offer),
    /// One of another version, or not as it must be asked for; the answer if nobody else knows one.
    Invalid(Rejection),
}

/// What the client offers.
pub struct Offer {
    accept: String,
    subprotocols: Vec<String>,
}

impl Handshake {
    /// Reads what a request without a body asks for; `None` if it is something other than a WebSocket.
    #[must_use]
    pub fn read(head: &Head<'_>) -> Option<Self> {
        if !head.wants_upgrade || head.method != "GET" {
            return None;
        }
        if !items(head, "upgrade").any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
            return None;
        }
        let invalid = |status, reason| Some(Self::Invalid(Rejection { status, reason }));
        if !items(head, "sec-websocket-version").eq([VERSION.as_bytes()]) {
            return invalid(426, "only version 13 of the WebSocket protocol is spoken here");
        }
        let mut keys = values(head, "sec-websocket-key");
        let (Some(key), None) = (keys.next().filter(|key| is_key(key)), keys.next()) else {
            return invalid(400, "the Sec-WebSocket-Key header is malformed");
        };
        let subprotocols = items(head, "sec-websocket-protocol");
        Some(Self::Valid(Offer {
            accept: derive_accept_key(key),
            subprotocols: subprotocols.map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        }))
    }
}

impl Offer {
    /// Writes the response that accepts, with the application's headers but for those that are the server's to say.
    ///
    /// # Errors
    /// What the application has done that the client would take for a failed handshake.
    pub fn accept(&self, out: &mut Vec<u8>, headers: &HeaderBlock<'_>) -> Result<(), String> {
        let mut chosen = None;
        for header in headers.iter().filter(|header| header.name.eq_ignore_ascii_case(b"sec-websocket-protocol")) {
            let name = String::from_utf8_lossy(header.value.trim_ascii());
            if chosen.is_some() || !self.subprotocols.iter().any(|offered| *offered == *name) {
                return Err(format!("it chose the subprotocol {name:?}; the client offered {:?}", self.subprotocols));
            }
            chosen = Some(name);
        }
        response::status_line(out, 101);
        response::header(out, b"Upgrade", b"websocket");
        response::header(out, b"Connection", b"Upgrade");
        response::header(out, b"Sec-WebSocket-Accept", self.accept.as_bytes());
        for header in headers.iter().filter(|header| !is_ours(header.name)) {
            response::header(out, header.name, header.value);
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// Whether a response header is the server's to say.
fn is_ours(name: &[u8]) -> bool {
    const OURS: [&str; 7] = [
        "connection",
        "upgrade",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "content-length",
        "transfer-encoding",
        "keep-alive",
    ];
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
}

/// Whether this is the base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(letter)
}

fn values<'h>(head: &'h Head<'_>, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let named = head.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii())
}

fn items<'h>(head: &'h Head<'_>, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let all = values(head, name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    all.filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use passenger_native::headers::BlockWriter;
    use rstest::rstest;

    use super::*;
    use crate::http::head;

    const USUAL: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn read(line: &str, headers: &str) -> Option<Handshake> {
        let input = format!("{line}\r\nHost: a\r\n{headers}\r\n");
        let mut scratch = [MaybeUninit::uninit(); head::MAX_HEADERS];
        let (head, _) = head::parse(input.as_bytes(), &mut scratch).unwrap().unwrap();
        Handshake::read(&head)
    }

    fn offer(more: &str) -> Offer {
        match read("GET /chat HTTP/1.1", &format!("{USUAL}{KEY}{more}")) {
            Some(Handshake::Valid(offer)) => offer,
            _ => panic!("not a valid handshake"),
        }
    }

    fn accept(offer: &Offer, headers: &[(&str, &str)]) -> Result<String, String> {
        let mut block = Vec::new();
        let mut writer = BlockWriter::new(&mut block);
        headers.iter().for_each(|(name, value)| writer.named(name.as_bytes(), value.as_bytes()));
        writer.finish().unwrap();
        let (block, _) = HeaderBlock::split_from(&block).unwrap();
        let mut out = Vec::new();
        offer.accept(&mut out, &block).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let head = accept(&offer(""), &[("set-cookie", "a=b"), ("Upgrade", "other"), ("Content-Length", "0")]).unwrap();
        assert_eq!(
            head,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nset-cookie: a=b\r\n\r\n"
        );
    }

    #[test]
    fn the_subprotocol_must_be_one_that_was_offered() {
        let offer = offer("Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Protocol: other\r\n");
        for good in ["chat", "superchat", "other"] {
            assert!(accept(&offer, &[("Sec-WebSocket-Protocol", good)]).unwrap().contains(good));
        }
        accept(&offer, &[("sec-websocket-protocol", "Chat")]).unwrap_err();
        accept(&offer, &[("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", "other")]).unwrap_err();
    }

    #[rstest]
    #[case::method("POST / HTTP/1.1", USUAL, KEY)]
    #[case::version_of_http("GET / HTTP/1.0", USUAL, KEY)]
    #[case::not_in_connection("GET / HTTP/1.1", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", KEY)]
    #[case::no_upgrade("GET / HTTP/1.1", "Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n", KEY)]
    #[case::other_protocol("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n", KEY)]
    fn anything_else_is_an_ordinary_request(#[case] line: &str, #[case] usual: &str, #[case] key: &str) {
        assert!(read(line, &format!("{usual}{key}")).is_none());
    }

    #[rstest]
    #[case::version("Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n", KEY, 426)]
    #[case::no_version("Connection: upgrade\r\nUpgrade: websocket\r\n", KEY, 426)]
    #[case::no_key(USUAL, "", 400)]
    #[case::short_key(USUAL, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n", 400)]
    #[case::no_base64(USUAL, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==\r\n", 400)]
    #[case::two_keys(USUAL, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: a\r\n", 400)]
    fn what_is_no_valid_handshake_is_told(#[case] usual: &str, #[case] key: &str, #[case] status: u16) {
        match read("GET / HTTP/1.1", &format!("{usual}{key}")) {
            Some(Handshake::Invalid(rejection)) => assert_eq!(rejection.status, status),
            _ => panic!("it should be refused"),
        }
    }
}
