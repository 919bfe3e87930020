//! One application process that serves.
//!
//! ```text
//!            enough requests, restart, stop,         last answer
//!            a channel ended or is not read        or deadline: cut
//!   Serving ───────────────────────────────▶ Leaving ───────────▶ Asked ──▶ Gone
//!      │                                        │ ╰─────╮           │ deadline: killed
//!      └─────────────────── died ───────────────┴───────│───────────┴─────▶ Gone
//!                                                       ╰─▶ Promoting ──▶ Promoted
//! ```
//! Serving: the group routes to it. Leaving: it finishes what it has. Asked: its channels were ended, so it closes its
//! WebSockets, runs its shutdown hooks and exits. Gone: its process group has been killed, and the group forgets it. Another
//! end is to become a preloader ([`super::promotion`]).

use std::cell::{Cell, OnceCell};
use std::cmp::Reverse;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::{Rc, Weak};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::socket::Shutdown;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::capacity::Permit;
use super::exchange::Request;
use super::group::{Group, OobWork};
use super::load::{Load, Vacancy};
use super::promotion::Promotion;
use super::slot::Slot;
use super::snapshot::{WorkerState, WorkerStatus};
use super::turn::Turn;
use crate::spawn::{Channel, Process, WorkerProcess};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Serving,
    Leaving,
    Promoting,
    Promoted,
    Asked,
    Gone,
}

/// The most slots of a worker that count; an option says the same of `threads`.
const MOST_SLOTS: u32 = u128::BITS;

/// A worker. Its group owns it.
pub struct Worker {
    pub(super) process: Rc<Process>,
    /// Closing it tells the process that the agent is gone.
    pub(super) control: Rc<Channel>,
    /// Each of its slots serves many requests at the same time.
    multiplexed: bool,
    slots: OnceCell<Vec<Rc<Slot>>>,
    /// What it has to do, and which slots have nothing to do: a bit each.
    load: Cell<Load>,
    free: Cell<u128>,
    /// Its place in the group's roster, while it serves.
    place: Cell<Option<usize>>,
    /// By which the cookies of sticky sessions name it: random, and never 0.
    number: u32,
    pub(super) group: Weak<Group>,
    pub(super) state: Cell<State>,
    /// It is to become a preloader when it has no requests any more; who is told how that ends.
    pub(super) promotion: Cell<Option<Promotion>>,
    started: Instant,
    handled: Cell<u64>,
    /// Its room in the pool, until it is gone.
    pub(super) permit: Cell<Option<Permit>>,
    /// When it last answered, by the pool's clock.
    last_used: Cell<u64>,
    /// When it was first seen idle, having answered this many.
    seen_idle: Cell<Option<(u64, Instant)>>,
    /// It leaves to make room for another group's.
    evicted: Cell<bool>,
    /// It began to leave by itself.
    departs: Cell<bool>,
    /// After how many requests it is replaced; 0 for never.
    lifetime: u64,
    /// When it was found to hang.
    condemned: Cell<Option<Instant>>,
    oob_work: Cell<OobWork>,
    /// Dropped when the out-of-band work that it does is over.
    oob_work_round: Cell<Option<oneshot::Sender<()>>>,
}

