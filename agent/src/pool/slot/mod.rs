//! The agent's end of a data channel: one unit of concurrency in a worker, or, if that has said so, of many.
//!
//! ```text
//!   dispatch ──▶ in flight ──▶ outlet ──(end of the turn)──▶ worker
//!                    ▲                                          │
//!   exchange ◀───────┴──────────────── run ◀────────────────────┘
//! ```
//! [`ordered`] holds requests that are answered one after the other, [`streams`] those that are answered all at once.

mod credit;
mod messages;
mod ordered;
mod outlet;
mod overdue;
mod reading;
mod streams;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};

use nix::sys::socket::Shutdown;
use passenger_native::frame::{Kind, UPGRADE};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::exchange::Exchange;
use super::load::{Load, Outlook};
use super::session::Ending;
use super::turn::Turn;
use super::worker::Worker;
use crate::sys;
use ordered::Queue;
use outlet::Outlet;
use streams::Streams;

/// A multiplexed worker with more requests than this has enough to do.
pub const CROWDED: usize = 10;

/// The requests that are in the worker or on their way to it.
enum InFlight {
    Ordered(Queue),
    Multiplexed(Streams),
}

/// A slot. Its worker owns it; what reads it is [`Slot::run`].
pub struct Slot {
    channel: AsyncFd<OwnedFd>,
    /// Which of its worker's it is.
    number: u32,
    /// Its place in the group's roster, while its worker serves.
    place: Cell<Option<usize>>,
    /// What it has to do, as its worker knows it.
    load: Cell<Load>,
    outlet: RefCell<Outlet>,
    in_flight: RefCell<InFlight>,
    closed: Cell<bool>,
    /// The kernel has said that the worker left something unread.
    reset: Cell<bool>,
    worker: Weak<Worker>,
    turn: Rc<Turn>,
}

impl Slot {
    /// Wraps the agent's end of a data channel, the worker's `number`th.
    ///
    /// # Errors
    /// When it can't be registered with the event loop.
    pub fn new(
        channel: OwnedFd,
        number: u32,
        multiplexed: bool,
        worker: Weak<Worker>,
        turn: Rc<Turn>,
    ) -> io::Result<Rc<Self>> {
        // Interest in writing would wake the agent whenever the worker merely reads.
        let channel = sys::watch::register(channel, Interest::READABLE)?;
        let in_flight = match multiplexed {
            true => InFlight::Multiplexed(Streams::default()),
            false => InFlight::Ordered(Queue::default()),
        };
        Ok(Rc::new(Self {
            channel,
            number,
            place: Cell::new(None),
            load: Cell::default(),
            outlet: RefCell::default(),
            in_flight: RefCell::new(in_flight),
            closed: Cell::new(false),
            reset: Cell::new(false),
            worker,
            turn,
        }))
    }

