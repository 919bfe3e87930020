//! Test vectors: every frame in `docs/protocol.md`, encoded and decoded.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a failed expectation is the point")]

use passenger_native::error::ProtocolError::{self, Invalid, PayloadTooLong, Truncated, UnknownKind};
use passenger_native::frame::{self, BINARY, CLOSE, END, Header, Kind, MORE, STOP, TEXT, UPGRADE, header};
use passenger_native::headers::BlockWriter;
use passenger_native::request::{self, Body, Protocol, RequestLine, Scheme};
use passenger_native::response::{self, FileRange, ResponseWriter};
use rstest::rstest;

#[path = "support/document.rs"]
mod document;

const TYPE: &[(&str, &str)] = &[("content-type", "text/plain")];
const PROTOCOL: &[(&str, &str)] = &[("sec-websocket-protocol", "chat")];
const LINK: &[(&str, &str)] = &[("link", "</app.css>; rel=preload")];

/// What the dump called `name` says, put into a frame by the encoder.
fn encode(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let done = match name {
        "request" => request::encode(&mut out, 258, false, &get(), Body::Inline(b""), |block| {
            block.known(1, b"example.com");
            block.cgi(b"X-Foo", b"bar");
        }),
        "request-with-body" => request::encode(&mut out, 259, true, &post(), Body::Inline(b"tea=2"), |block| {
            block.known(8, b"5");
            block.known(7, b"a=1");
            block.known(7, b"b=2");
        }),
        "request-spooled" => {
            request::encode(&mut out, 260, false, &put(), Body::Descriptor, |block: &mut BlockWriter| {
                block.known(1, b"[::1]:3000");
            })
        }
        "response" => {
            respond(&mut out, Header { flags: END, value: 180, ..status(Kind::Response, 258, 200) }, TYPE, b"hello")
        }
        "response-streamed" => respond(&mut out, status(Kind::Response, 259, 200), TYPE, b""),
        "informational" => respond(&mut out, status(Kind::Informational, 258, 103), LINK, b""),
        "data" => frame::push(&mut out, header(Kind::Data, 259), b"hello "),
        "data-end" => frame::push(&mut out, Header { flags: END, value: 2500, ..header(Kind::Data, 259) }, b"world"),
        "file" => {
            let range = FileRange { offset: 1024, length: 4096 };
            frame::push(&mut out, Header { flags: END, aux: 1, value: 95, ..header(Kind::File, 260) }, &range.encode())
        }
        "response-websocket" => {
            respond(&mut out, Header { flags: UPGRADE, ..status(Kind::Response, 261, 101) }, PROTOCOL, b"")
        }
        "message-from-agent" => frame::push(&mut out, Header { aux: TEXT, ..header(Kind::Message, 261) }, b"hi"),
        "message-part" => {
            frame::push(&mut out, Header { flags: MORE, aux: BINARY, ..header(Kind::Message, 261) }, &[1, 2, 3])
        }
        "message-close" => {
            let end = Header { flags: END, aux: CLOSE, value: 7000, ..header(Kind::Message, 261) };
            frame::push(&mut out, end, b"\x03\xe8bye")
        }
        "window" => frame::push(&mut out, Header { value: 131_072, ..header(Kind::Window, 259) }, b""),
        "upgrade" => {
            frame::push(&mut out, Header { flags: END, aux: 1, value: 310, ..header(Kind::Upgrade, 258) }, b"")
        }
        "cancel-from-agent" => frame::push(&mut out, header(Kind::Cancel, 258), b""),
        "cancel-stop" => frame::push(&mut out, Header { aux: STOP, ..header(Kind::Cancel, 258) }, b""),
        "cancel-from-worker" => {
            frame::push(&mut out, Header { flags: END, value: 40, ..header(Kind::Cancel, 258) }, b"")
        }
        other => panic!("the document has a dump that this test does not know: {other}"),
    };
    done.unwrap();
    out
}

fn get() -> RequestLine<'static> {
    RequestLine {
        protocol: Protocol::Http11,
        scheme: Scheme::Http,
        method: b"GET",
        target: b"/search?q=tea",
        script_len: 0,
        peer: b"127.0.0.1",
        peer_port: 50_000,
        local_port: 3000,
        body_len: 0,
    }
}

fn post() -> RequestLine<'static> {
    RequestLine {
        protocol: Protocol::Http10,
        scheme: Scheme::Https,
        method: b"POST",
        target: b"/shop/cart",
        script_len: 5,
        peer: b"",
        peer_port: 0,
        local_port: 0,
        body_len: 5,
    }
}

fn put() -> RequestLine<'static> {
    let body_len = 10 * 1024 * 1024;
    RequestLine { method: b"PUT", target: b"/upload", peer: b"::1", peer_port: 50_001, body_len, ..get() }
}

