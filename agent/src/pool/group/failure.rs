//! What happens when a worker can't be started: everybody hears of it, and it is tried again later, never with every request.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::roll::Roll;
use super::{Group, State};
use crate::pool::session::Ending;
use crate::spawn::SpawnError;

/// The first wait after a failed start; it doubles with every further failure.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// A failed start, and when there may be another.
pub(super) struct Failure {
    pub error: Rc<SpawnError>,
    delay: Duration,
    pub until: Instant,
}

impl Failure {
    /// A failure after `before`; `longest` is how long may be waited.
    pub fn after(before: Option<&Self>, error: Rc<SpawnError>, longest: Duration) -> Self {
        let delay = before.map_or(FIRST_DELAY, |failure| (failure.delay * 2).min(longest));
        Self { error, delay, until: Instant::now() + delay }
    }

    /// How long it is too early for another try.
    pub fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Whether it is too early for another try.
    pub fn holds(&self) -> bool {
        self.until > Instant::now()
    }
}

impl State {
    /// Why a request need not wait: there is no worker, and it is too early to try again to start one.
    pub(super) fn refusal(&self) -> Option<Rc<SpawnError>> {
        if !self.serving.is_empty() || self.spawning > 0 {
            return None;
        }
        // As long as the version before can be started, nobody need know that the new one can't.
        let deployment = self.roll.as_ref().filter(|_| !self.may_start()).and_then(Roll::failure);
        let failure = self.failure.as_ref().or(deployment);
        failure.filter(|failure| failure.holds()).map(|failure| Rc::clone(&failure.error))
    }
}

impl Group {
    /// How long may be waited between two tries.
    pub(super) fn longest_delay(&self) -> Duration {
        if self.config().is_development() { FIRST_DELAY } else { LONGEST_DELAY }
    }

    /// Notes why a worker could not be started. Without any worker, everybody who waits is told.
    pub(super) fn failed(&self, error: Rc<SpawnError>) {
        tracing::error!("{error}");
        let longest = self.longest_delay();
        let mut state = self.state.borrow_mut();
        let failure = Failure::after(state.failure.as_ref(), error, longest);
        let until = failure.until;
        state.failure = Some(failure);
        drop(state);
        self.refuse_waiting();
        self.retry_at(until);
    }

    /// Tells everybody who waits, if nobody is there to serve them.
    pub(super) fn refuse_waiting(&self) {
        let mut state = self.state.borrow_mut();
        let Some(error) = state.refusal() else { return };
        let waiting = state.queue.take_all();
        drop(state);
        for exchange in waiting {
            exchange.end(Ending::NotSpawned(Rc::clone(&error)));
        }
    }

    fn retry_at(&self, until: Instant) {
        // An older failure may have put the next try off for longer than this one does: a restart begins anew.
        if self.retry_planned.get().is_some_and(|planned| planned <= until) {
            return;
        }
        self.retry_planned.set(Some(until));
        self.in_background(async move |group| {
            tokio::time::sleep_until(until).await;
            if group.retry_planned.get() != Some(until) {
                return;
            }
            group.retry_planned.set(None);
            // Another start may have failed meanwhile, and put off the next one.
            let later =
                group.state.borrow().failure.as_ref().filter(|failure| failure.holds()).map(|failure| failure.until);
            match later {
                Some(later) => group.retry_at(later),
                None => group.keep_up(false),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn error() -> Rc<SpawnError> {
        Rc::new(SpawnError {
            app_root: Path::new("/srv/shop").to_owned(),
            step: "loading config.ru".to_owned(),
            reason: "broken".to_owned(),
            output: String::new(),
            hint: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_doubles_up_to_its_bound() {
        let mut failure = None;
        for seconds in [1, 2, 4, 5, 5] {
            failure = Some(Failure::after(failure.as_ref(), error(), Duration::from_secs(5)));
            let failure = failure.as_ref().unwrap();
            assert_eq!(failure.until - Instant::now(), Duration::from_secs(seconds));
            assert!(failure.holds());
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(!failure.unwrap().holds());
    }
}
