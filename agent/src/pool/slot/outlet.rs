//! Frames on their way to a worker: they gather during a turn and leave in one write at its end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use passenger_native::frame::{self, Header, Kind};
use passenger_native::outbox::Outbox;

use crate::pool::exchange::Request;

/// While more than this waits for a worker that does not read, in bytes, WebSocket clients are not read from.
const BACKLOG: usize = 1 << 20;

/// A descriptor that travels with a frame; shared because a request may have to be sent again.
struct Attachment(Rc<File>);

impl AsFd for Attachment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The sending half of a data channel.
#[derive(Default)]
pub struct Outlet {
    outbox: Outbox<Attachment>,
    /// Frames wait for the end of the turn.
    dirty: bool,
    /// The channel is full; a task waits for room.
    blocked: bool,
    /// Nothing more is to be sent.
    ended: bool,
    /// The stream of the request that was appended last, if nothing was after it.
    last_request: Option<u32>,
}

/// What [`Outlet::flush`] achieved.
pub struct Sent {
    /// Whether any byte left.
    pub some: bool,
    /// Whether the rest must wait until the worker has read.
    pub blocked: bool,
    /// Why nothing more can be sent.
    pub error: Option<io::Error>,
}

impl Outlet {
    /// Appends a request.
    pub fn request(&mut self, request: &Request, stream: u32, flags: u8) {
        if self.ended {
            return;
        }
        self.last_request = Some(stream);
        if let Some(file) = &request.body {
            self.outbox.attach(Attachment(Rc::clone(file)));
        }
        let out = self.outbox.bytes();
        let at = out.len();
        out.extend_from_slice(&request.frame);
        out[at + 5] |= flags;
        out[at + 8..at + 12].copy_from_slice(&stream.to_le_bytes());
    }

    /// Appends any other frame; `payload` is not longer than a frame can be.
    pub fn push(&mut self, header: Header, payload: &[u8]) {
        if !self.ended {
            self.last_request = None;
            let pushed = frame::push(self.outbox.bytes(), header, payload);
            debug_assert!(pushed.is_ok(), "the caller has cut the payload");
        }
    }

    /// Appends a frame without a payload.
    pub fn signal(&mut self, kind: Kind, stream: u32, value: u32) {
        self.push(Header { value, ..frame::header(kind, stream) }, &[]);
    }

    /// The stream of a request behind which nothing was sent: it was not read to its end by a worker that left anything
    /// unread.
    pub fn last_request(&self) -> Option<u32> {
        self.last_request
    }

    /// Whether a flush must be asked for: the first frame of a turn was appended.
    pub fn wants_flush(&mut self) -> bool {
        let wants = !self.dirty && !self.blocked && !self.ended;
        self.dirty |= wants;
        wants
    }

    /// Whether the worker is so far behind that what can wait should.
    pub fn is_choked(&self) -> bool {
        self.blocked && self.outbox.pending() > BACKLOG
    }

    /// Goes on after the channel was full.
    pub fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Drops what waits and what comes: the channel has ended in this direction.
    pub fn end(&mut self) {
        *self = Self { ended: true, last_request: self.last_request, ..Self::default() };
    }

    /// Sends what has gathered, as far as the channel takes it.
    pub fn flush(&mut self, channel: BorrowedFd<'_>) -> Sent {
        self.dirty = false;
        let before = self.outbox.pending();
        if before == 0 {
            return Sent { some: false, blocked: false, error: None };
        }
        let flushed = self.outbox.flush(channel, &[], false);
        self.blocked = flushed.as_ref().is_ok_and(|flushed| !flushed.all);
        Sent { some: self.outbox.pending() < before, blocked: self.blocked, error: flushed.err() }
    }
}
