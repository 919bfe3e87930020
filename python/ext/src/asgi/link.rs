//! A stream's way out: its frames leave while the agent's credit lasts and the channel takes them. What must wait waits
//! here, and so does who has sent it.
//!
//! ```text
//!     Open ── a part with END ──▶ Finished ── its frame is written ──▶ Ended
//!      │                              │                                  ▲
//!      │                              └─── the client is gone: Cancel ───┤
//!      └─── the client is gone ──▶ Lost ── give_up: Cancel ──────────────┘
//! ```

use std::collections::VecDeque;
use std::time::Instant;

use passenger_native::frame::{self, END, Header, INITIAL_WINDOW, Kind};
use pyo3::prelude::*;

use super::channel::Channel;
use super::outgoing::Part;
use crate::error::Disconnected;

/// How far the answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// More may be sent.
    Open,
    /// The last part was given; it may have to wait.
    Finished,
    /// Nobody wants what is sent. An END frame is owed.
    Lost,
    /// The frame with END is out.
    Ended,
}

/// The way out.
pub(crate) struct Link {
    channel: Py<Channel>,
    id: u32,
    started: Instant,
    state: State,
    credit: i64,
    queue: VecDeque<Part>,
    /// Parts given to `push`, and those of them that are out.
    given: u64,
    sent: u64,
    waiters: Waiters,
}

impl Link {
    /// Of the stream `id`, whose request has just been taken from the channel.
    pub(crate) fn new(channel: Py<Channel>, id: u32) -> Self {
        Self {
            channel,
            id,
            started: Instant::now(),
            state: State::Open,
            credit: i64::from(INITIAL_WINDOW),
            queue: VecDeque::new(),
            given: 0,
            sent: 0,
            waiters: Waiters::default(),
        }
    }

    /// The header of a frame within the stream.
    pub(crate) fn header(&self, kind: Kind) -> Header {
        frame::header(kind, self.id)
    }

    /// The header of the frame that ends the stream; the time is filled in when it is sent.
    pub(crate) fn end(&self, kind: Kind) -> Header {
        Header { flags: END, ..self.header(kind) }
    }

