//! A request head and body as the frame that a worker gets.

use std::rc::Rc;

use passenger_native::headers::{self, BlockWriter};
use passenger_native::request::{self, Body, RequestLine, Scheme};

use super::Site;
use crate::http::body::Upload;
use crate::http::connection::Connection;
use crate::http::head::{Framing, Head, Rejection};
use crate::pool::exchange::Request;

/// Makes the frame; the first `script_len` bytes of the target are the application's base URI.
///
/// # Errors
/// 431 when it is longer than a frame can be.
pub fn encode(
    site: &Site,
    script_len: usize,
    connection: &Connection,
    head: &Head<'_>,
    upload: Upload,
) -> Result<Request, Rejection> {
    let peer = &connection.peer;
    let line = RequestLine {
        protocol: head.protocol,
        scheme: Scheme::Http,
        method: head.method.as_bytes(),
        target: head.target.as_bytes(),
        script_len: u16::try_from(script_len).unwrap_or_default(),
        peer: peer.address.as_bytes(),
        peer_port: peer.port,
        local_port: peer.local_port,
        body_len: upload.length(),
    };
    let body = match &upload {
        Upload::Memory(bytes) => Body::Inline(bytes),
        Upload::File(..) => Body::Descriptor,
    };
    let mut frame = Vec::with_capacity(1024 + if let Upload::Memory(bytes) = &upload { bytes.len() } else { 0 });
    request::encode(&mut frame, 0, head.repeated, &line, body, |block| write_headers(block, head, upload.length()))
        .map_err(|_| Rejection { status: 431, reason: "the request head is too long" })?;
    Ok(Request {
        frame,
        body: match upload {
            Upload::Memory(_) => None,
            Upload::File(file, _) => Some(Rc::new(file)),
        },
        is_safe: matches!(head.method, "GET" | "HEAD" | "OPTIONS"),
        route: site.group.route(head.method, head.target),
        is_websocket: false,
        is_health_check: is_health_check(&site.health_check_paths, head.target, script_len),
    })
}

/// Whether the path that the application sees is one of `paths`.
fn is_health_check(paths: &[String], target: &str, script_len: usize) -> bool {
    let path = || target.get(script_len..).and_then(|target| target.split('?').next());
    !paths.is_empty() && path().is_some_and(|path| paths.iter().any(|known| known == path))
}

fn write_headers(block: &mut BlockWriter<'_>, head: &Head<'_>, body_len: u64) {
    if let Some(authority) = head.authority {
        block.known(headers::id_of(b"host"), authority.as_bytes());
    }
    if head.framing == Framing::Chunked {
        block.known(headers::CONTENT_LENGTH, itoa::Buffer::new().format(body_len).as_bytes());
    }
    for header in head.headers {
        let name = header.name.as_bytes();
        match headers::id_of(name) {
            0 if is_hidden(name) => {}
            0 => block.cgi(name, header.value),
            id if head.authority.is_some() && headers::KNOWN[usize::from(id)] == "host" => {}
            id => block.known(id, header.value),
        }
    }
}

/// Headers that must not reach the application: the body has been decoded; `Proxy` would become `HTTP_PROXY`, which
/// libraries take for a setting; a name with an underscore would pose as the one with a dash.
fn is_hidden(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"transfer-encoding") || name.eq_ignore_ascii_case(b"proxy") || name.contains(&b'_')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::exact("/up", 0, true)]
    #[case::with_a_query("/up?verbose", 0, true)]
    #[case::below_the_base_uri("/shop/up", 5, true)]
    #[case::elsewhere("/shop/up", 0, false)]
    #[case::below_it("/up/there", 0, false)]
    #[case::longer("/upper", 0, false)]
    #[case::no_path("*", 0, false)]
    fn a_health_check_has_exactly_the_path(#[case] target: &str, #[case] script_len: usize, #[case] is_one: bool) {
        let paths = ["/health".to_owned(), "/up".to_owned()];
        assert_eq!(is_health_check(&paths, target, script_len), is_one);
        assert!(!is_health_check(&[], target, script_len));
    }
}
