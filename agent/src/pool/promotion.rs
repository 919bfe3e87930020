//! A worker becomes a preloader instead of ending.
//!
//! ```text
//!   Leaving ──last answer──▶ Promoting ──Ready──▶ Promoted: process and control channel are the spawner's
//!                                │ Failed: it ends by itself      Asked ──▶ Gone
//!                                │ deadline: killed               Gone
//!                                └ died                           Gone
//! ```
//! So a worker is never forked while it has a request.

use std::rc::Rc;

use nix::sys::socket::Shutdown;
use passenger_native::control::ToProcess;
use tokio::sync::oneshot;

use super::worker::{State, Worker};
use crate::spawn::Promoted;

/// What has become of a worker that was to be a preloader: that, or why not.
pub(super) type Outcome = Result<Promoted, String>;
/// Who wants to know. Dropped if the worker ended.
pub(super) type Promotion = oneshot::Sender<Outcome>;

impl Worker {
    /// Has it become a preloader once it leaves and has answered what it has. Returns how that ends.
    pub(super) fn destine(&self) -> oneshot::Receiver<Outcome> {
        let (promotion, outcome) = oneshot::channel();
        self.promotion.set(Some(promotion));
        outcome
    }

    /// Whether it was asked to become a preloader, and has not answered.
    pub(super) fn is_being_promoted(&self) -> bool {
        self.state.get() == State::Promoting
    }

    /// Whether it has become a preloader.
    pub(super) fn is_promoted(&self) -> bool {
        self.state.get() == State::Promoted
    }

    pub(super) fn promote(self: &Rc<Self>, promotion: Promotion) {
        self.state.set(State::Promoting);
        self.promotion.set(Some(promotion));
        if let Err(error) = self.tell(&ToProcess::Promote) {
            tracing::error!("worker {}, control channel: {error}; it is killed", self.pid());
            return self.kill();
        }
        self.after_shutdown_timeout(|worker, seconds| {
            let reason = format!("it did not become a preloader within {seconds} s");
            tracing::warn!("worker {}: {reason}; it is killed", worker.pid());
            worker.end_promotion(Err(reason));
            worker.kill();
        });
    }

    /// It has something that a fork would break, and ends by itself.
    pub(super) fn refuse_promotion(self: &Rc<Self>, reason: String) {
        self.end_promotion(Err(reason));
        self.ask();
    }

    /// It is a preloader now.
    pub(super) fn hand_over(self: &Rc<Self>) {
        self.state.set(State::Promoted);
        for slot in self.slots() {
            slot.shut_down(Shutdown::Both);
        }
        if let Some(permit) = self.permit.take() {
            permit.give_back(self.is_evicted());
        }
        if let Some(group) = self.group.upgrade() {
            group.forget(self, false);
        }
        // If nobody wants it any more, it ends with these.
        self.end_promotion(Ok(Promoted { process: Rc::clone(&self.process), control: Rc::clone(&self.control) }));
    }

    fn end_promotion(&self, outcome: Outcome) {
        if let Some(promotion) = self.promotion.take() {
            // Whoever asked for it has gone.
            let _ = promotion.send(outcome);
        }
    }
}
