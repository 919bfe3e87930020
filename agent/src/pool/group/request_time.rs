//! `max_request_time`: no worker is busy with one request for longer than that.
//!
//! ```text
//!                    limit: the client gets 504                grace
//!   one at a time   ────────────────────────────▶ condemned ──────────▶ killed, as soon as nothing else is left in it
//!
//!                    limit: the client gets 504,              no answer: the
//!                    the worker is told to stop it            event loop hangs               grace
//!   multiplexed     ────────────────────────────▶ it answers ─ ─ ─ ─ ─ ─ ─ ─ ▶ condemned ──────────▶ killed
//! ```
//! A condemned worker takes no more requests, is asked for the backtraces of its threads, and has a successor; it leaves by
//! itself if what it was busy with ends after all. One look at all slots now and then serves for all requests.

use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::Group;
use crate::pool::exchange::Request;
use crate::pool::session::Ending;
use crate::pool::worker::Worker;

/// How long a worker has to end a request that has taken too long, or to say that it did.
const GRACE: Duration = Duration::from_secs(5);
/// How often slots are looked at, at least.
const INTERVAL: Duration = Duration::from_secs(1);

impl Group {
    /// Looks after the requests in workers for as long as there are workers, if there is a limit.
    pub(super) fn watch_requests(&self) {
        if self.config().limits.request_time.is_none() || self.requests_watched.replace(true) {
            return;
        }
        self.in_background(async move |group| {
            loop {
                let limit = group.config().limits.request_time;
                let workers = {
                    let state = group.state.borrow();
                    [state.serving.as_slice(), &state.leaving].concat()
                };
                let Some(limit) = limit.filter(|_| !workers.is_empty()) else { break };
                for worker in workers {
                    group.check(&worker, limit);
                }
                sleep(INTERVAL.min(limit / 10)).await;
            }
            group.requests_watched.set(false);
        });
    }

    fn check(&self, worker: &Rc<Worker>, limit: Duration) {
        let now = Instant::now();
        let Some(time) = now.checked_sub(limit) else { return };
        for exchange in worker.slots().iter().flat_map(|slot| slot.give_up_since(time)) {
            self.report(worker, exchange.request(), limit);
            exchange.end(Ending::Overdue);
        }
        let Some(since) = worker.given_up_since() else { return };
        match worker.condemned_at() {
            None if !worker.is_multiplexed() || now - since >= GRACE => self.condemn(worker),
            Some(at) if now - at >= GRACE && worker.has_only_given_up() => {
                let (pid, seconds) = (worker.pid(), GRACE.as_secs());
                tracing::error!("worker {pid} still has not ended that request after {seconds} s; it is killed");
                worker.kill();
            }
            _ => {}
        }
    }

    fn condemn(&self, worker: &Rc<Worker>) {
        let (name, pid) = (self.app().name.clone(), worker.pid());
        if worker.is_multiplexed() {
            tracing::error!("{name}: the event loop of worker {pid} hangs");
        }
        tracing::warn!("{name}: worker {pid} is replaced; it is asked for the backtraces of its threads");
        worker.condemn();
        worker.signal(Signal::SIGQUIT);
        self.replace_now(worker);
    }

    fn report(&self, worker: &Worker, request: &Request, limit: Duration) {
        let (name, pid, seconds) = (&self.app().name, worker.pid(), limit.as_secs());
        let what = request.summary().unwrap_or_else(|error| error.to_string());
        tracing::error!(
            "{name}: {what} has been running in worker {pid} for longer than max_request_time ({seconds} s); its client gets 504"
        );
    }
}
