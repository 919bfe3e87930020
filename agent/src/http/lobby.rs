//! All connections together: how a closing server ends the idle ones and waits for the others.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

/// How long no connection must have come before memory is given back.
const QUIET: Duration = Duration::from_secs(1);

/// All connections, so that a closing server can end the idle ones and wait for the others.
#[derive(Default)]
pub struct Lobby {
    closing: Cell<bool>,
    seats: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
    present: Cell<usize>,
    emptied: Notify,
    closed: Notify,
}

impl Lobby {
    /// Gives a new connection a seat.
    pub(super) fn enter(&self) -> usize {
        self.present.set(self.present.get() + 1);
        let mut seats = self.seats.borrow_mut();
        self.free.borrow_mut().pop().unwrap_or_else(|| {
            seats.push(None);
            seats.len() - 1
        })
    }

    /// A connection has ended.
    pub(super) fn leave(&self, seat: usize) {
        self.seats.borrow_mut()[seat] = None;
        self.free.borrow_mut().push(seat);
        self.present.set(self.present.get() - 1);
        if self.present.get() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Whether a connection that waits for a request can stop waiting; otherwise it is woken when that changes.
    pub(super) fn waits_in_vain(&self, seat: usize, waker: &Waker) -> bool {
        let mut seats = self.seats.borrow_mut();
        if !seats[seat].as_ref().is_some_and(|known| known.will_wake(waker)) {
            seats[seat] = Some(waker.clone());
        }
        self.closing.get()
    }

    /// Ends idle connections now and the others after their request.
    pub fn close(&self) {
        self.closing.set(true);
        self.closed.notify_waiters();
        for waker in self.seats.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Whether the server is closing.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Waits until the server is closing.
    pub async fn closed(&self) {
        if !self.closing.get() {
            self.closed.notified().await;
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn present(&self) -> usize {
        self.present.get()
    }

    /// Waits until there is none left.
    pub async fn empty(&self) {
        while self.present.get() > 0 {
            self.emptied.notified().await;
        }
    }

    /// Gives memory back whenever the last connection has gone and none has come for a while. Runs for as long as it is
    /// polled.
    pub async fn tidy(&self) {
        loop {
            self.emptied.notified().await;
            tokio::time::sleep(QUIET).await;
            if self.present.get() == 0 {
                super::connection::drop_spare_buffers();
                crate::sys::memory::trim();
            }
        }
    }
}
