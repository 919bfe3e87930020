//! The payloads of the frames with which a worker answers: response, informational, file.

use crate::error::ProtocolError;
use crate::frame::{self, Kind};
use crate::headers::{BlockWriter, HeaderBlock};

/// The head of a response, and the part of the body that came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// 102 to 199 in an informational frame; 101 or 200 to 999 in a response frame.
    pub status: u16,
    /// The headers as the application wrote them.
    pub headers: HeaderBlock<'a>,
    /// The first body bytes; all of them when the frame has [`frame::END`], none in an informational frame.
    pub body: &'a [u8],
}

/// The range of a file that is the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// A response frame under construction at the end of a buffer.
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
    at: usize,
}

/// A response header that would break the HTTP message (RFC 9110, 5.5): the agent would refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHeader;

/// Whether `name` is a token (RFC 9110, 5.6.2).
#[must_use]
pub fn is_valid_name(name: &[u8]) -> bool {
    !name.is_empty() && name.len() <= usize::from(u16::MAX) && name.iter().all(|&byte| TOKEN[usize::from(byte)])
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether `value` is free of bytes that end or corrupt a header line (RFC 9110, 5.5): CR, LF, NUL.
#[must_use]
pub fn is_valid_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

impl<'a> ResponseWriter<'a> {
    /// Starts a frame and writes its header block with `headers`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let at = frame::begin(out);
        out.extend_from_slice(&[0; 4]);
        Self { out, at }
    }

    /// Adds one header.
    ///
    /// # Errors
    /// [`InvalidHeader`] when the name is no token or the value has a line end or NUL; nothing is added.
    pub fn header(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidHeader> {
        if !is_valid_name(name) || !is_valid_value(value) {
            return Err(InvalidHeader);
        }
        BlockWriter::resume(self.out, self.block()).named(name, value);
        Ok(())
    }

    /// Ends the header block and the frame; `body` are the first or all body bytes.
    ///
    /// # Errors
    /// When the frame gets longer than [`frame::MAX_PAYLOAD`]; it is taken back then.
    pub fn finish(self, header: frame::Header, body: &[u8]) -> Result<(), ProtocolError> {
        let block = self.block();
        BlockWriter::resume(self.out, block).finish()?;
        self.out.extend_from_slice(body);
        frame::finish(self.out, self.at, header)
    }

    /// As [`ResponseWriter::finish`], for `body_len` bytes of body that the caller sends directly behind the frame.
    ///
    /// # Errors
    /// As [`ResponseWriter::finish`].
    pub fn finish_ahead(self, header: frame::Header, body_len: usize) -> Result<(), ProtocolError> {
        let block = self.block();
        BlockWriter::resume(self.out, block).finish()?;
        frame::finish_ahead(self.out, self.at, header, body_len)
    }

    /// Takes the frame back.
    pub fn abandon(self) {
        self.out.truncate(self.at);
    }

    fn block(&self) -> usize {
        self.at + frame::HEADER_LEN
    }
}

/// Reads the payload of a response or informational frame.
///
/// # Errors
/// When the block is malformed, the status does not fit the kind, or a header could not be sent to a client.
pub fn decode<'a>(header: &frame::Header, payload: &'a [u8]) -> Result<Response<'a>, ProtocolError> {
    let fits = match header.kind {
        Kind::Informational => (102..200).contains(&header.aux),
        _ => header.aux == 101 || (200..1000).contains(&header.aux),
    };
    if !fits {
        return Err(ProtocolError::Invalid("status"));
    }
    let (headers, body) = HeaderBlock::split_from(payload)?;
    if header.kind == Kind::Informational && !body.is_empty() {
        return Err(ProtocolError::Invalid("body in an informational frame"));
    }
    for entry in headers.iter() {
        if entry.id != 0 || !is_valid_name(entry.name) || !is_valid_value(entry.value) {
            return Err(ProtocolError::Invalid("response header"));
        }
    }
    Ok(Response { status: header.aux, headers, body })
}

impl FileRange {
    /// The payload of a file frame.
    #[must_use]
    pub fn encode(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.offset.to_le_bytes());
        out[8..].copy_from_slice(&self.length.to_le_bytes());
        out
    }

    /// Reads the payload of a file frame.
    ///
    /// # Errors
    /// When it is not 16 bytes or the range ends beyond what a file offset can be.
    pub fn decode(payload: &[u8]) -> Result<Self, ProtocolError> {
        let ([offset, length], []) = payload.as_chunks::<8>() else {
            return Err(ProtocolError::Invalid("file range"));
        };
        let range = Self { offset: u64::from_le_bytes(*offset), length: u64::from_le_bytes(*length) };
        if range.offset.checked_add(range.length).is_none_or(|end| end > i64::MAX as u64) {
            return Err(ProtocolError::Invalid("file range"));
        }
        Ok(range)
    }
}
