//! How many workers there may be, and how many may be started at a time, of all groups together; and whose turn it is.
//!
//! ```text
//!             no room, or enough are being started       ready, or failed        gone
//!   group ──take──▶ in line ──offer, one at a time──▶ Permit ──▶ in its worker ──────▶ room for the next in line
//! ```
//! A permit is room for one worker, and until it is told [`Permit::started`] also leave to start one. Both are given to
//! those in line (`line.rs`) one at a time, in turn. When there is no room some worker may have to end (`eviction.rs`).
//!
//! **The limit.** There are never more permits than `max_pool_size` plus one. The one more is for a worker that takes the
//! place of another: in a restart, which asks for [`Capacity::extra`], or of a group's last worker while that
//! finishes what it has. Workers that leave count until they are gone, which
//! takes them `shutdown_timeout` at most.

mod auto;
mod eviction;
mod line;
mod permit;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use tokio::sync::{Mutex, Notify};

use super::group::Group;

pub use auto::Size;
pub use line::Need;
pub use permit::Permit;

use auto::Measured;
use line::Line;

/// What all groups of an instance share.
pub struct Capacity {
    size: Cell<Size>,
    /// What [`Size::Auto`] comes to.
    measured: Measured,
    limit: Cell<usize>,
    max_spawns: Cell<usize>,
    used: Cell<usize>,
    /// Permits whose worker is being started.
    starting: Cell<usize>,
    /// Workers that were asked to make room and are not gone.
    ending: Cell<usize>,
    groups: RefCell<Vec<Weak<Group>>>,
    line: Line,
    /// The next to ask has been called, so it need not stand in line.
    called: Cell<bool>,
    /// Those that wait by themselves for their turn to start a worker: boots and restarts. They go before the second line.
    waiting: Cell<usize>,
    turns: Mutex<()>,
    /// Counts answered requests; the clock by which workers are idle.
    clock: Cell<u64>,
    next_look: Cell<u64>,
    /// Something happened that [`Self::run`] must know…
    changed: Notify,
    /// …and those that wait by themselves.
    freed: Notify,
}

impl Capacity {
    /// Room for as many workers as `size` says, of which at most `max_spawns` are being started at a time.
    #[must_use]
    pub fn new(size: Size, max_spawns: usize) -> Rc<Self> {
        let measured = Measured::default();
        Rc::new(Self {
            limit: Cell::new(size.first_limit(&measured)),
            size: Cell::new(size),
            measured,
            max_spawns: Cell::new(max_spawns.max(1)),
            used: Cell::new(0),
            starting: Cell::new(0),
            ending: Cell::new(0),
            groups: RefCell::default(),
            line: Line::default(),
            called: Cell::new(false),
            waiting: Cell::new(0),
            turns: Mutex::new(()),
            clock: Cell::new(0),
            next_look: Cell::new(0),
            changed: Notify::new(),
            freed: Notify::new(),
        })
    }

    /// As [`Self::new`], from now on. If more workers serve than then may, some end; those that are being started do so when
    /// they are ready and others have their place ([`Self::is_taken`]).
    pub fn resize(&self, size: Size, max_spawns: usize) {
        let before = self.limit.get();
        self.max_spawns.set(max_spawns.max(1));
        if self.size.replace(size) != size {
            self.measured.forget();
            self.limit.set(size.first_limit(&self.measured));
        }
        if self.limit.get() < before {
            for _ in self.limit.get()..self.serving() {
                self.end_one_of_many();
            }
        }
        self.changed.notify_one();
        self.freed.notify_waiters();
    }

    /// Makes a group one of those that share.
    pub(super) fn join(&self, group: &Rc<Group>) {
        let mut groups = self.groups.borrow_mut();
        groups.retain(|group| group.strong_count() > 0);
        groups.push(Rc::downgrade(group));
    }

    fn members(&self) -> Vec<Rc<Group>> {
        self.groups.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// How many workers there may be now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Why it is that many, if that was not simply said.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.measured.reason()
    }

    /// Whether there are more workers than the limit.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.used.get() > self.limit.get()
    }

    fn serving(&self) -> usize {
        self.members().iter().map(|group| group.size()).sum()
    }

    /// Whether others have every place, so that a worker that was being started while the limit fell is too many. What
    /// memory allows at the moment is no reason to end a worker.
    pub(super) fn is_taken(&self) -> bool {
        self.is_overdrawn() && self.size.get() != Size::Auto && self.serving() >= self.limit.get()
    }

    /// How many workers there are, those that start and those that leave included.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.get()
    }

    /// Room for a worker of `group`. If there is none, or it is not its turn, the group stands in line and is told when it
    /// is. `replaces` says that it takes the place of the group's last one, which is leaving.
    pub(super) fn take(self: &Rc<Self>, group: &Rc<Group>, need: Need, replaces: bool) -> Option<Permit> {
        let called = self.called.take();
        let may_start = self.may_start() && self.has_room(replaces);
        if may_start && (called || (self.is_next(need) && !self.is_outdated())) {
            return Some(self.permit());
        }
        let joins = self.line.join(group, need);
        if joins {
            self.changed.notify_one();
        }
        // For the first line that is seen to by whoever has nothing to do from now on, not by each request that waits.
        if (joins || need != Need::First) && !self.has_room(replaces) {
            self.make_room(group, need);
        }
        None
    }

    fn may_start(&self) -> bool {
        self.starting.get() < self.max_spawns.get()
    }

    fn has_room(&self, replaces: bool) -> bool {
        self.used.get() < self.limit.get() + usize::from(replaces)
    }

    /// Whether nobody stands before one with this need.
    fn is_next(&self, need: Need) -> bool {
        self.line.first_is_empty() && (need == Need::First || (self.line.is_empty() && self.waiting.get() == 0))
    }

    fn permit(self: &Rc<Self>) -> Permit {
        Permit::new(self)
    }

    /// Waits for the turn to start the first worker of a group that nobody has asked anything yet; `None` when there is no
    /// room.
    pub(super) async fn first(self: &Rc<Self>) -> Option<Permit> {
        let _waiting = Waiting::enter(self);
        let _turn = self.turns.lock().await;
        self.measure().await;
        while self.has_room(false) {
            if self.may_start() {
                return Some(self.permit());
            }
            self.freed.notified().await;
        }
        None
    }

    /// Waits for the turn to start a worker that takes the place of one that will leave, beyond the limit if need be.
    pub(super) async fn extra(self: &Rc<Self>) -> Permit {
        let _waiting = Waiting::enter(self);
        let _turn = self.turns.lock().await;
        self.measure().await;
        while !self.may_start() || !self.has_room(true) {
            self.wait_for_room().await;
        }
        self.permit()
    }

    /// Tells those in line when it is their turn, and sees to it that there is room for them, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            self.wait_for_news().await;
            self.measure().await;
            self.offer();
            self.end_idle();
        }
    }

    fn offer(&self) {
        while self.may_start() {
            let Some(group) = self.line.next(|group| self.has_room(group.replaces_last()), self.waiting.get() == 0)
            else {
                break;
            };
            self.called.set(true);
            group.take_room();
            self.called.set(false);
        }
    }
}

/// Counts one that waits by itself.
struct Waiting<'a>(&'a Capacity);

impl<'a> Waiting<'a> {
    fn enter(capacity: &'a Capacity) -> Self {
        capacity.waiting.set(capacity.waiting.get() + 1);
        Self(capacity)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
        self.0.changed.notify_one();
    }
}
