//! How many workers there may be, of all groups together, and who gives one up when a group needs one.
//!
//! ```text
//!   group ──take──▶ Permit ──in its worker, until that is gone──▶ room: the next group in line is told
//!             │ full
//!             ▼
//!   First:    first line; the worker that has been idle longest ends, of whatever group;
//!             none idle for TENURE: the group with the most workers gives one up
//!   More:     second line; the worker that has been idle longest ends, of a group that has more than it must keep
//!   Standby:  second line; nobody ends for it
//! ```
//! What this costs a request is a counter: workers are only looked through when a group gets in line, and for the second
//! line at most once in as many requests as there are workers.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::iter;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::group::Group;
use super::worker::Worker;

/// How long busy groups may keep all workers to themselves while another one has none.
const TENURE: Duration = Duration::from_secs(5);

/// How badly a group needs a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Requests wait, and it has none.
    First,
    /// Requests wait for those that it has.
    More,
    /// Nobody waits; it has fewer than it should keep.
    Standby,
}

/// A group that was told to wait, since then.
type Waiting = (Weak<Group>, Instant);

/// What all groups of an instance share.
pub struct Capacity {
    limit: usize,
    used: Cell<usize>,
    /// Workers that were asked to make room and are not gone.
    ending: Cell<usize>,
    groups: RefCell<Vec<Weak<Group>>>,
    first: RefCell<VecDeque<Waiting>>,
    others: RefCell<VecDeque<Weak<Group>>>,
    /// Whose turn it is; others stand behind those in line.
    is_offering: Cell<bool>,
    /// Counts answered requests; the clock by which workers are idle.
    clock: Cell<u64>,
    next_look: Cell<u64>,
    changed: Notify,
    /// A worker is gone.
    freed: Notify,
}

/// Room for one worker, given back on drop.
pub struct Permit(Rc<Capacity>);

impl Drop for Permit {
    fn drop(&mut self) {
        let capacity = &self.0;
        capacity.used.set(capacity.used.get().saturating_sub(1));
        capacity.changed.notify_one();
        capacity.freed.notify_waiters();
    }
}

impl Permit {
    /// Gives the room back; `made_room` says that its worker was asked to.
    pub(super) fn give_back(self, made_room: bool) {
        if made_room {
            self.0.ending.set(self.0.ending.get().saturating_sub(1));
        }
    }
}

