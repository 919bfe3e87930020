//! Out-of-band work: what an application puts off until no client waits for it, such as collecting garbage.
//!
//! ```text
//!            an answer asks for it      its turn       its requests are answered        done
//!   serving ──────────────────────▶ Wanted ──▶ Draining ──────────────▶ Working ──────────────▶ serving
//!                                                                          └── takes too long ──▶ leaving
//! ```
//! One worker of a group at a time, so that others serve meanwhile. If there is no other, requests wait.

use std::rc::Rc;
use std::time::Duration;

use passenger_native::control::ToProcess;
use tokio::time::timeout;

use super::Group;
use crate::pool::worker::Worker;

/// What it may take if there is no `max_request_time`.
const LONGEST: Duration = Duration::from_secs(600);

/// How far a worker is with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum OobWork {
    /// Nobody has asked for it.
    None,
    /// It is to be done.
    Wanted,
    /// It takes no more requests, but has some.
    Draining,
    /// It does it.
    Working,
}

impl Group {
    /// Goes on with what was asked for, if a worker can.
    pub(in crate::pool) fn keep_up_oob_work(&self) {
        let state = self.state.borrow();
        if state.closing {
            return;
        }
        let workers = || state.serving.iter();
        let draining = workers().find(|worker| matches!(worker.oob_work().get(), OobWork::Draining | OobWork::Working));
        let next = draining.or_else(|| workers().find(|worker| worker.oob_work().get() == OobWork::Wanted));
        let Some(worker) = next.cloned() else { return };
        drop(state);
        if worker.oob_work().get() == OobWork::Wanted {
            self.roster.borrow_mut().leave(&worker);
            worker.oob_work().set(OobWork::Draining);
            if self.state.borrow_mut().queue.release(worker.number()) {
                self.feed(None);
            }
        }
        if worker.oob_work().get() == OobWork::Draining && worker.load().requests == 0 {
            self.begin_oob_work(&worker);
        }
    }

    fn begin_oob_work(&self, worker: &Rc<Worker>) {
        worker.oob_work().set(OobWork::Working);
        if let Err(error) = worker.tell(&ToProcess::OobWork) {
            tracing::warn!("worker {} can't be told to do its out-of-band work: {error}; it is replaced", worker.pid());
            return self.replace_now(worker);
        }
        tracing::debug!("worker {} does its out-of-band work", worker.pid());
        let limit = self.config().limits.request_time.unwrap_or(LONGEST);
        let over = worker.oob_work_begins();
        let (group, worker) = (self.me.clone(), Rc::downgrade(worker));
        tokio::task::spawn_local(async move {
            let is_over = timeout(limit, over).await.is_ok();
            if let (false, Some(group), Some(worker)) = (is_over, group.upgrade(), worker.upgrade()) {
                let (pid, seconds) = (worker.pid(), limit.as_secs());
                tracing::warn!("worker {pid} has not done its out-of-band work within {seconds} s; it is replaced");
                group.replace_now(&worker);
            }
        });
    }

    /// A worker says that it has done it.
    pub(in crate::pool) fn oob_work_done(&self, worker: &Rc<Worker>) {
        if worker.oob_work().replace(OobWork::None) != OobWork::Working || !worker.is_serving() {
            return;
        }
        tracing::debug!("worker {} has done its out-of-band work", worker.pid());
        self.roster.borrow_mut().enter(worker);
        self.feed(None);
        self.keep_up_oob_work();
        self.capacity.idle(self, worker);
    }
}