    /// The worker, while it exists.
    #[must_use]
    pub fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.upgrade()
    }

    /// Which of its worker's it is.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Its place in the group's roster.
    pub(super) fn place(&self) -> &Cell<Option<usize>> {
        &self.place
    }

    /// What is in the worker or on its way to it.
    pub(super) fn load(&self) -> Load {
        self.load.get()
    }

    /// Tells the worker and the group what has changed.
    pub(super) fn changed(&self) {
        let (requests, websockets) = match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => (queue.len(), 0),
            InFlight::Multiplexed(streams) => (streams.requests(), streams.websockets()),
        };
        let before = self.load.replace(Load { busy: usize::from(requests > 0), requests, websockets });
        if let Some(worker) = self.worker() {
            worker.changed(self, before);
        }
    }

    /// Whether a request would be served at once.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !self.closed.get()
            && match &*self.in_flight.borrow() {
                InFlight::Ordered(queue) => queue.len() == 0,
                InFlight::Multiplexed(streams) => streams.has_place(),
            }
    }

    /// Whether another worker could serve a further request sooner.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => queue.len() > 0,
            InFlight::Multiplexed(streams) => streams.requests() > CROWDED,
        }
    }

    /// How long requests would wait here behind those that are there.
    pub(super) fn outlook(&self) -> Outlook {
        match &*self.in_flight.borrow() {
            _ if self.closed.get() => Outlook::default(),
            InFlight::Ordered(queue) => queue.outlook(),
            InFlight::Multiplexed(streams) => streams.outlook(),
        }
    }

    /// Whether the worker has answered so lately that it is still awake.
    pub(super) fn is_prompt(&self) -> bool {
        match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => queue.is_prompt(),
            InFlight::Multiplexed(streams) => streams.is_prompt(),
        }
    }

    /// Whether the request that is being served takes long after all.
    pub(super) fn is_late(&self) -> bool {
        match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => queue.is_late(),
            InFlight::Multiplexed(_) => false,
        }
    }

    /// Sends a request. `expected` is how long it will take in microseconds, if it is known to be short.
    pub fn dispatch(self: &Rc<Self>, exchange: Rc<Exchange>, expected: Option<u32>) {
        let mut flags = 0;
        let stream = match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(queue) => {
                let stream = queue.push(Rc::clone(&exchange), expected);
                if queue.needs_watch() {
                    tokio::task::spawn_local(Rc::clone(self).watch_queue());
                }
                stream
            }
            InFlight::Multiplexed(streams) => {
                if exchange.request().is_websocket {
                    flags |= UPGRADE;
                }
                streams.insert(Rc::clone(&exchange), expected)
            }
        };
        exchange.enter(self, stream);
        exchange.begin(self.turn.now());
        self.outlet.borrow_mut().request(exchange.request(), stream, flags);
        self.flush_later();
        self.changed();
    }

    /// Sends those elsewhere that stand behind a request which takes long after all. All of them are safe, and the worker
    /// skips what it finds cancelled.
    async fn watch_queue(self: Rc<Self>) {
        loop {
            tokio::time::sleep(ordered::STUCK).await;
            let InFlight::Ordered(queue) = &mut *self.in_flight.borrow_mut() else { return };
            if !queue.goes_on_watching() {
                return;
            }
            for exchange in queue.stuck() {
                // Its task gives it to the pool again and drops the session, which cancels it here.
                exchange.end(Ending::Moved);
            }
        }
    }

    /// Tells the worker that nobody waits for an answer any more.
    pub(super) fn cancel(self: &Rc<Self>, stream: u32) {
        let (tell, credit) = match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(queue) => (queue.contains(stream), None),
            InFlight::Multiplexed(streams) => (streams.finish(stream), streams.dispose_all(stream)),
        };
        self.give_credit(stream, credit);
        if tell {
            self.outlet.borrow_mut().signal(Kind::Cancel, stream, 0);
            self.flush_later();
        }
    }

    /// Gives up the requests of a worker that is to leave: their clients hear of it, those that it has not begun with go to
    /// another.
    pub(super) fn cut_off(self: &Rc<Self>) {
        let (served, behind) = match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => (queue.front_stream().into_iter().zip(queue.front()).collect(), queue.behind()),
            InFlight::Multiplexed(streams) => (streams.all_requests(), Vec::new()),
        };
        let is_endless = !served.is_empty() && matches!(&*self.in_flight.borrow(), InFlight::Ordered(_));
        for (stream, exchange) in served {
            self.cancel(stream);
            exchange.end(Ending::Closing);
        }
        for exchange in behind {
            exchange.end(Ending::Moved);
        }
        if is_endless {
            // Its worker looks for no Cancel before it has answered; it hears of this by an error.
            self.shut_down(Shutdown::Both);
        }
    }

    fn flush_later(self: &Rc<Self>) {
        if self.outlet.borrow_mut().wants_flush() {
            self.turn.flush_later(Rc::clone(self));
        }
    }

    /// Sends what has gathered; returns how many requests were among it. A worker that is gone is noticed by the reading
    /// side.
    pub(super) fn flush(self: &Rc<Self>) -> usize {
        if self.closed.get() {
            return 0;
        }
        let sent = self.outlet.borrow_mut().flush(self.channel.as_fd());
        if sent.blocked {
            tokio::task::spawn_local(Rc::clone(self).flush_when_writable());
        }
        let requests = match &mut *self.in_flight.borrow_mut() {
            _ if !sent.some => 0,
            InFlight::Ordered(queue) => queue.mark_sent(),
            InFlight::Multiplexed(streams) => streams.mark_sent(),
        };
        if let Some(error) = sent.error {
            self.stop_sending(&error);
        }
        requests
    }

    /// The worker reads no more: it leaves by itself, or is gone. What it has read it may still answer; what it has not
    /// goes to another. (If it is not the worker but the kernel that lacks memory, a new worker helps, too.)
    fn stop_sending(self: &Rc<Self>, error: &io::Error) {
        tracing::debug!("sending to a worker: {error}");
        // Told once: whoever reads would not hear it any more.
        self.reset.set(self.reset.get() || error.kind() == io::ErrorKind::ConnectionReset);
        self.shut_down(Shutdown::Write);
        let unsent = match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(queue) => queue.take_unsent(),
            InFlight::Multiplexed(streams) => {
                streams.expect_no_credit();
                streams.take_unsent()
            }
        };
        for exchange in unsent {
            exchange.end(Ending::Lost { repeatable: true });
        }
        self.changed();
        if let Some(worker) = self.worker() {
            worker.departs();
        }
    }

    /// Whether nothing can come from it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
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
        self.outlet.borrow_mut().unblock();
        self.flush();
        if !self.outlet.borrow().is_choked()
            && let InFlight::Multiplexed(streams) = &mut *self.in_flight.borrow_mut()
        {
            streams.wake_senders();
        }
    }

    /// Asks the worker to leave when it has answered what it has, and closed its WebSockets.
    pub fn end(self: &Rc<Self>) {
        self.flush();
        if let InFlight::Multiplexed(streams) = &mut *self.in_flight.borrow_mut() {
            streams.expect_no_credit();
        }
        self.shut_down(Shutdown::Write);
    }

    /// Ends one or both directions of the channel.
    pub fn shut_down(&self, how: Shutdown) {
        self.outlet.borrow_mut().end();
        sys::socket::shut_down(&self.channel, how);
    }
}
