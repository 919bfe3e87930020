//! The head of a request, parsed strictly.
//!
//! What two servers in a chain may read differently is refused rather than repaired, because that difference is how
//! requests are smuggled (RFC 9112, 11.2).

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig};
use passenger_native::headers;
use passenger_native::request::Protocol;

/// The longest head in bytes.
pub const MAX_HEAD: usize = 64 * 1024;
/// The longest request target in bytes.
pub const MAX_TARGET: usize = 16 * 1024;
/// The most headers.
pub const MAX_HEADERS: usize = 100;
/// The longest method; the longest registered one has 17 bytes.
const MAX_METHOD: usize = 32;

/// How the end of the body is found (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// `Content-Length`, not 0.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// A refused request: the status to answer with, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// A 4xx or 5xx status.
    pub status: u16,
    /// What was wrong, for the client and the log.
    pub reason: &'static str,
}

const fn reject<T>(status: u16, reason: &'static str) -> Result<T, Rejection> {
    Err(Rejection { status, reason })
}

/// A request head, borrowed from the input buffer.
#[derive(Debug)]
pub struct Head<'b> {
    /// The method.
    pub method: &'b str,
    /// The target in origin form, or `*`.
    pub target: &'b str,
    /// The version.
    pub protocol: Protocol,
    /// The headers as sent, without those that the target's authority replaces.
    pub headers: &'b [Header<'b>],
    /// The authority of an absolute-form target, which goes before the `Host` header (RFC 9112, 3.2.2).
    pub authority: Option<&'b str>,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
    /// `Expect: 100-continue`.
    pub expects_continue: bool,
    /// Whether a header name occurs twice.
    pub repeated: bool,
    /// Whether the client asks for another protocol on this connection: there is an `Upgrade` header, and `Connection`
    /// says so (RFC 9110, 7.8).
    pub wants_upgrade: bool,
}

/// Room for the headers of one head; on the caller's stack.
pub type Scratch<'b> = [MaybeUninit<Header<'b>>; MAX_HEADERS];

/// Reads a head from the start of `input`: the head and its length, or `None` while it is incomplete.
///
/// # Errors
/// 400, 414, 417, 431, 501 or 505 as RFC 9110 and RFC 9112 demand; the connection must be closed after it.
pub fn parse<'b>(input: &'b [u8], scratch: &'b mut Scratch<'b>) -> Result<Option<(Head<'b>, usize)>, Rejection> {
    let mut request = httparse::Request::new(&mut []);
    let length = match ParserConfig::default().parse_request_with_uninit_headers(&mut request, input, scratch) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if input.len() < MAX_HEAD => {
            // A request line that is too long need not be read to its end to be known as such.
            return if input.len() > MAX_TARGET + MAX_METHOD && !input.contains(&b'\n') {
                reject(414, "the request target is too long")
            } else {
                Ok(None)
            };
        }
        Ok(_) => return reject(431, "the request head is too long"),
        Err(httparse::Error::TooManyHeaders) => return reject(431, "there are too many headers"),
        Err(httparse::Error::Version) => return refuse_version(input),
        Err(httparse::Error::Token) => return reject(400, "the request line or a header name is malformed"),
        Err(httparse::Error::HeaderName) => return reject(400, "a header name is malformed"),
        Err(httparse::Error::HeaderValue) => return reject(400, "a header value is malformed"),
        Err(_) => return reject(400, "the request head is malformed"),
    };
    let raw = &input[..length];
    if has_bare_line_feed(raw) {
        return reject(400, "a line of the request head ends with LF alone");
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return reject(400, "the request line is malformed");
    };
    let protocol = if version == 1 { Protocol::Http11 } else { Protocol::Http10 };
    if method.len() > MAX_METHOD {
        return reject(501, "the method is too long");
    }
    let (target, authority) = check_target(method, target)?;
    let fields = Fields::collect(request.headers, protocol)?;
    if !fields.has_host && protocol == Protocol::Http11 {
        return reject(400, "there is no Host header");
    }
    let head = Head {
        method,
        target,
        protocol,
        headers: request.headers,
        authority,
        framing: fields.framing()?,
        keep_alive: fields.keep_alive(protocol),
        expects_continue: fields.expects_continue && protocol == Protocol::Http11,
        repeated: fields.repeated,
        wants_upgrade: fields.has_upgrade && fields.upgrades && protocol == Protocol::Http11,
    };
    Ok(Some((head, length)))
}

