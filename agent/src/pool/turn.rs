//! What happens once per turn of the event loop, however many requests the turn brings.
//!
//! A turn begins when the loop wakes up with events and ends when every task that they woke has run. Frames for a worker
//! gather during a turn and leave in one write at its end; files that are watched are looked at once.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::time::Instant;

use super::slot::Slot;

/// The current turn; shared by all who act once in it.
#[derive(Default)]
pub struct Turn {
    number: Cell<u64>,
    now: Cell<Option<Instant>>,
    ending: Cell<bool>,
    dirty: RefCell<Vec<Rc<Slot>>>,
    waker: RefCell<Option<Waker>>,
}

impl Turn {
    /// A number that is different in every turn.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.ask_for_end();
        self.number.get()
    }

    /// The time, read at most once a turn.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.ask_for_end();
        let now = self.now.get().unwrap_or_else(Instant::now);
        self.now.set(Some(now));
        now
    }

    /// Has a slot's frames sent at the end of the turn.
    pub fn flush_later(&self, slot: Rc<Slot>) {
        self.dirty.borrow_mut().push(slot);
        self.ask_for_end();
    }

    // The task that ends the turn stands behind those that are ready already.
    fn ask_for_end(&self) {
        if !self.ending.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    /// Ends turns for as long as it is polled.
    pub async fn run(&self) {
        let mut sending = Vec::new();
        poll_fn(|cx| {
            self.waker.borrow_mut().get_or_insert_with(|| cx.waker().clone());
            self.ending.set(false);
            self.number.set(self.number.get() + 1);
            self.now.set(None);
            std::mem::swap(&mut sending, &mut *self.dirty.borrow_mut());
            let sent: usize = sending.drain(..).map(|slot| slot.flush()).sum();
            if sent > 1 {
                // Under load the workers and clients that share a processor with us get to run now, and what they have
                // to say comes in fewer and larger pieces. Without load nobody waits, and this returns at once.
                std::thread::yield_now();
            }
            Poll::Pending
        })
        .await
    }
}
