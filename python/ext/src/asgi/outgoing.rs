//! What leaves a stream, piece by piece.

use std::os::fd::OwnedFd;

use passenger_native::connection::Connection;
use passenger_native::frame::{CLOSE, END, HEADER_LEN, Header, Kind};
use passenger_native::response::FileRange;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::response::Head;

/// Longer bodies and messages are split into frames of so many bytes, so that one stream does not hold up the others.
pub(crate) const PIECE: usize = 128 * 1024;

/// One thing to be sent.
pub(crate) enum Part {
    /// The head of a response, with all or the first bytes of the body: at most [`PIECE`].
    Head {
        /// Status and headers.
        head: Head,
        /// Of the frame.
        header: Header,
        /// What follows the headers in the frame.
        body: Option<Py<PyBytes>>,
    },
    /// Bytes, in as many frames as they need.
    Payload {
        /// Of the last frame. The others have no END.
        header: Header,
        /// The flags of the others.
        more: u8,
        /// The bytes.
        bytes: Py<PyBytes>,
        /// How many of them have been sent.
        sent: usize,
    },
    /// A range of a file.
    File {
        /// Of the frame.
        header: Header,
        /// Which part of the file.
        range: FileRange,
        /// The file; taken when it is sent.
        descriptor: Option<OwnedFd>,
    },
}

/// What [`Part::write`] has done.
pub(crate) struct Written {
    /// Bytes to be taken off the credit.
    pub(crate) charge: usize,
    /// Whether all of the part is out.
    pub(crate) all: bool,
    /// Whether that was the last frame of the stream.
    pub(crate) end: bool,
}

impl Part {
    /// Whether it may only be sent while there is credit.
    pub(crate) fn needs_credit(&self) -> bool {
        match self {
            Self::Head { body, .. } => body.is_some(),
            Self::Payload { header, .. } => !(header.kind == Kind::Message && header.aux == CLOSE),
            Self::File { .. } => false,
        }
    }

    /// Appends the next frame to the connection's output. `elapsed` is the service time, for a frame with END.
    pub(crate) fn write(
        &mut self,
        py: Python<'_>,
        connection: &mut Connection,
        elapsed: impl FnOnce() -> u32,
    ) -> Written {
        match self {
            Self::Head { head, header, body } => {
                let body = body.as_ref().map_or(&b""[..], |body| body.as_bytes(py));
                let (header, end) = timed(*header, elapsed);
                head.write(connection.output(), header, body.len());
                connection.output().extend_from_slice(body);
                Written { charge: body.len(), all: true, end }
            }
            Self::Payload { header, more, bytes, sent } => {
                let left = &bytes.as_bytes(py)[*sent..];
                let piece = &left[..left.len().min(PIECE)];
                *sent += piece.len();
                let all = piece.len() == left.len();
                let flags = if all { header.flags } else { *more };
                let (header, end) = timed(Header { length: piece.len() as u32, flags, ..*header }, elapsed);
                let output = connection.output();
                output.reserve(HEADER_LEN + piece.len());
                output.extend_from_slice(&header.encode());
                output.extend_from_slice(piece);
                // Else messages without content would cost nothing.
                let overhead = if header.kind == Kind::Message { HEADER_LEN } else { 0 };
                Written { charge: overhead + piece.len(), all, end }
            }
            Self::File { header, range, descriptor } => {
                let range = range.encode();
                let (header, end) = timed(Header { length: range.len() as u32, ..*header }, elapsed);
                if let Some(descriptor) = descriptor.take() {
                    connection.attach(descriptor);
                }
                connection.output().extend_from_slice(&header.encode());
                connection.output().extend_from_slice(&range);
                Written { charge: 0, all: true, end }
            }
        }
    }
}

fn timed(header: Header, elapsed: impl FnOnce() -> u32) -> (Header, bool) {
    let end = header.flags & END != 0;
    (if end { Header { value: elapsed(), ..header } } else { header }, end)
}