fn refuse_version<T>(input: &[u8]) -> Result<T, Rejection> {
    // "HTTP/2.0" is a version we do not speak; "HTTQ/1.1" is not HTTP.
    let line = input.split(|&byte| byte == b'\n').find(|line| line.len() > 1).unwrap_or_default();
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default().trim_ascii_end();
    match version {
        // A space in the target leaves a version that is fine by itself.
        b"HTTP/1.0" | b"HTTP/1.1" => reject(400, "the request line is malformed"),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            reject(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        _ => reject(400, "the HTTP version is malformed"),
    }
}

fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}

/// Splits an absolute-form target; refuses what may not stand in a request line (RFC 9112, 3.2).
fn check_target<'b>(method: &str, target: &'b str) -> Result<(&'b str, Option<&'b str>), Rejection> {
    if method == "CONNECT" {
        return reject(501, "CONNECT is not supported");
    }
    if target.len() > MAX_TARGET {
        return reject(414, "the request target is too long");
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return reject(400, "the request target is malformed");
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok((target, None));
    }
    let Some(rest) = strip_scheme(target) else { return reject(400, "the request target is malformed") };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_valid_host(authority.as_bytes()) || authority.is_empty() || path.starts_with('?') {
        return reject(400, "the request target's host is malformed");
    }
    Ok((if path.is_empty() { "/" } else { path }, Some(authority)))
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Whether a `Host` value can be one (RFC 9110, 7.2); it may be empty.
fn is_valid_host(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}

/// What the headers say about the message.
#[derive(Default)]
struct Fields<'b> {
    seen: u64,
    has_host: bool,
    repeated: bool,
    content_length: Option<&'b [u8]>,
    transfer_encoding: Option<&'b [u8]>,
    close: bool,
    stay: bool,
    upgrades: bool,
    has_upgrade: bool,
    expects_continue: bool,
}

