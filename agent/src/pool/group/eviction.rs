//! What the pool asks of a group when others need a worker as well.

use std::rc::Rc;
use std::time::Duration;

use super::Group;
use crate::pool::worker::Worker;

impl Group {
    /// There is room for a worker, if it needs one.
    pub(in crate::pool) fn take_room(&self) {
        self.keep_up(false);
    }

    /// Whether requests wait and no worker is there or coming.
    pub(in crate::pool) fn waits_for_first(&self) -> bool {
        let state = self.state.borrow();
        state.serving.is_empty() && state.spawning == 0 && state.queue.is_wanted()
    }

    /// How many workers serve.
    #[must_use]
    pub fn size(&self) -> usize {
        self.state.borrow().serving.len()
    }

    /// How long its oldest worker has been there.
    pub(in crate::pool) fn tenure(&self) -> Duration {
        self.state.borrow().serving.iter().map(|worker| worker.age()).max().unwrap_or_default()
    }

    /// The worker that has been idle longest; `spare` is only one that the group need not keep.
    pub(in crate::pool) fn idlest(&self, spare: bool) -> Option<Rc<Worker>> {
        let state = self.state.borrow();
        if spare && state.serving.len() <= self.config().min_workers {
            return None;
        }
        state.serving.iter().filter(|worker| worker.is_idle()).min_by_key(|worker| worker.last_used()).cloned()
    }

    /// The worker with the least to do.
    pub(in crate::pool) fn least_busy(&self) -> Option<Rc<Worker>> {
        self.state
            .borrow()
            .serving
            .iter()
            .min_by_key(|worker| (worker.load().requests, worker.load().websockets))
            .cloned()
    }

    /// Ends a worker as soon as it has answered what it has, to make room.
    pub(in crate::pool) fn evict(&self, worker: &Rc<Worker>) {
        tracing::info!("worker {} of {} ends to make room for another application", worker.pid(), self.app().name);
        worker.evict();
        self.retire(worker);
    }
}
