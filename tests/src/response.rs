//! Responses, read as strictly as RFC 9112 lets a client: a server that sends anything odd fails the scenario.

use std::fmt;
use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// How the end of a body was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none: 1xx, 204, 304, an answer to HEAD.
    None,
    /// Content-Length.
    Length,
    /// Transfer-Encoding: chunked.
    Chunked,
    /// The connection's end.
    Close,
}

/// A response, its body decoded.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// The headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How the end of the body was told.
    pub framing: Framing,
}

impl Response {
    /// The only value of this header; none if it is absent, and a failure if it comes twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_values(name);
        assert!(values.len() < 2, "{name} comes more than once: {values:?}");
        values.first().copied()
    }

    /// All values of this header.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let matching = self.headers.iter().filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body as a number: what `/pid` and its like answer.
    pub fn number(&self) -> i32 {
        self.text().trim().parse().unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Reads one response, an interim one (1xx) too. `has_body` is false for an answer to HEAD.
    pub(crate) fn read(input: &mut impl BufRead, has_body: bool) -> Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if input.read_until(b'\n', &mut head)? == 0 {
                let message = format!("closed in the head: {:?}", String::from_utf8_lossy(&head));
                return Err(Error::new(ErrorKind::UnexpectedEof, message));
            }
        }
        let mut response = Self::parse_head(&head)?;
        response.framing = response.find_framing(has_body)?;
        match response.framing {
            Framing::None => {}
            Framing::Length => {
                let length = response.header("Content-Length").and_then(|length| length.parse().ok());
                response.body = vec![0; length.ok_or_else(|| invalid("a bad Content-Length"))?];
                input.read_exact(&mut response.body)?;
            }
            Framing::Chunked => response.body = read_chunks(input)?,
            Framing::Close => {
                input.read_to_end(&mut response.body)?;
            }
        }
        Ok(response)
    }

    fn parse_head(head: &[u8]) -> Result<Self> {
        let mut headers = vec![httparse::EMPTY_HEADER; 1024];
        let mut parsed = httparse::Response::new(&mut headers);
        if parsed.parse(head).map_err(|error| invalid(&error.to_string()))?.is_partial() {
            return Err(invalid("a head that ends early"));
        }
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(Self {
            status: parsed.code.unwrap_or_default(),
            reason: parsed.reason.unwrap_or_default().to_owned(),
            headers: parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect(),
            body: Vec::new(),
            framing: Framing::None,
        })
    }

    fn find_framing(&self, has_body: bool) -> Result<Framing> {
        let length = self.header_values("Content-Length");
        let coding = self.header_values("Transfer-Encoding");
        if length.len() + coding.len() > 1 {
            return Err(invalid(&format!("more than one framing: {:?}", self.headers)));
        }
        if !has_body || self.status < 200 || self.status == 204 || self.status == 304 {
            return Ok(Framing::None);
        }
        match coding.first() {
            Some(&"chunked") => Ok(Framing::Chunked),
            Some(coding) => Err(invalid(&format!("Transfer-Encoding: {coding}"))),
            None if length.is_empty() => Ok(Framing::Close),
            None => Ok(Framing::Length),
        }
    }
}

impl fmt::Debug for Response {
    /// The body as text, as much of it as a failed expectation needs.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, reason, headers, body, framing } = self;
        let start = String::from_utf8_lossy(&body[..body.len().min(1000)]);
        write!(formatter, "{status} {reason} {headers:?}, body of {} bytes ({framing:?}): {start}", body.len())
    }
}

fn read_chunks(input: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(input)?;
        let size = usize::from_str_radix(&line, 16).map_err(|_| invalid(&format!("the chunk size {line:?}")))?;
        if size == 0 {
            break;
        }
        input.take(size as u64).read_to_end(&mut body)?;
        if !read_line(input)?.is_empty() {
            return Err(invalid("a chunk that is longer than it said"));
        }
    }
    match read_line(input)?.as_str() {
        "" => Ok(body),
        trailer => Err(invalid(&format!("the trailer {trailer:?}"))),
    }
}

fn read_line(input: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(Error::new(ErrorKind::UnexpectedEof, format!("closed in the chunk line {line:?}"))),
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the response has {what}"))
}
