//! The payload of a request frame.
//!
//! ```text
//! 0          1        2            3          4           6            8             12           14   16
//! | protocol | scheme | method len | peer len | peer port | local port | target len  | script len | 0 | body length (u64) | …
//! | method | target | peer | header block | body bytes, unless a descriptor carries them
//! ```

use crate::error::ProtocolError;
use crate::frame::{self, Kind};
use crate::headers::{BlockWriter, HeaderBlock};

const FIXED_LEN: usize = 24;

/// The HTTP version the client spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// HTTP/1.0
    Http10 = 10,
    /// HTTP/1.1
    Http11 = 11,
}

/// How the client reached the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scheme {
    /// `http`
    Http = 0,
    /// `https`
    Https = 1,
}

/// A request without its headers: what is fixed in every one. Borrowed on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The HTTP version.
    pub protocol: Protocol,
    /// The scheme.
    pub scheme: Scheme,
    /// The method token, 1 to 255 bytes.
    pub method: &'a [u8],
    /// The request target in origin form (RFC 9112, 3.2.1), or `*`.
    pub target: &'a [u8],
    /// How many bytes of the target are the application's base URI (`SCRIPT_NAME`).
    pub script_len: u16,
    /// The client's address as text; empty on a Unix socket.
    pub peer: &'a [u8],
    /// The client's port; 0 on a Unix socket.
    pub peer_port: u16,
    /// The port on which the agent accepted; 0 on a Unix socket.
    pub local_port: u16,
    /// Length of the decoded body in bytes.
    pub body_len: u64,
}

/// Where a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// In the frame; empty when there is none.
    Inline(&'a [u8]),
    /// In a file whose descriptor travels with the frame.
    Descriptor,
}

/// A request as the worker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Method, target, peer…
    pub line: RequestLine<'a>,
    /// The headers, names in CGI style.
    pub headers: HeaderBlock<'a>,
    /// The body.
    pub body: Body<'a>,
}

/// Appends a request frame to `out`; `headers` fills the block.
///
/// # Errors
/// When a part is longer than its length field, the line or the body is one that [`decode`] refuses, or the whole is
/// over [`frame::MAX_PAYLOAD`]; `out` is unchanged.
pub fn encode(
    out: &mut Vec<u8>,
    stream: u32,
    repeated: bool,
    line: &RequestLine<'_>,
    body: Body<'_>,
    headers: impl FnOnce(&mut BlockWriter<'_>),
) -> Result<(), ProtocolError> {
    let method_len = u8::try_from(line.method.len()).map_err(|_| ProtocolError::Invalid("method length"))?;
    let peer_len = u8::try_from(line.peer.len()).map_err(|_| ProtocolError::Invalid("peer length"))?;
    check(line)?;
    if let Body::Inline(bytes) = body
        && bytes.len() as u64 != line.body_len
    {
        return Err(ProtocolError::Invalid("body length"));
    }
    let at = frame::begin(out);
    out.extend_from_slice(&[line.protocol as u8, line.scheme as u8, method_len, peer_len]);
    out.extend_from_slice(&line.peer_port.to_le_bytes());
    out.extend_from_slice(&line.local_port.to_le_bytes());
    out.extend_from_slice(&(line.target.len() as u32).to_le_bytes());
    out.extend_from_slice(&line.script_len.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&line.body_len.to_le_bytes());
    for part in [line.method, line.target, line.peer] {
        out.extend_from_slice(part);
    }
    let mut block = BlockWriter::new(out);
    headers(&mut block);
    if let Err(error) = block.finish() {
        out.truncate(at);
        return Err(error);
    }
    let aux = match body {
        Body::Inline(bytes) => {
            out.extend_from_slice(bytes);
            0
        }
        Body::Descriptor => 1,
    };
    let flags = frame::END | if repeated { frame::REPEATED } else { 0 };
    frame::finish(out, at, frame::Header { flags, aux, ..frame::header(Kind::Request, stream) })
}

/// Reads a request frame's payload.
///
/// # Errors
/// When a length points outside the payload or a field is out of its range.
pub fn decode<'a>(header: &frame::Header, payload: &'a [u8]) -> Result<Request<'a>, ProtocolError> {
    let truncated = || ProtocolError::Truncated("the request line");
    let (fixed, rest) = payload.split_first_chunk::<FIXED_LEN>().ok_or_else(truncated)?;
    let &[protocol, scheme, method_len, peer_len, p0, p1, l0, l1, t0, t1, t2, t3, s0, s1, _, _, ref body_len @ ..] =
        fixed;
    let protocol = match protocol {
        10 => Protocol::Http10,
        11 => Protocol::Http11,
        _ => return Err(ProtocolError::Invalid("protocol")),
    };
    let scheme = match scheme {
        0 => Scheme::Http,
        1 => Scheme::Https,
        _ => return Err(ProtocolError::Invalid("scheme")),
    };
    let (method, rest) = rest.split_at_checked(usize::from(method_len)).ok_or_else(truncated)?;
    let (target, rest) = rest.split_at_checked(u32::from_le_bytes([t0, t1, t2, t3]) as usize).ok_or_else(truncated)?;
    let (peer, rest) = rest.split_at_checked(usize::from(peer_len)).ok_or_else(truncated)?;
    let script_len = u16::from_le_bytes([s0, s1]);
    let (headers, rest) = HeaderBlock::split_from(rest)?;
    let body_len = u64::from_le_bytes(*body_len);
    let body = match header.descriptors() {
        0 if rest.len() as u64 == body_len => Body::Inline(rest),
        1 if rest.is_empty() => Body::Descriptor,
        _ => return Err(ProtocolError::Invalid("body length")),
    };
    let peer_port = u16::from_le_bytes([p0, p1]);
    let local_port = u16::from_le_bytes([l0, l1]);
    let line = RequestLine { protocol, scheme, method, target, script_len, peer, peer_port, local_port, body_len };
    check(&line)?;
    Ok(Request { line, headers, body })
}

fn check(line: &RequestLine<'_>) -> Result<(), ProtocolError> {
    if line.method.is_empty() || line.target.is_empty() || usize::from(line.script_len) > line.target.len() {
        return Err(ProtocolError::Invalid("request line"));
    }
    Ok(())
}
