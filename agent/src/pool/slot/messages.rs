//! What a multiplexed worker is told besides requests: messages of WebSockets, and credit.

use std::rc::Rc;
use std::task::{Context, Poll};

use passenger_native::frame::{self, CLOSE, Header, Kind, MORE};

use super::{InFlight, Slot};

/// Messages are cut into frames of this many bytes, so that none goes far beyond its credit.
const PIECE: usize = 128 * 1024;

impl Slot {
    /// Bytes that came on a stream have been disposed of, so that the worker may send more.
    pub(in crate::pool) fn dispose(self: &Rc<Self>, stream: u32, bytes: usize) {
        let credit = match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(_) => None,
            InFlight::Multiplexed(streams) => streams.dispose(stream, bytes),
        };
        self.give_credit(stream, credit);
    }

    pub(super) fn give_credit(self: &Rc<Self>, stream: u32, credit: Option<u32>) {
        if let Some(bytes) = credit {
            self.outlet.borrow_mut().signal(Kind::Window, stream, bytes);
            self.flush_later();
        }
    }

    /// Waits until the worker takes a message on a stream.
    pub(in crate::pool) fn poll_clear(&self, stream: u32, cx: &Context<'_>) -> Poll<()> {
        let choked = self.outlet.borrow().is_choked();
        match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(_) => Poll::Ready(()),
            InFlight::Multiplexed(streams) => streams.poll_clear(stream, choked, cx),
        }
    }

    /// Sends the next piece of a message, as much as a frame should have; returns how many bytes that is. What can't be
    /// sent any more is dropped.
    pub(in crate::pool) fn send(self: &Rc<Self>, stream: u32, kind: u16, payload: &[u8]) -> usize {
        let piece = payload.len().min(PIECE);
        let InFlight::Multiplexed(streams) = &mut *self.in_flight.borrow_mut() else { return piece };
        if streams.say(stream, frame::HEADER_LEN + piece) {
            let flags = if piece < payload.len() { MORE } else { 0 };
            let header = Header { aux: kind, flags, ..frame::header(Kind::Message, stream) };
            self.outlet.borrow_mut().push(header, &payload[..piece]);
            self.flush_later();
        }
        piece
    }

    /// Tells the worker how a WebSocket was closed; nothing more is said on its stream.
    pub(in crate::pool) fn close(self: &Rc<Self>, stream: u32, payload: &[u8]) {
        let InFlight::Multiplexed(streams) = &mut *self.in_flight.borrow_mut() else { return };
        if streams.finish(stream) {
            let header = Header { aux: CLOSE, ..frame::header(Kind::Message, stream) };
            self.outlet.borrow_mut().push(header, payload);
            self.flush_later();
        }
    }
}