    /// Whether the application has said all, or it was given up.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished | State::Ended)
    }

    /// Whether the last frame is out.
    pub(crate) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether nobody wants what is sent any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Sends a part, or as much of it as may go now.
    ///
    /// # Errors
    /// `Disconnected`.
    pub(crate) fn push(&mut self, py: Python<'_>, mut part: Part, last: bool) -> PyResult<()> {
        let channel = self.channel.clone_ref(py);
        let mut channel = channel.bind(py).try_borrow_mut()?;
        if self.state != State::Open || channel.is_broken() {
            return Err(disconnected());
        }
        self.given += 1;
        if last {
            self.state = State::Finished;
        }
        if !self.queue.is_empty() || !self.write(py, &mut channel, &mut part) {
            self.queue.push_back(part);
        }
        channel.touch(py)
    }

    /// Sends what waits, as far as may be.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn pump(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let channel = self.channel.clone_ref(py);
        let mut channel = channel.bind(py).try_borrow_mut()?;
        let before = self.sent;
        while let Some(mut part) = self.queue.pop_front() {
            if !self.write(py, &mut channel, &mut part) {
                self.queue.push_front(part);
                break;
            }
        }
        if self.sent != before {
            self.waiters.wake(py)?;
        }
        channel.touch(py)
    }

    /// Writes a part while it may; returns whether all of it is out.
    fn write(&mut self, py: Python<'_>, channel: &mut Channel, part: &mut Part) -> bool {
        loop {
            if part.needs_credit() && self.credit <= 0 && !channel.is_deaf() {
                return false;
            }
            if !channel.takes(self.id) {
                return false;
            }
            let started = self.started;
            let written = part.write(py, channel.connection(), || microseconds(started));
            self.credit -= written.charge as i64;
            if written.end {
                self.state = State::Ended;
                channel.forget(self.id);
            }
            if written.all {
                self.sent += 1;
                return true;
            }
        }
    }

    /// The agent gives credit.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn grant(&mut self, py: Python<'_>, credit: u32) -> PyResult<()> {
        self.credit = self.credit.saturating_add(i64::from(credit));
        self.pump(py)
    }

    /// The client is gone: what waits is dropped, and who waits is told.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn lose(&mut self, py: Python<'_>) -> PyResult<()> {
        self.drop_queue(py, self.end(Kind::Cancel))?;
        if self.state != State::Ended {
            self.state = State::Lost;
        }
        Ok(())
    }

    /// Drops what waits, and tells who waits. If the last frame is among it, the stream ends with `end` instead, because
    /// the application may be through, and will not give it up again.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn drop_queue(&mut self, py: Python<'_>, end: Header) -> PyResult<()> {
        if self.state == State::Finished {
            return self.push_urgent(py, end);
        }
        self.queue.clear();
        self.waiters.wake(py)
    }

    /// Sends a frame that is not held up by what waits: Window, or what ends the stream early. With END, nothing follows.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn push_urgent(&mut self, py: Python<'_>, header: Header) -> PyResult<()> {
        let channel = self.channel.clone_ref(py);
        let mut channel = channel.bind(py).try_borrow_mut()?;
        let end = header.flags & END != 0;
        if end {
            self.queue.clear();
            self.state = State::Ended;
            channel.forget(self.id);
            self.waiters.wake(py)?;
        }
        if channel.is_broken() {
            return Ok(());
        }
        let value = if end { microseconds(self.started) } else { header.value };
        channel.connection().output().extend_from_slice(&Header { value, ..header }.encode());
        channel.touch(py)
    }

    /// How many parts were given, for [`Link::poll_sent`]; `None` when all of them are out.
    pub(crate) fn to_wait_for(&self) -> Option<u64> {
        (self.sent < self.given).then_some(self.given)
    }

    /// Whether the first `count` parts are out.
    ///
    /// # Errors
    /// `Disconnected` when they never will be.
    pub(crate) fn poll_sent(&self, count: u64) -> PyResult<bool> {
        match self.sent >= count {
            true => Ok(true),
            false if self.queue.is_empty() => Err(disconnected()),
            false => Ok(false),
        }
    }

    /// A future that is done when it is worth while to ask [`Link::poll_sent`] again.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn wait(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = self.future(py)?;
        self.waiters.add(py, &future)?;
        Ok(future)
    }

    /// A future of the channel's event loop, as a coroutine yields it.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.channel.bind(py).try_borrow()?.future(py)
    }
}

/// Futures that wait for the same thing.
#[derive(Default)]
pub(crate) struct Waiters(Vec<Py<PyAny>>);

impl Waiters {
    /// Adds one. Those that were cancelled meanwhile are dropped.
    ///
    /// # Errors
    /// What the futures raise.
    pub(crate) fn add(&mut self, py: Python<'_>, future: &Py<PyAny>) -> PyResult<()> {
        let mut waiting = Vec::with_capacity(self.0.len() + 1);
        for other in self.0.drain(..) {
            if !other.bind(py).call_method0(pyo3::intern!(py, "done"))?.is_truthy()? {
                waiting.push(other);
            }
        }
        waiting.push(future.clone_ref(py));
        self.0 = waiting;
        Ok(())
    }

    /// Wakes all of them.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn wake(&mut self, py: Python<'_>) -> PyResult<()> {
        for future in self.0.drain(..) {
            let future = future.bind(py);
            if !future.call_method0(pyo3::intern!(py, "done"))?.is_truthy()? {
                future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }
}

/// The exception for what nobody can receive.
pub(crate) fn disconnected() -> PyErr {
    Disconnected::new_err("the client is gone")
}

fn microseconds(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}
