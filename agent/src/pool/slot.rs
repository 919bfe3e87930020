//! One unit of concurrency in a worker: the agent's end of a data channel.
//!
//! Requests go out in order and are answered in order. Frames to send gather until the end of the turn.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::socket::Shutdown;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{self, Header, Kind};
use passenger_native::outbox::Outbox;
use passenger_native::response::FileRange;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::inbox::{Inbox, Received};
use super::session::{Ending, Event, Exchange};
use super::turn::Turn;
use super::worker::Worker;
use crate::sys;

/// Requests are queued ahead while the last of them would wait less than this, in microseconds…
const AHEAD_MICROS: u32 = 1000;
/// …and while there are fewer than this.
const AHEAD_COUNT: usize = 32;
/// Nothing is put behind a request that was expected to be short and has been served for longer than this.
const LATE: Duration = Duration::from_millis(5);
/// What stands behind one that is served for longer than this goes to another slot.
const STUCK: Duration = Duration::from_millis(50);

/// A descriptor that travels with a frame; shared because a request may have to be sent again.
struct Attachment(Rc<File>);

impl AsFd for Attachment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

struct InFlight {
    stream: u32,
    exchange: Rc<Exchange>,
    /// How long it will probably take in microseconds, when it is known to be short.
    expected: Option<u32>,
    /// Some of its frame may be in the channel.
    sent: bool,
}

#[derive(Default)]
struct State {
    outbox: Outbox<Attachment>,
    in_flight: VecDeque<InFlight>,
    /// Since when the first of them is at the front, and whether its body is on its way.
    front_since: Option<Instant>,
    streaming: bool,
    /// A task looks after those that stand behind the first.
    watched: bool,
    last_stream: u32,
    /// Frames wait for the end of the turn.
    dirty: bool,
    /// The channel is full; a task waits for room.
    blocked: bool,
    closed: bool,
}

/// A slot. Its worker owns it; what reads it is [`Slot::run`].
pub struct Slot {
    channel: AsyncFd<OwnedFd>,
    state: RefCell<State>,
    worker: Weak<Worker>,
    turn: Rc<Turn>,
}

impl Slot {
    /// Wraps the agent's end of a data channel.
    ///
    /// # Errors
    /// When it can't be registered with the event loop.
    pub fn new(channel: OwnedFd, worker: Weak<Worker>, turn: Rc<Turn>) -> io::Result<Rc<Self>> {
        // Interest in writing would wake the agent whenever the worker merely reads.
        let channel = sys::watch::register(channel, Interest::READABLE)?;
        Ok(Rc::new(Self { channel, state: RefCell::default(), worker, turn }))
    }

