//! Which worker ends when a group needs room for one.
//!
//! ```text
//!   First:    the worker that has been idle longest, of whatever group, even one that should keep it;
//!             none idle for TENURE: the group with the most workers gives one up
//!   More:     the worker that has been idle longest, of a group that has more than it must keep
//!   Standby:  none
//! ```
//! What this costs a request is a counter: workers are only looked through when a group gets in line, and for the second
//! line at most once in as many requests as there are workers.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout_at;

use super::{Capacity, Need};
use crate::pool::group::Group;
use crate::pool::worker::Worker;

/// How long busy groups may keep all workers to themselves while another one has none.
const TENURE: Duration = Duration::from_secs(5);

impl Capacity {
    /// A request was answered; returns the time by which workers are idle.
    pub(in crate::pool) fn tick(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    /// A worker has nothing to do; it ends if a group without any waits for room.
    pub(in crate::pool) fn idle(&self, group: &Group, worker: &Rc<Worker>) {
        if worker.is_idle() && self.lacks_room() {
            self.end(group, worker);
        }
    }

    /// Whether more groups without any worker wait for room than workers are about to leave.
    fn lacks_room(&self) -> bool {
        let ending = self.ending.get();
        // Who still waits is only looked at when it matters.
        ending < self.line.first_len() && !self.has_room(false) && ending < self.line.wanted_len()
    }

    /// Has idle workers end for groups without any.
    pub(super) fn end_idle(&self) {
        while self.lacks_room() {
            let Some((group, worker)) = self.idlest(|_| true, false) else { return };
            self.end(&group, &worker);
        }
    }

    /// Has a worker of another group end for one that needs it, as far as it may ask for that.
    pub(super) fn make_room(&self, needy: &Rc<Group>, need: Need) {
        match need {
            Need::First => self.end_idle(),
            Need::More if self.ending.get() == 0 && self.clock.get() >= self.next_look.get() => {
                match self.idlest(|group| !Rc::ptr_eq(group, needy), true) {
                    Some((group, worker)) => self.end(&group, &worker),
                    None => self.next_look.set(self.clock.get() + self.used.get() as u64),
                }
            }
            _ => {}
        }
    }

    fn end(&self, group: &Group, worker: &Rc<Worker>) {
        self.ending.set(self.ending.get() + 1);
        group.evict(worker);
    }

    /// The worker that has been idle longest, of those that `groups` may lose.
    fn idlest(&self, groups: impl Fn(&Rc<Group>) -> bool, spare: bool) -> Option<(Rc<Group>, Rc<Worker>)> {
        let groups = self.members().into_iter().filter(groups);
        let idle = groups.filter_map(|group| group.idlest(spare).map(|worker| (group, worker)));
        idle.min_by_key(|(_, worker)| worker.last_used())
    }

    /// Has the group with the most workers give one up; of several the one that has had its workers longest.
    pub(super) fn end_one_of_many(&self) {
        let largest = self.members().into_iter().max_by_key(|group| (group.size(), group.tenure()));
        if let Some((group, worker)) = largest.and_then(|group| group.least_busy().map(|worker| (group, worker))) {
            self.end(&group, &worker);
        }
    }

    /// Waits until something has changed. Meanwhile nobody waits longer for room than [`TENURE`].
    pub(super) async fn wait_for_news(&self) {
        let Some(since) = self.line.first_since().filter(|_| !self.has_room(false)) else {
            return self.wait_for_change().await;
        };
        if timeout_at(since + TENURE, self.wait_for_change()).await.is_err() {
            // One that ends already may take long to finish what it has; others need not follow it.
            if self.lacks_room() {
                self.end_one_of_many();
            }
            self.line.renew();
        }
    }
}
