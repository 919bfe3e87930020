//! Bytes on their way out, some of them with a descriptor attached.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::MsgFlags;

use crate::fds;

/// A buffer that one large frame has grown is given back above this size.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Frames gather here and leave in as few calls as descriptors allow.
pub struct Outbox<D> {
    bytes: Vec<u8>,
    sent: usize,
    /// Descriptors, each with the offset in `bytes` of the frame it belongs to.
    attachments: VecDeque<(usize, D)>,
}

/// What [`Outbox::flush`] achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Bytes of the tail that were sent.
    pub taken: usize,
    /// Whether everything was.
    pub all: bool,
}

impl<D: AsFd> Outbox<D> {
    /// An empty one; it allocates with the first frame.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::new(), sent: 0, attachments: VecDeque::new() }
    }

    /// Where frames are appended with [`crate::request`], [`crate::response`] and [`crate::frame::push`].
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Attaches a descriptor to the frame that is appended next.
    pub fn attach(&mut self, descriptor: D) {
        self.attachments.push_back((self.bytes.len(), descriptor));
    }

    /// Sends what has gathered and then `tail`, which stays the caller's. Without `wait` it stops where the channel is
    /// full.
    ///
    /// # Errors
    /// I/O errors other than a full channel.
    pub fn flush(&mut self, socket: BorrowedFd<'_>, tail: &[u8], wait: bool) -> io::Result<Flushed> {
        let flags = if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
        let mut taken = 0;
        while self.sent < self.bytes.len() || taken < tail.len() {
            match self.send_once(socket, &tail[taken..], flags) {
                Ok(from_tail) => taken += from_tail,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.forget_sent();
                    return Ok(Flushed { taken, all: false });
                }
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        // A descriptor whose frame was never appended must not ride with another one.
        self.attachments.clear();
        if self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = Vec::new();
        }
        Ok(Flushed { taken, all: true })
    }

    /// Drops what was sent, when that is most of what is there: a channel that is never empty must not gather it for ever.
    fn forget_sent(&mut self) {
        if self.sent > KEPT_CAPACITY && self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            for (at, _) in &mut self.attachments {
                *at -= self.sent;
            }
            self.sent = 0;
        }
    }

    /// One `sendmsg`. It ends where a descriptor's frame begins, as the descriptor belongs to its first byte.
    fn send_once(&mut self, socket: BorrowedFd<'_>, tail: &[u8], flags: MsgFlags) -> io::Result<usize> {
        let here = self.sent;
        let attached = self.attachments.front().filter(|(at, _)| *at == here).map(|(_, descriptor)| descriptor.as_fd());
        let next = self.attachments.get(usize::from(attached.is_some())).map_or(self.bytes.len(), |(at, _)| *at);
        let tail = if next == self.bytes.len() { tail } else { &[] };
        let parts = [IoSlice::new(&self.bytes[here..next]), IoSlice::new(tail)];
        let sent = fds::send(socket, &parts, attached.as_slice(), flags)?;
        if attached.is_some() {
            self.attachments.pop_front();
        }
        let own = sent.min(next - here);
        self.sent += own;
        Ok(sent - own)
    }
}

impl<D: AsFd> Default for Outbox<D> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_channel_that_is_never_empty_does_not_gather_what_was_sent() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut outbox: Outbox<OwnedFd> = Outbox::new();
        let (mut sent, mut received) = (0_u32, 0_u32);
        let mut buffer = vec![0; 64 * 1024];
        for round in 0..200 {
            while outbox.pending() < 512 * 1024 {
                outbox.bytes().extend_from_slice(&sent.to_le_bytes());
                sent += 1;
            }
            if round == 100 {
                outbox.attach(File::open("/dev/null").unwrap().into());
            }
            assert!(!outbox.flush(ours.as_fd(), &[], false).unwrap().all);
            let offsets = outbox.attachments.iter().map(|(at, _)| *at);
            assert!(offsets.chain([outbox.sent]).all(|at| at <= outbox.bytes.len()));
            theirs.read_exact(&mut buffer).unwrap();
            for number in buffer.as_chunks::<4>().0 {
                assert_eq!(u32::from_le_bytes(*number), received);
                received += 1;
            }
        }
        assert!(outbox.bytes.len() < 4 * KEPT_CAPACITY, "{} bytes", outbox.bytes.len());
        assert!(outbox.attachments.is_empty(), "the descriptor has left with its byte");
    }
}
