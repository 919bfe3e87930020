//! Room for one worker.

use std::cell::Cell;
use std::rc::Rc;

use super::Capacity;

/// Room for one worker, given back on drop; at first also leave to start it.
pub struct Permit {
    capacity: Rc<Capacity>,
    starting: Cell<bool>,
}

impl Permit {
    pub(super) fn new(capacity: &Rc<Capacity>) -> Self {
        capacity.used.set(capacity.used.get() + 1);
        capacity.starting.set(capacity.starting.get() + 1);
        Self { capacity: Rc::clone(capacity), starting: Cell::new(true) }
    }

    /// The worker is ready: another one may be started.
    pub(in crate::pool) fn started(&self) {
        if self.starting.replace(false) {
            self.capacity.starting.set(self.capacity.starting.get() - 1);
            self.capacity.tell();
        }
    }

    /// Gives the room back; `made_room` says that its worker was asked to.
    pub(in crate::pool) fn give_back(self, made_room: bool) {
        if made_room {
            self.capacity.ending.set(self.capacity.ending.get().saturating_sub(1));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.started();
        self.capacity.used.set(self.capacity.used.get() - 1);
        self.capacity.tell();
    }
}

impl Capacity {
    fn tell(&self) {
        self.changed.notify_one();
        self.freed.notify_waiters();
    }
}
