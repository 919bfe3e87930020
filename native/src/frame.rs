//! The 16-byte header in front of every payload on a data channel. No I/O here: byte slices in, values out.
//!
//! ```text
//! 0        4      5       6        8          12         16
//! | length | kind | flags |  aux   |  stream  |  value   | payload …
//! ```
//! All numbers are little-endian. `docs/protocol.md` gives each kind's payload byte by byte.

use crate::error::ProtocolError;

/// Bytes in a frame header.
pub const HEADER_LEN: usize = 16;
/// The longest payload in bytes; a longer one closes the channel.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Flag: the last frame of this request or response.
pub const END: u8 = 1;
/// Flag on a request: at least one header name occurs more than once, so the worker must join values.
pub const REPEATED: u8 = 1 << 1;

/// Flag on a request: it is a WebSocket handshake that the worker may accept. On a response: with status 101 from a
/// multiplexed worker, it is accepted; else an [`Kind::Upgrade`] frame follows, so the end of the body is the
/// application's to tell.
pub const UPGRADE: u8 = 1 << 2;

/// Flag on a message: it goes on in the next [`Kind::Message`] frame of the stream.
pub const MORE: u8 = 1 << 3;

/// Bytes of body or messages that either side may send on a stream before it is given more by [`Kind::Window`].
pub const INITIAL_WINDOW: u32 = 256 * 1024;

/// In the `aux` of a [`Kind::Message`] frame: a text message.
pub const TEXT: u16 = 1;
/// In the `aux` of a [`Kind::Message`] frame: a binary message.
pub const BINARY: u16 = 2;
/// In the `aux` of a [`Kind::Message`] frame: the conversation ends; code and reason as RFC 6455, 5.5.1 has them.
pub const CLOSE: u16 = 8;

/// In the `aux` of a [`Kind::Cancel`] frame from the agent to a multiplexed worker: not the client has gone, but the request
/// has been running for too long. The worker answers with END at once, and stops what it is doing for it.
pub const STOP: u16 = 1;

/// What a frame is. Numbers 2 and 11 are kept for streamed uploads and out-of-band work; a receiver that does not know
/// them closes the channel, as for any unknown kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Agent to worker: a whole request; `aux` is the number of descriptors (1 when the body was spooled).
    Request = 1,
    /// Worker to agent: status in `aux`, header block, then body bytes.
    Response = 3,
    /// Worker to agent: more body bytes.
    Data = 4,
    /// Worker to agent: a descriptor and a range of it as the body; always the last frame.
    File = 5,
    /// Worker to agent: an interim response (1xx), status in `aux`, header block.
    Informational = 6,
    /// Either way: `value` bytes of credit for this stream.
    Window = 7,
    /// Either way: a WebSocket message or a part of one; `aux` is [`TEXT`], [`BINARY`] or [`CLOSE`].
    Message = 8,
    /// Worker to agent: a descriptor; from here on the client's connection and it are one pipe.
    Upgrade = 9,
    /// Either way: the sender has given this stream up. `aux` is 0 or, without END, [`STOP`].
    Cancel = 10,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Request,
            3 => Self::Response,
            4 => Self::Data,
            5 => Self::File,
            6 => Self::Informational,
            7 => Self::Window,
            8 => Self::Message,
            9 => Self::Upgrade,
            10 => Self::Cancel,
            _ => return None,
        })
    }
}

/// A decoded frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Payload bytes that follow, at most [`MAX_PAYLOAD`].
    pub length: u32,
    /// What the frame is.
    pub kind: Kind,
    /// [`END`], [`REPEATED`], [`UPGRADE`], [`MORE`].
    pub flags: u8,
    /// Number of descriptors, status, or kind of message; see [`Kind`].
    pub aux: u16,
    /// Which request this belongs to; the worker echoes it.
    pub stream: u32,
    /// On a worker's last frame: microseconds the application spent on the request. In a [`Kind::Window`] frame: bytes.
    pub value: u32,
}

