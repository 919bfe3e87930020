//! One request on its way through the pool: waiting, in a worker, answered.
//!
//! ```text
//!             dispatched            answered
//!   Waiting ─────────────▶ InSlot ───────────▶ Done
//!      │                      │ client left: a Cancel frame, the rest of the answer is dropped
//!      └── client left: skipped when its turn comes
//! ```
//! A WebSocket is a session that goes on: after [`Event::Accepted`] both sides send messages.
//!
//! [`Exchange`] is what the request's task, the queue and the slot share. [`Session`] is the task's handle: dropping it
//! says that nobody waits for the answer any more.

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use passenger_native::frame::Header;
use passenger_native::response::FileRange;

use super::exchange::Exchange;
use crate::buffer::Chunk;
use crate::spawn::SpawnError;

/// What a session has to say next.
#[derive(Debug)]
pub enum Event {
    /// An interim response: its frame's header and payload.
    Interim(Header, Bytes),
    /// The response.
    Head {
        /// Its frame's header.
        frame: Header,
        /// Its frame's payload: header block, first body bytes.
        payload: Bytes,
    },
    /// A piece of the body after those.
    Chunk(Chunk),
    /// The rest of the body is this file.
    File(OwnedFd, FileRange),
    /// The rest is a conversation with this descriptor.
    Upgrade(OwnedFd),
    /// The handshake is accepted; the rest is messages.
    Accepted {
        /// The response frame's header.
        frame: Header,
        /// Its payload: header block.
        payload: Bytes,
    },
    /// A message or a part of one: its frame's header and payload.
    Message(Header, Bytes),
    /// It is over.
    End(Ending),
}

/// How a session ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// With a whole answer.
    Complete,
    /// The worker gave up in the middle.
    Cancelled,
    /// The worker died or broke the protocol.
    Lost {
        /// The request may be given to another one: the worker provably never had all of it, or it is a safe one that
        /// stood behind the one that was being served.
        repeatable: bool,
    },
    /// Nothing is wrong, but it would have had to wait for long where it was.
    Moved,
    /// The answer could not be buffered.
    Unbuffered(Rc<std::io::Error>),
    /// The queue was full.
    QueueFull,
    /// It waited for a worker for longer than a request may.
    WaitedTooLong,
    /// A worker took longer for it than it may.
    Overdue,
    /// No worker could be started.
    NotSpawned(Rc<SpawnError>),
    /// The server is ending.
    Closing,
}

/// The handle of the task that waits for the answer.
pub struct Session(Rc<Exchange>);

impl Session {
    /// Wraps the exchange that was given to the pool.
    #[must_use]
    pub fn new(exchange: Rc<Exchange>) -> Self {
        Self(exchange)
    }

    /// With sticky sessions: the number of the worker that has the request.
    #[must_use]
    pub fn worker(&self) -> Option<u32> {
        self.0.sticks_to()
    }

    /// Waits for what comes next. After [`Event::End`] it says the same again.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Session::next`].
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Event> {
        self.0.poll_next(cx)
    }

    /// The rest of the body, if the answer is complete and all of it is in memory and at most `limit` bytes; then the
    /// whole response can leave in one write.
    pub fn take_rest(&mut self, limit: usize) -> Option<Vec<Bytes>> {
        self.0.take_rest(limit)
    }

    /// The worker that has answered is to do what the application has put off.
    pub fn wants_oob_work(&self) {
        if let Some(worker) = self.0.worker() {
            worker.wants_oob_work();
        }
    }

    /// Notes that the client has `bytes` of the messages that came, so that the worker may send more.
    pub fn written(&mut self, bytes: usize) {
        if let Some((slot, stream)) = self.0.place() {
            slot.dispose(stream, bytes);
        }
    }

    /// Waits until the worker takes a message.
    pub fn poll_clear(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.0.place().map_or(Poll::Ready(()), |(slot, stream)| slot.poll_clear(stream, cx))
    }

    /// Sends the next piece of a message to the worker, after [`Session::poll_clear`]; returns how many bytes it took.
    pub fn send(&mut self, kind: u16, rest: &[u8]) -> usize {
        self.0.place().map_or(rest.len(), |(slot, stream)| slot.send(stream, kind, rest))
    }

    /// Tells the worker how the client has closed, in the words of RFC 6455, 5.5.1. Nothing can be sent after that.
    pub fn close(&mut self, payload: &[u8]) {
        if let Some((slot, stream)) = self.0.place() {
            slot.close(stream, payload);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use passenger_native::frame::{Kind, header};

    use super::*;
    use crate::pool::exchange::Request;

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_that_comes_after_the_request_was_moved_is_dropped() {
        let request = Request {
            frame: Vec::new(),
            body: None,
            is_safe: true,
            route: 1,
            is_websocket: false,
            is_health_check: false,
        };
        let exchange = Exchange::new(Rc::new(request), Path::new("/tmp").into());
        let mut session = Session::new(Rc::clone(&exchange));
        exchange.end(Ending::Lost { repeatable: true });
        exchange.say(Event::Head { frame: header(Kind::Response, 1), payload: Bytes::new() });
        exchange.push(Bytes::from_static(b"late"));
        exchange.end(Ending::Complete);
        assert!(matches!(session.next().await, Event::End(Ending::Lost { repeatable: true })));
    }
}