impl Capacity {
    /// Room for `limit` workers, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit: limit.max(1),
            used: Cell::new(0),
            ending: Cell::new(0),
            groups: RefCell::default(),
            first: RefCell::default(),
            others: RefCell::default(),
            is_offering: Cell::new(false),
            clock: Cell::new(0),
            next_look: Cell::new(0),
            changed: Notify::new(),
            freed: Notify::new(),
        })
    }

    /// Makes a group one of those that share.
    pub(super) fn join(&self, group: &Rc<Group>) {
        self.groups.borrow_mut().push(Rc::downgrade(group));
    }

    /// Room for a worker of `group`. If there is none, the group stands in line and is told when there is.
    pub(super) fn take(self: &Rc<Self>, group: &Rc<Group>, need: Need) -> Option<Permit> {
        let is_its_turn = self.is_offering.get() || self.first.borrow().is_empty();
        if is_its_turn && self.used.get() < self.limit {
            return Some(self.overdraw());
        }
        match need {
            Need::First if !group.in_first_line.replace(true) => {
                self.first.borrow_mut().push_back((Rc::downgrade(group), Instant::now()));
                self.end_idle(group);
                self.changed.notify_one();
            }
            Need::First => {}
            Need::More | Need::Standby => {
                if !group.in_second_line.replace(true) {
                    self.others.borrow_mut().push_back(Rc::downgrade(group));
                }
                if need == Need::More {
                    self.end_spare(group);
                }
            }
        }
        None
    }

    /// Room for a worker, even beyond the limit: for one that takes the place of another that ends.
    pub(super) fn overdraw(self: &Rc<Self>) -> Permit {
        self.used.set(self.used.get() + 1);
        Permit(Rc::clone(self))
    }

    /// Room for a worker that takes the place of another which ends when it is there. That is never more than one too many:
    /// this waits until there are no more than the limit.
    pub(super) async fn extra(self: &Rc<Self>) -> Permit {
        while self.used.get() > self.limit {
            self.freed.notified().await;
        }
        self.overdraw()
    }

    /// A request was answered; returns the time by which workers are idle.
    pub(super) fn tick(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    /// A worker has nothing to do; it ends if a group without any waits.
    pub(super) fn idle(&self, group: &Group, worker: &Rc<Worker>) {
        if self.ending.get() < self.first.borrow().len() && worker.is_idle() {
            self.end(group, worker);
        }
    }

    fn end(&self, group: &Group, worker: &Rc<Worker>) {
        self.ending.set(self.ending.get() + 1);
        group.evict(worker);
    }

    fn end_idle(&self, needy: &Rc<Group>) {
        if self.ending.get() < self.first.borrow().len()
            && let Some((group, worker)) = self.idlest(needy, false)
        {
            self.end(&group, &worker);
        }
    }

    fn end_spare(&self, needy: &Rc<Group>) {
        if self.ending.get() > 0 || self.clock.get() < self.next_look.get() {
            return;
        }
        match self.idlest(needy, true) {
            Some((group, worker)) => self.end(&group, &worker),
            None => self.next_look.set(self.clock.get() + self.used.get() as u64),
        }
    }

    /// The worker that has been idle longest, of another group than `needy`.
    fn idlest(&self, needy: &Rc<Group>, spare: bool) -> Option<(Rc<Group>, Rc<Worker>)> {
        let others = self.members().into_iter().filter(|group| !Rc::ptr_eq(group, needy));
        let idle = others.filter_map(|group| group.idlest(spare).map(|worker| (group, worker)));
        idle.min_by_key(|(_, worker)| worker.last_used())
    }

    /// Has the group with the most workers give one up; of several the one that has had its workers longest.
    fn end_one_of_many(&self) {
        let largest = self.members().into_iter().max_by_key(|group| (group.size(), group.tenure()));
        if let Some((group, worker)) = largest.and_then(|group| group.least_busy().map(|worker| (group, worker))) {
            self.end(&group, &worker);
        }
    }

    fn members(&self) -> Vec<Rc<Group>> {
        self.groups.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Tells those in line when there is room, and sees to it that there is some, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            match self.first_since() {
                None => self.changed.notified().await,
                Some(since) => {
                    if timeout_at(since + TENURE, self.changed.notified()).await.is_err() {
                        self.end_one_of_many();
                        if let Some((_, since)) = self.first.borrow_mut().front_mut() {
                            *since = Instant::now();
                        }
                    }
                }
            }
            self.offer();
        }
    }

    /// Since when the first in line waits. One for whom nobody waits any more stands no longer there.
    fn first_since(&self) -> Option<Instant> {
        let mut first = self.first.borrow_mut();
        while let Some((group, since)) = first.front() {
            if group.upgrade().is_some_and(|group| group.waits_for_first()) {
                return Some(*since);
            }
            if let Some(group) = group.upgrade() {
                group.in_first_line.set(false);
            }
            first.pop_front();
        }
        None
    }

    fn offer(&self) {
        self.is_offering.set(true);
        while self.used.get() < self.limit {
            let Some(group) = self.next_in_line() else { break };
            group.take_room();
        }
        self.is_offering.set(false);
    }

    fn next_in_line(&self) -> Option<Rc<Group>> {
        let mut first = iter::from_fn(|| self.first.borrow_mut().pop_front());
        if let Some(group) = first.find_map(|(group, _)| group.upgrade()) {
            group.in_first_line.set(false);
            return Some(group);
        }
        let group = iter::from_fn(|| self.others.borrow_mut().pop_front()).find_map(|group| group.upgrade())?;
        group.in_second_line.set(false);
        Some(group)
    }
}
