//! One request on its way through the pool: waiting, in a worker, answered.
//!
//! ```text
//!             dispatched            answered
//!   Waiting ─────────────▶ InSlot ───────────▶ Done
//!      │                      │ client left: a Cancel frame, the rest of the answer is dropped
//!      └── client left: skipped when its turn comes
//! ```
//! [`Exchange`] is what the request's task, the queue and the slot share. [`Session`] is the task's handle: dropping it
//! says that nobody waits for the answer any more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use bytes::Bytes;
use passenger_native::frame::Header;
use passenger_native::response::FileRange;

use super::service_times::Route;
use super::slot::Slot;
use crate::buffer::{Buffer, Chunk};
use crate::spawn::SpawnError;

/// A request as the pool sees it.
pub struct Request {
    /// The request frame; the slot fills in the stream number.
    pub frame: Vec<u8>,
    /// The spooled body that travels with it.
    pub body: Option<Rc<File>>,
    /// Whether the method is safe (RFC 9110, 9.2.1), so that the request may be repeated.
    pub is_safe: bool,
    /// What it asks for.
    pub route: Route,
}

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
    /// The answer could not be buffered.
    Unbuffered(Rc<std::io::Error>),
    /// The queue was full.
    QueueFull,
    /// No worker could be started.
    NotSpawned(Rc<SpawnError>),
    /// The server is ending.
    Closing,
}

struct State {
    heads: VecDeque<Event>,
    buffer: Buffer,
    /// A file or upgrade that comes after what is buffered.
    last: Option<Event>,
    ending: Option<Ending>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a request's task, the queue and the slot share.
pub struct Exchange {
    request: Rc<Request>,
    state: RefCell<State>,
    abandoned: Cell<bool>,
    slot: RefCell<Weak<Slot>>,
}

impl Exchange {
    /// Starts an exchange; `directory` is where an answer that outgrows memory goes.
    #[must_use]
    pub fn new(request: Rc<Request>, directory: Rc<Path>) -> Rc<Self> {
        let state = State {
            heads: VecDeque::new(),
            buffer: Buffer::new(directory),
            last: None,
            ending: None,
            reader: None,
            writer: None,
        };
        Rc::new(Self {
            request,
            state: RefCell::new(state),
            abandoned: Cell::new(false),
            slot: RefCell::new(Weak::new()),
        })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Whether nobody waits for the answer.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    /// Notes where the request has gone.
    pub(super) fn enter(&self, slot: &Rc<Slot>) {
        *self.slot.borrow_mut() = Rc::downgrade(slot);
    }

    /// Takes something the worker said other than body bytes.
    pub(super) fn say(&self, event: Event) {
        let mut state = self.state.borrow_mut();
        if state.ending.is_some() {
            // The request was given to another slot meanwhile; what this one says comes too late.
            return;
        }
        match event {
            Event::File(..) | Event::Upgrade(_) => state.last = Some(event),
            _ => state.heads.push_back(event),
        }
        wake(&mut state.reader);
    }

    /// Takes body bytes.
    pub(super) fn push(self: &Rc<Self>, bytes: Bytes) {
        if self.is_abandoned() || self.state.borrow().ending.is_some() {
            return;
        }
        self.state.borrow_mut().buffer.push(bytes);
        self.spill();
        wake(&mut self.state.borrow_mut().reader);
    }

    /// Ends the exchange. What is buffered is still delivered.
    pub fn end(&self, ending: Ending) {
        let mut state = self.state.borrow_mut();
        state.ending.get_or_insert(ending);
        wake(&mut state.reader);
    }

    /// Waits while more is buffered than should be.
    pub(super) async fn room(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if self.is_abandoned() || !state.buffer.is_overfull() || state.ending.is_some() {
                return Poll::Ready(());
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn spill(self: &Rc<Self>) {
        let Some(write) = self.state.borrow_mut().buffer.take_write() else { return };
        let exchange = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let result = tokio::task::spawn_blocking(|| write.run()).await.map_err(std::io::Error::other).flatten();
            match result {
                Ok((file, length)) => {
                    exchange.state.borrow_mut().buffer.written(file, length);
                    exchange.spill();
                    let mut state = exchange.state.borrow_mut();
                    wake(&mut state.reader);
                    wake(&mut state.writer);
                }
                Err(error) => {
                    tracing::error!("a response could not be buffered on disk: {error}");
                    let mut state = exchange.state.borrow_mut();
                    state.ending = Some(Ending::Unbuffered(Rc::new(error)));
                    state.buffer.clear();
                    wake(&mut state.reader);
                    wake(&mut state.writer);
                }
            }
        });
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The handle of the task that waits for the answer.
pub struct Session(Rc<Exchange>);

impl Session {
    /// Wraps the exchange that was given to the pool.
    #[must_use]
    pub fn new(exchange: Rc<Exchange>) -> Self {
        Self(exchange)
    }

    /// Waits for what comes next. After [`Event::End`] it says the same again.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| {
            let mut state = self.0.state.borrow_mut();
            if let Some(event) = state.heads.pop_front() {
                return Poll::Ready(event);
            }
            if let Some(chunk) = state.buffer.pop() {
                wake(&mut state.writer);
                return Poll::Ready(Event::Chunk(chunk));
            }
            if state.buffer.is_empty() {
                if let Some(event) = state.last.take() {
                    return Poll::Ready(event);
                }
                if let Some(ending) = &state.ending {
                    return Poll::Ready(Event::End(ending.clone()));
                }
            }
            if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                state.reader = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// The rest of the body, if the answer is complete and all of it is in memory and at most `limit` bytes; then the
    /// whole response can leave in one write.
    pub fn take_rest(&mut self, limit: usize) -> Option<Vec<Bytes>> {
        let mut state = self.0.state.borrow_mut();
        let complete = state.heads.is_empty() && state.last.is_none() && matches!(state.ending, Some(Ending::Complete));
        complete.then(|| state.buffer.take_all(limit)).flatten()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let exchange = &self.0;
        exchange.abandoned.set(true);
        let is_answered = {
            let mut state = exchange.state.borrow_mut();
            wake(&mut state.writer);
            matches!(state.ending, Some(Ending::Complete | Ending::Cancelled))
        };
        if !is_answered && let Some(slot) = exchange.slot.borrow().upgrade() {
            slot.cancel(exchange);
        }
    }
}

#[cfg(test)]
mod tests {
    use passenger_native::frame::{Kind, header};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_that_comes_after_the_request_was_moved_is_dropped() {
        let request = Request { frame: Vec::new(), body: None, is_safe: true, route: 1 };
        let exchange = Exchange::new(Rc::new(request), Path::new("/tmp").into());
        let mut session = Session::new(Rc::clone(&exchange));
        exchange.end(Ending::Lost { repeatable: true });
        exchange.say(Event::Head { frame: header(Kind::Response, 1), payload: Bytes::new() });
        exchange.push(Bytes::from_static(b"late"));
        exchange.end(Ending::Complete);
        assert!(matches!(session.next().await, Event::End(Ending::Lost { repeatable: true })));
    }
}
