//! A request and its answer: what the request's task, the queue and the slot share.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::future::poll_fn;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{HEADER_LEN, Header};
use passenger_native::request;
use tokio::time::Instant;

use super::service_times::Route;
use super::session::{Ending, Event};
use super::slot::Slot;
use super::worker::Worker;
use crate::buffer::Buffer;

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
    /// Whether it is a WebSocket handshake (RFC 6455, 4.2.1).
    pub is_websocket: bool,
    /// Whether it asks for the application's health, and so must not wait behind others or count as one.
    pub is_health_check: bool,
}

impl Request {
    /// Method and path, for the log: without the query, as that may hold what nobody should read there.
    ///
    /// # Errors
    /// When the frame is not what it should be.
    pub fn summary(&self) -> Result<String, ProtocolError> {
        let header = Header::decode(&self.frame)?.ok_or(ProtocolError::Truncated("the frame header"))?;
        let line = request::decode(&header, &self.frame[HEADER_LEN..])?.line;
        let path = line.target.split(|&byte| byte == b'?').next().unwrap_or_default();
        Ok(format!("{} {}", line.method.escape_ascii(), path.escape_ascii()))
    }
}

struct State {
    heads: VecDeque<Event>,
    buffer: Buffer,
    /// A file or upgrade that comes after what is buffered.
    last: Option<Event>,
    ending: Option<Ending>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Bytes for which the worker gets no credit before less is buffered.
    held_back: usize,
}

/// What a request's task, the queue and the slot share.
pub struct Exchange {
    request: Rc<Request>,
    state: RefCell<State>,
    abandoned: Cell<bool>,
    slot: RefCell<Weak<Slot>>,
    /// Its stream in the slot is over, and the number will be another's.
    is_over: Cell<bool>,
    stream: Cell<u32>,
    /// When it was given to a slot.
    began: Cell<Option<Instant>>,
    /// With sticky sessions: the number of the worker it should go to, 0 for any; then of the one it has gone to.
    sticks_to: Cell<Option<u32>>,
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
            held_back: 0,
        };
        Rc::new(Self {
            request,
            state: RefCell::new(state),
            abandoned: Cell::new(false),
            slot: RefCell::new(Weak::new()),
            is_over: Cell::new(false),
            stream: Cell::new(0),
            began: Cell::new(None),
            sticks_to: Cell::new(None),
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

    /// With sticky sessions: the number of the worker that it should go to, 0 for any.
    pub fn stick_to(&self, number: Option<u32>) {
        self.sticks_to.set(number);
    }

    /// The number of the worker that it should go to, or has gone to; 0 for any.
    pub(super) fn sticks_to(&self) -> Option<u32> {
        self.sticks_to.get()
    }

    /// Notes where the request has gone.
    pub(super) fn enter(&self, slot: &Rc<Slot>, stream: u32) {
        if self.sticks_to.get().is_some() {
            self.sticks_to.set(slot.worker().map(|worker| worker.number()));
        }
        *self.slot.borrow_mut() = Rc::downgrade(slot);
        self.stream.set(stream);
    }

    /// Notes when it was given to a slot.
    pub(super) fn begin(&self, now: Instant) {
        self.began.set(Some(now));
    }

    /// When it was given to a slot.
    pub(super) fn began(&self) -> Option<Instant> {
        self.began.get()
    }

    /// Where it has gone, and its stream there.
    pub(super) fn place(&self) -> Option<(Rc<Slot>, u32)> {
        if self.is_over.get() {
            return None;
        }
        Some((self.slot.borrow().upgrade()?, self.stream.get()))
    }

    /// The worker that has it, or had.
    pub(super) fn worker(&self) -> Option<Rc<Worker>> {
        self.slot.borrow().upgrade()?.worker()
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
        if matches!(ending, Ending::Complete | Ending::Cancelled) {
            self.is_over.set(true);
        }
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

    /// Whether credit for `bytes` that were pushed must wait, because more is buffered than should be.
    pub(super) fn holds_back(&self, bytes: usize) -> bool {
        let mut state = self.state.borrow_mut();
        let holds = !self.is_abandoned() && state.ending.is_none() && state.buffer.is_overfull();
        state.held_back += if holds { bytes } else { 0 };
        holds
    }

    /// Lets the worker go on, if it was held back and less is buffered now.
    fn release(&self) {
        let mut state = self.state.borrow_mut();
        wake(&mut state.writer);
        if state.held_back > 0 && !state.buffer.is_overfull() {
            let bytes = std::mem::take(&mut state.held_back);
            drop(state);
            if let Some((slot, stream)) = self.place() {
                slot.dispose(stream, bytes);
            }
        }
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
                    wake(&mut exchange.state.borrow_mut().reader);
                    exchange.release();
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

    /// What comes next for the session.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Event> {
        let mut state = self.state.borrow_mut();
        if let Some(event) = state.heads.pop_front() {
            return Poll::Ready(event);
        }
        if let Some(chunk) = state.buffer.pop() {
            drop(state);
            self.release();
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
    }

    /// See [`super::session::Session::take_rest`].
    pub(super) fn take_rest(&self, limit: usize) -> Option<Vec<Bytes>> {
        let mut state = self.state.borrow_mut();
        let complete = state.heads.is_empty() && state.last.is_none() && matches!(state.ending, Some(Ending::Complete));
        complete.then(|| state.buffer.take_all(limit)).flatten()
    }

    /// Nobody waits for the answer any more; whatever comes is dropped.
    pub(super) fn abandon(&self) {
        self.abandoned.set(true);
        let mut state = self.state.borrow_mut();
        wake(&mut state.writer);
        let is_answered = matches!(state.ending, Some(Ending::Complete | Ending::Cancelled));
        drop(state);
        if !is_answered && let Some((slot, stream)) = self.place() {
            slot.cancel(stream);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