impl<'b> Fields<'b> {
    fn collect(all: &[Header<'b>], protocol: Protocol) -> Result<Self, Rejection> {
        let mut fields = Self::default();
        for (index, header) in all.iter().enumerate() {
            let name = header.name.as_bytes();
            match headers::id_of(name) {
                0 => fields.unknown(name, header.value, &all[..index])?,
                id => {
                    let bit = 1_u64 << id;
                    let first = fields.seen & bit == 0;
                    fields.seen |= bit;
                    fields.repeated |= !first;
                    fields.known(headers::KNOWN[usize::from(id)], header.value, first)?;
                }
            }
        }
        if fields.transfer_encoding.is_some() && protocol == Protocol::Http10 {
            return reject(400, "HTTP/1.0 has no Transfer-Encoding");
        }
        Ok(fields)
    }

    fn known(&mut self, name: &str, value: &'b [u8], first: bool) -> Result<(), Rejection> {
        match name {
            "host" if !first => return reject(400, "there is more than one Host header"),
            "host" if !is_valid_host(value) => return reject(400, "the Host header is malformed"),
            "host" => self.has_host = true,
            "content-length" if !first => return reject(400, "there is more than one Content-Length header"),
            "content-length" => self.content_length = Some(value),
            "connection" => {
                for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.stay |= option.eq_ignore_ascii_case(b"keep-alive");
                    self.upgrades |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            "upgrade" => self.has_upgrade = true,
            "expect" if value.eq_ignore_ascii_case(b"100-continue") => self.expects_continue = true,
            "expect" => return reject(417, "the only expectation supported is 100-continue"),
            _ => {}
        }
        Ok(())
    }

    fn unknown(&mut self, name: &[u8], value: &'b [u8], before: &[Header<'b>]) -> Result<(), Rejection> {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.transfer_encoding.replace(value).is_some() {
                return reject(400, "there is more than one Transfer-Encoding header");
            }
        } else if !self.repeated {
            self.repeated = before.iter().any(|other| other.name.as_bytes().eq_ignore_ascii_case(name));
        }
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Rejection> {
        match (self.transfer_encoding, self.content_length) {
            (Some(_), Some(_)) => reject(400, "there is both a Transfer-Encoding and a Content-Length header"),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (Some(_), None) => reject(501, "the only transfer coding supported is chunked"),
            (None, Some(digits)) => match parse_length(digits) {
                Some(0) => Ok(Framing::None),
                Some(length) => Ok(Framing::Length(length)),
                None => reject(400, "the Content-Length header is malformed"),
            },
            (None, None) => Ok(Framing::None),
        }
    }

    fn keep_alive(&self, protocol: Protocol) -> bool {
        !self.close && (protocol == Protocol::Http11 || self.stay)
    }
}

/// Digits and nothing else: no sign, no list, no white space (RFC 9110, 8.6).
#[must_use]
pub fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, &digit| {
        digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))).flatten()
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn status_of(input: &str) -> Result<Option<(Framing, bool)>, u16> {
        let mut scratch = [MaybeUninit::uninit(); MAX_HEADERS];
        match parse(input.as_bytes(), &mut scratch) {
            Ok(parsed) => Ok(parsed.map(|(head, _)| (head.framing, head.keep_alive))),
            Err(rejection) => Err(rejection.status),
        }
    }

    #[rstest]
    #[case::two_lengths("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400)]
    #[case::list_of_lengths("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400)]
    #[case::signed_length("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400)]
    #[case::huge_length("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400)]
    #[case::both("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400)]
    #[case::gzip("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501)]
    #[case::not_final("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 501)]
    #[case::identity("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501)]
    #[case::two_codings(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400
    )]
    #[case::coding_in_1_0("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400)]
    #[case::bare_line_feed("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400)]
    #[case::bare_line_feed_at_the_end("GET / HTTP/1.1\r\nHost: a\r\n\n", 400)]
    #[case::bare_line_feed_first("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::no_host("GET / HTTP/1.1\r\n\r\n", 400)]
    #[case::two_hosts("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400)]
    #[case::host_with_path("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400)]
    #[case::host_with_user("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400)]
    #[case::folded("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400)]
    #[case::space_before_colon("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400)]
    #[case::nul_in_value("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400)]
    #[case::carriage_return_in_value("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400)]
    #[case::bad_method("G{T / HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::long_method("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\nHost: a\r\n\r\n", 501)]
    #[case::connect("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501)]
    #[case::authority_form("GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::star("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::fragment("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::space_in_target("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::two_spaces("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::raw_utf8("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::other_version("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505)]
    #[case::no_version("GET /\r\nHost: a\r\n\r\n", 400)]
    #[case::other_protocol("GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400)]
    #[case::expectation("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417)]
    fn ambiguous_requests_are_refused(#[case] input: &str, #[case] status: u16) {
        assert_eq!(status_of(input), Err(status));
    }

    #[rstest]
    #[case("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None, true)]
    #[case("GET / HTTP/1.1\r\nHost:\r\n\r\n", Framing::None, true)]
    #[case("GET http://a:80/x HTTP/1.1\r\nHost: b\r\n\r\n", Framing::None, true)]
    #[case("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None, true)]
    #[case("GET / HTTP/1.0\r\n\r\n", Framing::None, false)]
    #[case("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Framing::None, true)]
    #[case("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", Framing::None, false)]
    #[case("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n", Framing::Length(12), true)]
    #[case("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", Framing::Chunked, true)]
    fn clear_requests_are_understood(#[case] input: &str, #[case] framing: Framing, #[case] keep_alive: bool) {
        assert_eq!(status_of(input), Ok(Some((framing, keep_alive))));
        for length in 0..input.len() {
            assert_eq!(status_of(&input[..length]), Ok(None), "the first {length} bytes");
        }
    }

    #[test]
    fn repeated_names_are_noticed_whether_known_or_not() {
        for (lines, repeated) in [("A: 1\r\nB: 1", false), ("A: 1\r\na: 2", true), ("Accept: 1\r\naccept: 2", true)] {
            let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
            let mut scratch = [MaybeUninit::uninit(); MAX_HEADERS];
            let (head, _) = parse(input.as_bytes(), &mut scratch).unwrap().unwrap();
            assert_eq!(head.repeated, repeated, "{lines}");
        }
    }

    #[test]
    fn limits_have_their_own_statuses() {
        let long = "a".repeat(MAX_TARGET + 1);
        assert_eq!(status_of(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")), Err(414));
        let many = "X: y\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(status_of(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Err(431));
        let big = "b".repeat(MAX_HEAD);
        assert_eq!(status_of(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {big}")), Err(431));
    }
}
