//! The worker's end of a data channel, as both language extensions use it: frames in, frames out, blocking only where
//! the caller says so.
//!
//! One read takes all that is there. Answers gather in a buffer; [`Connection::flush`] sends them in one call.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::MsgFlags;

use crate::error::ProtocolError;
use crate::fds::Receiver;
use crate::frame::{self, Header};
pub use crate::outbox::Flushed;
use crate::outbox::Outbox;

const INITIAL_BUFFER: usize = 16 * 1024;
/// Buffers that one large frame has grown are given back above this size.
const KEPT_BUFFER: usize = 256 * 1024;

/// One data channel.
pub struct Connection {
    socket: OwnedFd,
    receiver: Receiver,
    /// The descriptor of the frame last taken, until it is asked for.
    descriptor: Option<OwnedFd>,
    input: Vec<u8>,
    /// The part of `input` that was received and not yet handed out.
    unread: Range<usize>,
    output: Outbox<OwnedFd>,
}

impl Connection {
    /// Wraps one end of a `SOCK_STREAM` socketpair.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            // Requests are queued ahead of the worker, and each may bring a spooled body.
            receiver: Receiver::new(64),
            descriptor: None,
            input: vec![0; INITIAL_BUFFER],
            unread: 0..0,
            output: Outbox::new(),
        }
    }

    /// The next frame if all of it has been received: its header and where [`Connection::bytes`] finds its payload.
    /// It stays there until the next call of [`Connection::receive`].
    ///
    /// # Errors
    /// A malformed header; [`ProtocolError::MissingDescriptor`].
    pub fn next_frame(&mut self) -> Result<Option<(Header, Range<usize>)>, ProtocolError> {
        let Some(header) = self.peek()? else { return Ok(None) };
        // Settled here, so that a frame whose descriptor nobody asks for cannot shift those of later frames.
        self.descriptor = match header.descriptors() {
            0 => None,
            _ => Some(self.receiver.take().ok_or(ProtocolError::MissingDescriptor)?),
        };
        let payload = self.unread.start + frame::HEADER_LEN..self.unread.start + header.frame_len();
        self.unread.start = payload.end;
        Ok(Some((header, payload)))
    }

    /// The header of the next frame if all of the frame has been received; it is not taken.
    ///
    /// # Errors
    /// A malformed header.
    pub fn peek(&self) -> Result<Option<Header>, ProtocolError> {
        let header = Header::decode(&self.input[self.unread.clone()])?;
        Ok(header.filter(|header| header.frame_len() <= self.unread.len()))
    }

    /// The headers of all frames that have been received whole and not been taken, in order.
    pub fn buffered(&self) -> impl Iterator<Item = Header> {
        let mut unread = &self.input[self.unread.clone()];
        std::iter::from_fn(move || {
            let header = Header::decode(unread).ok().flatten()?;
            unread = unread.get(header.frame_len()..)?;
            Some(header)
        })
    }

    /// Received bytes, by the range that [`Connection::next_frame`] gave.
    #[must_use]
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.input[range]
    }

    /// The descriptor that came with the frame last taken. It is closed when the next frame is taken instead.
    ///
    /// # Errors
    /// [`ProtocolError::MissingDescriptor`] when the frame has none, or it was asked for before.
    pub fn take_descriptor(&mut self) -> Result<OwnedFd, ProtocolError> {
        self.descriptor.take().ok_or(ProtocolError::MissingDescriptor)
    }

    /// Receives once, waiting for data if `wait`; returns the number of bytes, 0 at the end of the channel. Ranges
    /// handed out before are invalid afterwards.
    ///
    /// # Errors
    /// I/O errors, `EINTR` and `EAGAIN` (without `wait`) included; a frame over the limit as `InvalidData`.
    pub fn receive(&mut self, wait: bool) -> io::Result<usize> {
        self.make_room()?;
        let flags = if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
        let received = self.receiver.receive(self.socket.as_fd(), &mut self.input[self.unread.end..], flags)?;
        self.unread.end += received;
        Ok(received)
    }

    fn make_room(&mut self) -> Result<(), ProtocolError> {
        let needed =
            Header::decode(&self.input[self.unread.clone()])?.map_or(frame::HEADER_LEN, |header| header.frame_len());
        if self.unread.is_empty() {
            self.unread = 0..0;
            if self.input.len() > KEPT_BUFFER {
                self.input = vec![0; INITIAL_BUFFER];
            }
        } else if self.input.len() - self.unread.start < needed || self.unread.end == self.input.len() {
            self.input.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.input.len() < needed || self.unread.end == self.input.len() {
            self.input.resize(needed.max(self.input.len() * 2), 0);
        }
        Ok(())
    }

    /// Where answers are put together with [`crate::response`] and [`frame::push`].
    pub fn output(&mut self) -> &mut Vec<u8> {
        self.output.bytes()
    }

    /// Bytes that wait for [`Connection::flush`].
    #[must_use]
    pub fn pending(&self) -> usize {
        self.output.pending()
    }

    /// Attaches a descriptor to the frame that is appended to the output next.
    pub fn attach(&mut self, descriptor: OwnedFd) {
        self.output.attach(descriptor);
    }

    /// Sends what has gathered and then `tail`, which stays the caller's. Returns how many bytes of `tail` were taken
    /// and whether all is gone; without `wait` it stops where the channel is full.
    ///
    /// # Errors
    /// I/O errors other than a full channel.
    pub fn flush(&mut self, tail: &[u8], wait: bool) -> io::Result<Flushed> {
        self.output.flush(self.socket.as_fd(), tail, wait)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