impl Header {
    /// Whether this is the last frame of its direction.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.flags & END != 0
    }

    /// The number of descriptors that travel with this frame.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        match self.kind {
            Kind::Request | Kind::File | Kind::Upgrade => usize::from(self.aux),
            Kind::Response | Kind::Data | Kind::Informational | Kind::Window | Kind::Message | Kind::Cancel => 0,
        }
    }

    /// Header and payload together, in bytes.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        HEADER_LEN + self.length as usize
    }

    /// The header as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[0..4].copy_from_slice(&self.length.to_le_bytes());
        out[4] = self.kind as u8;
        out[5] = self.flags;
        out[6..8].copy_from_slice(&self.aux.to_le_bytes());
        out[8..12].copy_from_slice(&self.stream.to_le_bytes());
        out[12..16].copy_from_slice(&self.value.to_le_bytes());
        out
    }

    /// Reads a header from the start of `bytes`; `None` while fewer than [`HEADER_LEN`] are there.
    ///
    /// # Errors
    /// An unknown kind, a length over [`MAX_PAYLOAD`], or fields that do not fit the kind.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some(head) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let [l0, l1, l2, l3, kind, flags, a0, a1, s0, s1, s2, s3, v0, v1, v2, v3] = *head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length as usize > MAX_PAYLOAD {
            return Err(ProtocolError::PayloadTooLong(length as usize));
        }
        let kind = Kind::from_byte(kind).ok_or(ProtocolError::UnknownKind(kind))?;
        let header = Self {
            length,
            kind,
            flags,
            aux: u16::from_le_bytes([a0, a1]),
            stream: u32::from_le_bytes([s0, s1, s2, s3]),
            value: u32::from_le_bytes([v0, v1, v2, v3]),
        };
        header.check()?;
        Ok(Some(header))
    }

    /// Whether the fields fit the kind. Descriptors must be announced by exactly the frames that use one, as they are
    /// matched with their frames by order alone.
    fn check(&self) -> Result<(), ProtocolError> {
        if self.kind == Kind::Message && !matches!(self.aux, TEXT | BINARY | CLOSE) {
            return Err(ProtocolError::Invalid("kind of message"));
        }
        let (descriptors, end, length) = match self.kind {
            Kind::Request => (self.aux <= 1, self.is_end(), true),
            Kind::Response | Kind::Data => (true, true, true),
            Kind::Informational => (true, !self.is_end(), true),
            Kind::Window => (self.aux == 0, !self.is_end(), self.length == 0),
            Kind::Message => (true, true, true),
            Kind::File => (self.aux == 1, self.is_end(), true),
            Kind::Upgrade => (self.aux == 1, self.is_end(), self.length == 0),
            Kind::Cancel => (self.aux == 0 || (self.aux == STOP && !self.is_end()), true, self.length == 0),
        };
        for (fits, field) in [(descriptors, "descriptor count"), (end, "END flag"), (length, "payload length")] {
            if !fits {
                return Err(ProtocolError::Invalid(field));
            }
        }
        Ok(())
    }
}

/// Reserves room for a header at the end of `out` and returns where it is, for [`finish`].
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + HEADER_LEN, 0);
    at
}

/// Writes the header for the payload that was appended since [`begin`]; `header.length` is filled in here.
///
/// # Errors
/// When the payload is over [`MAX_PAYLOAD`]; `out` is cut back to where it was.
pub(crate) fn finish(out: &mut Vec<u8>, at: usize, header: Header) -> Result<(), ProtocolError> {
    finish_ahead(out, at, header, 0)
}

/// As [`finish`], for a payload whose last `rest` bytes follow later.
///
/// # Errors
/// As [`finish`].
pub(crate) fn finish_ahead(out: &mut Vec<u8>, at: usize, mut header: Header, rest: usize) -> Result<(), ProtocolError> {
    let length = out.len() - at - HEADER_LEN + rest;
    if length > MAX_PAYLOAD {
        out.truncate(at);
        return Err(ProtocolError::PayloadTooLong(length));
    }
    header.length = length as u32;
    out[at..at + HEADER_LEN].copy_from_slice(&header.encode());
    Ok(())
}

/// Appends a whole frame whose payload is at hand.
///
/// # Errors
/// When the payload is over [`MAX_PAYLOAD`]; `out` is unchanged.
pub fn push(out: &mut Vec<u8>, header: Header, payload: &[u8]) -> Result<(), ProtocolError> {
    let at = begin(out);
    out.extend_from_slice(payload);
    finish(out, at, header)
}

/// A header for `kind` on `stream` with everything else zero.
#[must_use]
pub fn header(kind: Kind, stream: u32) -> Header {
    Header { length: 0, kind, flags: 0, aux: 0, stream, value: 0 }
}