impl Worker {
    /// Takes over a process that is ready, and starts to read its answers.
    ///
    /// # Errors
    /// When its channels can't be registered with the event loop; the process is ended then.
    pub fn adopt(
        process: WorkerProcess,
        group: &Rc<Group>,
        turn: &Rc<Turn>,
        permit: Permit,
    ) -> std::io::Result<Rc<Self>> {
        let WorkerProcess { process, control, channels, multiplexed } = process;
        let worker = Rc::new(Self {
            process: Rc::new(process),
            control: Rc::new(control),
            multiplexed,
            slots: OnceCell::new(),
            load: Cell::default(),
            free: Cell::new(0),
            place: Cell::new(None),
            // A hasher has new random keys each time.
            number: (RandomState::new().build_hasher().finish() as u32).max(1),
            group: Rc::downgrade(group),
            state: Cell::new(State::Serving),
            promotion: Cell::new(None),
            started: Instant::now(),
            handled: Cell::new(0),
            permit: Cell::new(Some(permit)),
            last_used: Cell::new(0),
            seen_idle: Cell::new(None),
            evicted: Cell::new(false),
            departs: Cell::new(false),
            lifetime: group.config().lifetime(),
            condemned: Cell::new(None),
            oob_work: Cell::new(OobWork::None),
            oob_work_round: Cell::new(None),
        });
        let slots: std::io::Result<Vec<_>> = channels
            .into_iter()
            .zip(0..MOST_SLOTS)
            .map(|(channel, number)| Slot::new(channel, number, multiplexed, Rc::downgrade(&worker), Rc::clone(turn)))
            .collect();
        for slot in worker.slots.get_or_init(|| slots.unwrap_or_default()) {
            tokio::task::spawn_local(Rc::clone(slot).run());
            worker.free.set(worker.free.get() | 1 << slot.number());
        }
        if worker.slots().is_empty() {
            return Err(std::io::Error::other("the worker's channels can't be watched"));
        }
        tokio::task::spawn_local(Rc::clone(&worker).watch());
        Ok(worker)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid.as_raw()
    }

    /// Its control channel.
    pub(super) fn control(&self) -> &Channel {
        &self.control
    }

    /// Its slots.
    #[must_use]
    pub fn slots(&self) -> &[Rc<Slot>] {
        self.slots.get().map_or(&[], Vec::as_slice)
    }

    /// Whether it serves many requests at the same time.
    #[must_use]
    pub fn is_multiplexed(&self) -> bool {
        self.multiplexed
    }

    /// How good it is for a request that is to be served at once; `None` when it can't. `most` is how many requests it may
    /// have at the same time; 0 for any number.
    pub(super) fn vacancy(&self, most: usize) -> Option<Vacancy> {
        let load = self.load.get();
        let is_any_free = self.multiplexed || self.free.get() != 0;
        (is_any_free && !self.is_full(most)).then(|| Vacancy {
            requests: Reverse(self.concurrent()),
            websockets: Reverse(load.websockets),
            last_used: self.last_used(),
        })
    }

    /// Whether it has as many requests at the same time as it may have.
    pub(super) fn is_full(&self, most: usize) -> bool {
        most != 0 && self.concurrent() >= most
    }

    /// How many requests it serves at the same time; those that stand behind others do not count.
    fn concurrent(&self) -> usize {
        if self.multiplexed { self.load.get().requests } else { self.load.get().busy }
    }

    /// The slot that a request should have that is to be served at once.
    pub(super) fn free_slot(&self) -> Option<&Rc<Slot>> {
        if self.multiplexed {
            // There is more than one only if somebody gave it threads, too.
            return self.slots().iter().filter(|slot| slot.is_free()).min_by_key(|slot| slot.load().requests);
        }
        self.slots().get(self.free.get().trailing_zeros() as usize)
    }

    /// By which the cookies of sticky sessions name it.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Its place in the group's roster.
    pub(super) fn place(&self) -> &Cell<Option<usize>> {
        &self.place
    }

    /// What one of its slots has to do has changed from `before`.
    pub(super) fn changed(&self, slot: &Slot, before: Load) {
        self.load.set(self.load.get().with(before, slot.load()));
        let bit = 1 << slot.number();
        let others = self.free.get() & !bit;
        self.free.set(if slot.is_free() { others | bit } else { others });
        if let Some(group) = self.group.upgrade() {
            group.rank(self, slot);
        }
    }

