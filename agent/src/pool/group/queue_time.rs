//! `max_request_queue_time`: nobody waits for a worker for longer than that.
//!
//! Only the first in the queue is looked after, as the others came later: one timer for each group that has a queue.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Group;
use crate::pool::session::Ending;

/// How often is looked, at least: a reload may have brought another limit.
const INTERVAL: Duration = Duration::from_secs(1);
/// Those that came this close after each other are refused together.
const SLACK: Duration = Duration::from_millis(50);

impl Group {
    /// Since when a request waits that comes now, if there is a limit.
    pub(super) fn now_if_limited(&self) -> Option<Instant> {
        self.config().limits.queue_time.map(|_| Instant::now())
    }

    /// Looks after the queue until it is empty, if there is a limit.
    pub(super) fn watch_queue(&self) {
        if self.config().limits.queue_time.is_none() || self.queue_watched.replace(true) {
            return;
        }
        self.in_background(async move |group| {
            loop {
                let (oldest, limit) = (group.state.borrow_mut().queue.oldest(), group.config().limits.queue_time);
                let (Some(oldest), Some(limit)) = (oldest, limit) else { break };
                sleep_until((oldest + limit + SLACK).min(Instant::now() + INTERVAL)).await;
                group.refuse_late();
            }
            group.queue_watched.set(false);
        });
    }

    fn refuse_late(&self) {
        let Some(limit) = self.config().limits.queue_time else { return };
        let Some(time) = Instant::now().checked_sub(limit) else { return };
        let late = self.state.borrow_mut().queue.take_until(time);
        let waiting = late.iter().filter(|exchange| !exchange.is_abandoned()).count();
        if waiting > 0 {
            let (name, seconds) = (&self.app().name, limit.as_secs());
            tracing::warn!(
                "{name}: {waiting} requests got 504, as they waited for a worker longer than max_request_queue_time ({seconds} s)"
            );
        }
        for exchange in late {
            exchange.end(Ending::WaitedTooLong);
        }
    }
}