    /// The worker, while it exists.
    #[must_use]
    pub fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.upgrade()
    }

    /// Requests that are in the worker or on their way to it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state.borrow().in_flight.len()
    }

    /// Whether a request would be served at once.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let state = self.state.borrow();
        state.in_flight.is_empty() && !state.closed
    }

    /// How long a request that is put behind the others would wait, in microseconds; `None` when it must not be put
    /// there because one of them may take long.
    #[must_use]
    pub fn wait_behind(&self) -> Option<u32> {
        let state = self.state.borrow();
        let late = state.front_since.is_some_and(|since| since.elapsed() > LATE);
        if state.closed || state.streaming || late || state.in_flight.len() >= AHEAD_COUNT {
            return None;
        }
        let wait = state.in_flight.iter().try_fold(0_u32, |sum, ahead| sum.checked_add(ahead.expected?))?;
        (wait < AHEAD_MICROS).then_some(wait)
    }

    /// Sends a request. `expected` is how long it will take in microseconds, if it is known to be short.
    pub fn dispatch(self: &Rc<Self>, exchange: Rc<Exchange>, expected: Option<u32>) {
        exchange.enter(self);
        let mut state = self.state.borrow_mut();
        state.last_stream = state.last_stream.wrapping_add(1);
        let stream = state.last_stream;
        let request = exchange.request();
        if let Some(file) = &request.body {
            state.outbox.attach(Attachment(Rc::clone(file)));
        }
        let out = state.outbox.bytes();
        let at = out.len();
        out.extend_from_slice(&request.frame);
        out[at + 8..at + 12].copy_from_slice(&stream.to_le_bytes());
        if state.in_flight.is_empty() {
            state.front_since = Some(Instant::now());
        } else if !state.watched {
            state.watched = true;
            tokio::task::spawn_local(Rc::clone(self).watch_queue());
        }
        state.in_flight.push_back(InFlight { stream, exchange, expected, sent: false });
        self.flush_later(state);
    }

    /// Sends those elsewhere that stand behind a request which takes long after all. All of them are safe, and the worker
    /// skips what it finds cancelled.
    async fn watch_queue(self: Rc<Self>) {
        loop {
            tokio::time::sleep(STUCK).await;
            let mut state = self.state.borrow_mut();
            if state.in_flight.len() < 2 || state.closed {
                state.watched = false;
                return;
            }
            if state.front_since.is_none_or(|since| since.elapsed() < STUCK) {
                continue;
            }
            let behind: Vec<_> = state.in_flight.iter().skip(1).map(|entry| Rc::clone(&entry.exchange)).collect();
            drop(state);
            for exchange in behind {
                // Its task gives it to the pool again and drops the session, which cancels it here.
                exchange.end(Ending::Lost { repeatable: true });
            }
        }
    }

    /// Tells the worker that nobody waits for an answer any more.
    pub(super) fn cancel(self: &Rc<Self>, exchange: &Rc<Exchange>) {
        let mut state = self.state.borrow_mut();
        let Some(stream) =
            state.in_flight.iter().find(|entry| Rc::ptr_eq(&entry.exchange, exchange)).map(|entry| entry.stream)
        else {
            return;
        };
        let pushed = frame::push(state.outbox.bytes(), frame::header(Kind::Cancel, stream), &[]);
        debug_assert!(pushed.is_ok(), "an empty payload is never too long");
        self.flush_later(state);
    }

    fn flush_later(self: &Rc<Self>, mut state: std::cell::RefMut<'_, State>) {
        if !state.dirty && !state.blocked {
            state.dirty = true;
            drop(state);
            self.turn.flush_later(Rc::clone(self));
        }
    }

    /// Sends what has gathered; returns how many requests were among it. A worker that is gone is noticed by the reading
    /// side.
    pub(super) fn flush(self: &Rc<Self>) -> usize {
        let mut state = self.state.borrow_mut();
        state.dirty = false;
        if state.closed {
            return 0;
        }
        let before = state.outbox.pending();
        let result = state.outbox.flush(self.channel.as_fd(), &[], false);
        let mut sent = 0;
        if state.outbox.pending() < before {
            // Backwards, as those at the front were sent in earlier turns.
            for entry in state.in_flight.iter_mut().rev().take_while(|entry| !entry.sent) {
                entry.sent = true;
                sent += 1;
            }
        }
        match result {
            Ok(flushed) if !flushed.all => {
                state.blocked = true;
                tokio::task::spawn_local(Rc::clone(self).flush_when_writable());
            }
            Ok(_) => {}
            Err(error) => {
                // Usually it is gone. If the kernel lacks memory, only a new worker helps.
                tracing::debug!("sending to a worker: {error}");
                self.shut_down(Shutdown::Both);
            }
        }
        sent
    }

    async fn flush_when_writable(self: Rc<Self>) {
        // A descriptor of its own, so that only this wait is told of room in the channel.
        let writable = self.channel.get_ref().try_clone();
        let writable = writable.and_then(|copy| sys::watch::register(copy, Interest::WRITABLE));
        match writable {
            Ok(channel) => drop(channel.writable().await),
            Err(error) => {
                tracing::error!("can't wait for a worker to read: {error}");
                self.shut_down(Shutdown::Both);
            }
        }
        self.state.borrow_mut().blocked = false;
        self.flush();
    }

    /// Ends one or both directions of the channel. Ending the writing side asks the worker to leave when it has
    /// answered what it has.
    pub fn shut_down(&self, how: Shutdown) {
        sys::socket::shut_down(&self.channel, how);
    }

    /// Reads answers until the channel ends, which is how a worker's end is noticed first.
    pub async fn run(self: Rc<Self>) {
        let result = self.read_answers().await;
        let unread = match result {
            Ok(()) => false,
            // The kernel says so when the worker closed its end with bytes in it that it had not read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => true,
            Err(error) => {
                let pid = self.worker().map_or(0, |worker| worker.pid());
                tracing::error!("worker {pid} broke the protocol: {error}; it is replaced");
                false
            }
        };
        let lost = {
            let mut state = self.state.borrow_mut();
            state.closed = true;
            std::mem::take(&mut state.in_flight)
        };
        let last = lost.len().saturating_sub(1);
        for (index, entry) in lost.into_iter().enumerate() {
            // Frames are read in order: if something was unread, then the end of the last one was. Only safe requests
            // are queued behind others.
            let unseen = !entry.sent || (unread && index == last);
            entry.exchange.end(Ending::Lost { repeatable: unseen || index > 0 });
        }
        if let Some(worker) = self.worker() {
            worker.slot_closed();
        }
    }

    async fn read_answers(self: &Rc<Self>) -> io::Result<()> {
        let mut inbox = Inbox::new();
        loop {
            let mut guard = self.channel.readable().await?;
            match inbox.receive(self.channel.as_fd()) {
                Ok(Received::Closed) => return Ok(()),
                Ok(Received::All) => guard.clear_ready(),
                Ok(Received::More) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    guard.clear_ready();
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            drop(guard);
            while let Some((header, payload)) = inbox.next_frame()? {
                self.take(header, payload, &mut inbox)?;
            }
            let front = self.state.borrow().in_flight.front().map(|entry| Rc::clone(&entry.exchange));
            if let Some(exchange) = front {
                exchange.room().await;
            }
        }
    }

    fn take(self: &Rc<Self>, header: Header, payload: Bytes, inbox: &mut Inbox) -> Result<(), ProtocolError> {
        let exchange = {
            let state = self.state.borrow();
            let front = state.in_flight.front().filter(|entry| entry.stream == header.stream);
            Rc::clone(&front.ok_or(ProtocolError::Unexpected("answer to a request that is not being served"))?.exchange)
        };
        let is_end = header.is_end();
        match header.kind {
            Kind::Informational if !is_end => exchange.say(Event::Interim(header, payload)),
            Kind::Response => {
                self.state.borrow_mut().streaming = !is_end;
                exchange.say(Event::Head { frame: header, payload });
            }
            Kind::Data => exchange.push(payload),
            Kind::File if is_end => {
                let range = FileRange::decode(&payload)?;
                exchange.say(Event::File(inbox.take_descriptor()?, range));
            }
            Kind::Upgrade if is_end => exchange.say(Event::Upgrade(inbox.take_descriptor()?)),
            Kind::Cancel if is_end => {}
            _ => return Err(ProtocolError::Unexpected("frame")),
        }
        if is_end {
            exchange.end(if header.kind == Kind::Cancel { Ending::Cancelled } else { Ending::Complete });
            let mut state = self.state.borrow_mut();
            state.in_flight.pop_front();
            state.front_since = if state.in_flight.is_empty() { None } else { Some(Instant::now()) };
            state.streaming = false;
            drop(state);
            if let Some(worker) = self.worker() {
                worker.answered(exchange.request().route, header.value);
            }
        }
        Ok(())
    }
}