    /// Whether the group may route to it.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.state.get() == State::Serving
    }

    /// Requests it has answered, without health checks.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.handled.get()
    }

    /// A slot has given an answer, to which it took `micros`.
    pub(super) fn answered(self: &Rc<Self>, slot: &Slot, request: &Request, micros: u32) {
        self.handled.set(self.handled.get() + u64::from(!request.is_health_check));
        if let Some(group) = self.group.upgrade() {
            if !request.is_health_check {
                self.last_used.set(group.tick());
            }
            slot.changed();
            group.answered(self, request, micros);
        }
        self.leave_when_done();
    }

    /// It has one request less without having answered it: that has become a WebSocket.
    pub(super) fn has_place(self: &Rc<Self>) {
        if let Some(group) = self.group.upgrade() {
            group.feed(Some(self.number()));
        }
        self.leave_when_done();
    }

    /// When it last answered, by the pool's clock.
    pub(super) fn last_used(&self) -> u64 {
        self.last_used.get()
    }

    /// Whether it serves nobody.
    pub(super) fn is_idle(&self) -> bool {
        self.is_serving() && self.load().is_nothing() && self.oob_work.get() == OobWork::None
    }

    /// Since when it serves nobody, as far as is known from asking this now and then.
    pub(super) fn idle_since(&self, now: Instant) -> Option<Instant> {
        let seen = self.seen_idle.get().filter(|(handled, _)| *handled == self.handled());
        let seen = self.is_idle().then(|| seen.unwrap_or((self.handled(), now)));
        self.seen_idle.set(seen);
        seen.map(|(_, since)| since)
    }

    /// How long it has been there.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// How much it has to do.
    pub(super) fn load(&self) -> Load {
        self.load.get()
    }

    /// Notes that it leaves to make room for another group's.
    pub(super) fn evict(&self) {
        self.evicted.set(true);
    }

    /// Whether it leaves to make room for another group's.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.get()
    }

    /// Takes no more requests, finishes what it has, exits.
    pub fn leave(self: &Rc<Self>) {
        if self.state.get() == State::Serving {
            self.state.set(State::Leaving);
        }
        self.leave_when_done();
        if self.state.get() == State::Leaving {
            self.after_shutdown_timeout(|worker, seconds| {
                let (pid, requests) = (worker.pid(), worker.load().requests);
                tracing::warn!("worker {pid} is to leave, but {requests} of its requests took more than {seconds} s; they are cut off");
                worker.cut_off();
            });
        }
    }

    fn leave_when_done(self: &Rc<Self>) {
        if self.state.get() == State::Leaving && self.load().busy == 0 {
            self.ask();
        }
    }

    /// Gives up the requests of a worker that is to leave.
    pub fn cut_off(self: &Rc<Self>) {
        if self.state.get() == State::Leaving {
            for slot in self.slots() {
                slot.cut_off();
            }
            self.promotion.take();
            self.ask();
        }
    }

    pub(super) fn ask(self: &Rc<Self>) {
        if let Some(promotion) = self.promotion.take() {
            return self.promote(promotion);
        }
        self.state.set(State::Asked);
        for slot in self.slots() {
            slot.end();
        }
        self.after_shutdown_timeout(|worker, seconds| {
            tracing::warn!("worker {} did not leave within {seconds} s of being asked; it is killed", worker.pid());
            worker.kill();
        });
    }

    /// Acts if it is still there, and as it is now, when the shutdown timeout is over.
    pub(super) fn after_shutdown_timeout(self: &Rc<Self>, act: impl FnOnce(&Rc<Self>, u64) + 'static) {
        let Some(patience) = self.group.upgrade().map(|group| group.config().shutdown_timeout) else {
            return self.kill();
        };
        let (worker, state) = (Rc::clone(self), self.state.get());
        tokio::task::spawn_local(async move {
            if timeout(patience, worker.process.ended()).await.is_err() && worker.state.get() == state {
                act(&worker, patience.as_secs());
            }
        });
    }

    /// Whether it has answered as many requests as it may.
    pub(super) fn has_had_its_time(&self) -> bool {
        self.lifetime != 0 && self.handled() >= self.lifetime && self.is_serving()
    }

    /// Since when it has not ended a request that was given up.
    pub(super) fn given_up_since(&self) -> Option<Instant> {
        self.slots().iter().filter_map(|slot| slot.given_up_since()).min()
    }

    /// Whether it has no other requests than those that were given up. Of a worker whose event loop hangs all hang.
    pub(super) fn has_only_given_up(&self) -> bool {
        let is_over = |slot: &Rc<Slot>| slot.load().requests == 0 || slot.given_up_since().is_some();
        self.multiplexed || self.slots().iter().all(is_over)
    }

    /// How far it is with its out-of-band work.
    pub(super) fn oob_work(&self) -> &Cell<OobWork> {
        &self.oob_work
    }

    /// The application has asked for out-of-band work.
    pub(super) fn wants_oob_work(&self) {
        if self.oob_work.get() == OobWork::None {
            self.oob_work.set(OobWork::Wanted);
        }
        if let Some(group) = self.group.upgrade() {
            group.keep_up_oob_work();
        }
    }

    /// It is to do its out-of-band work now; returns what ends when that is over, or the worker gone.
    pub(super) fn oob_work_begins(&self) -> oneshot::Receiver<()> {
        let (round, over) = oneshot::channel();
        self.oob_work_round.set(Some(round));
        over
    }

    /// The process has done its out-of-band work.
    pub(super) fn oob_work_done(self: &Rc<Self>) {
        self.oob_work_round.take();
        if let Some(group) = self.group.upgrade() {
            group.oob_work_done(self);
        }
    }

    /// Notes that it hangs.
    pub(super) fn condemn(&self) {
        self.condemned.set(Some(Instant::now()));
    }

    /// When it was found to hang.
    pub(super) fn condemned_at(&self) -> Option<Instant> {
        self.condemned.get()
    }

    /// Sends a signal to its process alone; false if that is gone.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        self.process.signal(signal)
    }

    /// Ends it and everything in its process group at once.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// A channel has ended. Others may still bring answers.
    pub(super) fn slot_closed(self: &Rc<Self>) {
        self.departs();
        self.leave_when_done();
    }

    /// It takes no more requests: it leaves by itself, or is gone.
    pub(super) fn departs(self: &Rc<Self>) {
        if self.is_serving()
            && let Some(group) = self.group.upgrade()
        {
            self.departs.set(true);
            group.retire(self);
            group.keep_up(false);
        }
    }

    async fn watch(self: Rc<Self>) {
        tokio::select! {
            biased;
            // What it said last is heard before its end is noticed.
            () = self.listen() => return self.hand_over(),
            () = self.process.ended() => {}
        }
        // What it said before it ended is still in the channels and is read to their end.
        for slot in self.slots() {
            slot.shut_down(Shutdown::Both);
        }
        self.gone();
    }

    fn gone(self: &Rc<Self>) {
        let before = self.state.replace(State::Gone);
        if before == State::Gone {
            return;
        }
        self.promotion.take();
        self.oob_work_round.take();
        // Children that it left behind belong to its process group and go with it.
        self.kill();
        for slot in self.slots() {
            slot.shut_down(Shutdown::Both);
        }
        if let Some(permit) = self.permit.take() {
            permit.give_back(self.is_evicted());
        }
        if let Some(group) = self.group.upgrade() {
            group.forget(self, before == State::Serving);
        }
    }

    /// Logs how it ended.
    pub(super) fn report_exit(self: &Rc<Self>, unexpected: bool) {
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let (pid, handled, departs) = (worker.pid(), worker.handled(), worker.departs.get());
            let exit = worker.process.exit().await;
            if departs && exit.is_success() {
                tracing::info!("worker {pid} has left by itself after {handled} requests");
            } else if unexpected || departs {
                tracing::warn!("worker {pid} {exit} unexpectedly after {handled} requests");
            } else {
                tracing::debug!("worker {pid} {exit} after {handled} requests");
            }
        });
    }

    /// What `passenger status` shows; `most` is how many requests it may have at the same time.
    #[must_use]
    pub fn status(&self, most: usize) -> WorkerStatus {
        let Load { requests: sessions, websockets, .. } = self.load();
        let state = match self.state.get() {
            State::Serving if self.oob_work.get() == OobWork::Working => WorkerState::OobWork,
            State::Serving if sessions == 0 => WorkerState::Ready,
            State::Serving => WorkerState::Busy,
            _ => WorkerState::Draining,
        };
        let pid = self.pid().unsigned_abs();
        let running_since = self.slots().iter().filter_map(|slot| slot.running_since()).min();
        WorkerStatus {
            pid,
            state,
            slots: match self.slots().len() {
                _ if self.multiplexed => most,
                slots if most == 0 => slots,
                slots => slots.min(most),
            },
            sessions,
            websockets,
            handled: self.handled(),
            uptime_seconds: self.age().as_secs(),
            longest_request_seconds: running_since.map(|since| since.elapsed().as_secs()),
            private_memory_bytes: None,
            proportional_memory_bytes: None,
        }
    }
}