fn status(kind: Kind, stream: u32, status: u16) -> Header {
    Header { aux: status, ..header(kind, stream) }
}

fn respond(out: &mut Vec<u8>, header: Header, headers: &[(&str, &str)], body: &[u8]) -> Result<(), ProtocolError> {
    let mut writer = ResponseWriter::new(out);
    for (name, value) in headers {
        writer.header(name.as_bytes(), value.as_bytes()).unwrap();
    }
    writer.finish(header, body)
}

/// Header and payload of a dump.
fn split(bytes: &[u8]) -> (Header, &[u8]) {
    let header = Header::decode(bytes).unwrap().unwrap();
    assert_eq!(header.frame_len(), bytes.len(), "the length field");
    (header, &bytes[frame::HEADER_LEN..])
}

fn dump(name: &str) -> Vec<u8> {
    document::frames().into_iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("no dump {name}")).1
}

#[test]
fn encoders_write_what_the_document_shows() {
    let frames = document::frames();
    for (name, bytes) in &frames {
        assert_eq!(&encode(name), bytes, "{name}");
    }
    for kind in [1, 3, 4, 5, 6, 7, 8, 9, 10] {
        assert!(frames.iter().any(|(_, bytes)| bytes[4] == kind), "no dump of kind {kind}");
    }
}

#[rstest]
#[case("request", get(), Body::Inline(b""), &[(1, "", "example.com"), (0, "HTTP_X_FOO", "bar")])]
#[case("request-with-body", post(), Body::Inline(b"tea=2"), &[(8, "", "5"), (7, "", "a=1"), (7, "", "b=2")])]
#[case("request-spooled", put(), Body::Descriptor, &[(1, "", "[::1]:3000")])]
fn requests_are_read(
    #[case] name: &str,
    #[case] line: RequestLine<'_>,
    #[case] body: Body<'_>,
    #[case] headers: &[(u16, &str, &str)],
) {
    let bytes = dump(name);
    let (header, payload) = split(&bytes);
    let request = request::decode(&header, payload).unwrap();
    assert_eq!((request.line, request.body), (line, body));
    let read = request.headers.iter().map(|entry| (entry.id, entry.name, entry.value));
    assert!(read.eq(headers.iter().map(|(id, name, value)| (*id, name.as_bytes(), value.as_bytes()))));
    assert_eq!(header.flags & frame::REPEATED != 0, name == "request-with-body");
}

#[rstest]
#[case("response", 200, TYPE, b"hello")]
#[case("response-streamed", 200, TYPE, b"")]
#[case("informational", 103, LINK, b"")]
#[case("response-websocket", 101, PROTOCOL, b"")]
fn response_heads_are_read(
    #[case] name: &str,
    #[case] status: u16,
    #[case] headers: &[(&str, &str)],
    #[case] body: &[u8],
) {
    let bytes = dump(name);
    let (header, payload) = split(&bytes);
    let response = response::decode(&header, payload).unwrap();
    assert_eq!((response.status, response.body), (status, body));
    let read = response.headers.iter().map(|entry| (entry.name, entry.value));
    assert!(read.eq(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))));
}

#[test]
fn a_file_range_is_read() {
    let bytes = dump("file");
    assert_eq!(FileRange::decode(split(&bytes).1), Ok(FileRange { offset: 1024, length: 4096 }));
}

#[test]
fn what_must_be_refused_is() {
    let expected = [
        UnknownKind(2),
        PayloadTooLong(frame::MAX_PAYLOAD + 1),
        Invalid("descriptor count"),
        Invalid("descriptor count"),
        Invalid("END flag"),
        Invalid("END flag"),
        Invalid("payload length"),
        Invalid("payload length"),
        Invalid("payload length"),
        Invalid("kind of message"),
        Invalid("body in an informational frame"),
        Invalid("status"),
        Truncated("the header block"),
        Invalid("response header"),
        Invalid("response header"),
        Invalid("body length"),
    ];
    let refused = document::refused();
    assert_eq!(refused.len(), expected.len());
    for ((reason, bytes), expected) in refused.iter().zip(expected) {
        assert_eq!(refusal(bytes), expected, "{reason}");
    }
}

fn refusal(bytes: &[u8]) -> ProtocolError {
    let header = match Header::decode(bytes) {
        Ok(header) => header.unwrap(),
        Err(error) => return error,
    };
    let payload = &bytes[frame::HEADER_LEN..];
    match header.kind {
        Kind::Request => request::decode(&header, payload).unwrap_err(),
        _ => response::decode(&header, payload).unwrap_err(),
    }
}
