//! The head of a response, written for a client (RFC 9112, 6).

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use passenger_native::request::Protocol;

/// What a response must know of its request.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The client's version.
    pub protocol: Protocol,
    /// Whether the request was HEAD, so that a response has no body whatever its headers say.
    pub is_head: bool,
    /// Whether the connection should go on after the response.
    pub keep_alive: bool,
    /// With sticky sessions: the number of the worker that its cookie names, 0 if it names none.
    pub sticks_to: Option<u32>,
}

/// How the client finds the end of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body: HEAD, 204, 304, interim. A length is announced where the application gave one.
    Empty(Option<u64>),
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The application has coded the body itself; it is passed as it is, and the connection ends with it.
    Coded,
    /// The connection ends with the body.
    Close,
}

/// Whether a response of this status can have a body (RFC 9110, 6.4.1).
#[must_use]
pub fn allows_body(status: u16) -> bool {
    status >= 200 && status != 204 && status != 304
}

/// Writes `HTTP/1.1 200 OK`. The version is always ours (RFC 9112, 2.3).
pub fn status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(out, u64::from(status));
    out.push(b' ');
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    out.extend_from_slice(reason.unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes one header line.
pub fn header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes what tells the end of the message and of the connection, and the empty line.
pub fn finish(out: &mut Vec<u8>, framing: Framing, context: &Context) {
    match framing {
        Framing::Length(length) | Framing::Empty(Some(length)) => {
            out.extend_from_slice(b"Content-Length: ");
            push_number(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Empty(None) | Framing::Coded | Framing::Close => {}
    }
    if !context.keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if context.protocol == Protocol::Http10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the `Date` header (RFC 9110, 6.6.1), formatted once a second.
pub fn date(out: &mut Vec<u8>) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    DATE.with_borrow_mut(|(second, line)| {
        if *second != now {
            let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(now));
            (*second, *line) = (now, format!("Date: {date}\r\n"));
        }
        out.extend_from_slice(line.as_bytes());
    });
}

/// Writes the size line of a chunk.
pub fn chunk_size(out: &mut Vec<u8>, size: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (64 - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(DIGITS[(size >> (4 * place) & 15) as usize]);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1)]
    #[case(15)]
    #[case(16)]
    #[case(0x10_0000)]
    #[case(u64::MAX)]
    fn chunk_sizes(#[case] size: u64) {
        let mut out = Vec::new();
        chunk_size(&mut out, size);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{size:x}\r\n"));
    }
}
