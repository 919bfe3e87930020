//! Starting workers: when one is missing, and what happens when it can't be started.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Failure, Group};
use crate::pool::session::Ending;
use crate::pool::worker::Worker;
use crate::spawn::{SpawnError, Spawner};

/// The first wait after a failed start; it doubles with every further failure.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

impl Group {
    /// Starts the first worker, and when that is ready sees to the others.
    ///
    /// # Errors
    /// Why the application could not be started.
    pub async fn boot(&self) -> Result<(), Rc<SpawnError>> {
        self.state.borrow_mut().spawning += 1;
        let spawner = Rc::clone(&self.state.borrow().spawner);
        let result = self.start_worker(&spawner).await;
        self.state.borrow_mut().spawning -= 1;
        let worker = result?;
        self.state.borrow_mut().serving.push(worker);
        self.keep_up(false);
        Ok(())
    }

    /// Starts a worker if one is missing: below the minimum, or `busy` and below the maximum.
    pub(super) fn keep_up(&self, busy: bool) {
        let mut state = self.state.borrow_mut();
        let (have, coming) = (state.serving.len(), state.spawning);
        let all = have + state.leaving.len() + coming;
        let wanted = have + coming < self.config.min_workers || ((busy || !state.queue.is_empty()) && coming == 0);
        let waits = state.failure.as_ref().is_some_and(|failure| failure.until > Instant::now());
        // Workers that leave count, but they must not keep the last one from being replaced, however long they take.
        let full = all >= self.config.max_workers && have + coming > 0;
        if state.closing || !wanted || full || waits || state.successor.is_some() {
            return;
        }
        state.spawning += 1;
        let spawner = Rc::clone(&state.spawner);
        drop(state);
        self.in_background(async move |group| {
            let result = group.start_worker(&spawner).await;
            let mut state = group.state.borrow_mut();
            state.spawning -= 1;
            let outdated = state.closing || !Rc::ptr_eq(&spawner, &state.spawner);
            drop(state);
            match result {
                Ok(worker) if outdated => worker.leave(),
                Ok(worker) => group.welcome(worker),
                Err(_) if outdated => {}
                Err(error) => group.failed(error),
            }
            group.keep_up(false);
        });
    }

    pub(super) fn in_background(&self, work: impl AsyncFnOnce(Rc<Self>) + 'static) {
        if let Some(group) = self.me.upgrade() {
            tokio::task::spawn_local(async move { work(group).await });
        }
    }

    pub(super) async fn start_worker(&self, spawner: &Spawner) -> Result<Rc<Worker>, Rc<SpawnError>> {
        let process = spawner.spawn().await.map_err(Rc::new)?;
        let Some(group) = self.me.upgrade() else { return Err(Rc::new(SpawnError::closing(&self.app))) };
        Worker::adopt(process, &group, &self.turn).map_err(|error| Rc::new(SpawnError::channels(&self.app, &error)))
    }

    pub(super) fn welcome(&self, worker: Rc<Worker>) {
        let mut state = self.state.borrow_mut();
        state.failure = None;
        state.serving.push(worker);
        drop(state);
        self.feed();
    }

    /// Notes why a worker could not be started. Without any worker, everybody who waits is told.
    pub(super) fn failed(&self, error: Rc<SpawnError>) {
        tracing::error!("{error}");
        let mut state = self.state.borrow_mut();
        let longest = if self.config.is_development() { FIRST_DELAY } else { LONGEST_DELAY };
        let delay = state.failure.as_ref().map_or(FIRST_DELAY, |failure| (failure.delay * 2).min(longest));
        state.failure = Some(Failure { error: Rc::clone(&error), delay, until: Instant::now() + delay });
        let waiting = if state.serving.is_empty() { std::mem::take(&mut state.queue) } else { VecDeque::new() };
        drop(state);
        for exchange in waiting {
            exchange.end(Ending::NotSpawned(Rc::clone(&error)));
        }
        self.retry_after(delay);
    }

    fn retry_after(&self, delay: Duration) {
        if self.retry_planned.replace(true) {
            return;
        }
        self.in_background(async move |group| {
            let mut until = Instant::now() + delay;
            while until > Instant::now() {
                tokio::time::sleep_until(until.into()).await;
                // Another start may have failed meanwhile, and put off the next one.
                until = group.state.borrow().failure.as_ref().map_or(until, |failure| failure.until);
            }
            group.retry_planned.set(false);
            group.keep_up(false);
        });
    }
}
