//! Frames from a worker, taken off its channel without copying their payloads.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use bytes::{Buf, Bytes, BytesMut};
use nix::sys::socket::MsgFlags;
use passenger_native::error::ProtocolError;
use passenger_native::fds::Receiver;
use passenger_native::frame::{HEADER_LEN, Header};

/// What a read asks for, and the least room that makes a read worth it.
const READ: usize = 64 * 1024;
const LEAST: usize = 8 * 1024;

/// The receiving half of a data channel.
pub struct Inbox {
    /// Initialised bytes, the first `filled` of which were received.
    storage: BytesMut,
    filled: usize,
    receiver: Receiver,
}

/// What a read achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// There may be more.
    More,
    /// That was all there is for now.
    All,
    /// The worker has closed the channel.
    Closed,
}

impl Inbox {
    /// An empty inbox; it allocates with the first read.
    #[must_use]
    pub fn new() -> Self {
        Self { storage: BytesMut::new(), filled: 0, receiver: Receiver::new(64) }
    }

    /// Reads once, without waiting.
    ///
    /// # Errors
    /// What `recvmsg(2)` says, `EAGAIN` included.
    pub fn receive(&mut self, channel: BorrowedFd<'_>) -> io::Result<Received> {
        let missing = Header::decode(&self.storage[..self.filled])?
            .map_or(0, |header| header.frame_len().saturating_sub(self.filled));
        if self.storage.len() - self.filled < missing.max(LEAST) {
            self.storage.resize(self.filled + missing.max(READ), 0);
        }
        let room = &mut self.storage[self.filled..];
        let wanted = room.len();
        let received = self.receiver.receive(channel, room, MsgFlags::MSG_DONTWAIT)?;
        self.filled += received;
        Ok(match received {
            0 => Received::Closed,
            // The kernel also stops after bytes that carry a descriptor.
            _ if received < wanted && !self.receiver.has_any() => Received::All,
            _ => Received::More,
        })
    }

    /// Takes the next frame off, if all of it is there.
    ///
    /// # Errors
    /// A malformed header.
    pub fn next_frame(&mut self) -> Result<Option<(Header, Bytes)>, ProtocolError> {
        let Some(header) = Header::decode(&self.storage[..self.filled])? else { return Ok(None) };
        if header.frame_len() > self.filled {
            return Ok(None);
        }
        let mut frame = self.storage.split_to(header.frame_len());
        self.filled -= header.frame_len();
        frame.advance(HEADER_LEN);
        Ok(Some((header, frame.freeze())))
    }

    /// The descriptor that came with the frame last taken.
    ///
    /// # Errors
    /// [`ProtocolError::MissingDescriptor`].
    pub fn take_descriptor(&mut self) -> Result<OwnedFd, ProtocolError> {
        self.receiver.take().ok_or(ProtocolError::MissingDescriptor)
    }
}
