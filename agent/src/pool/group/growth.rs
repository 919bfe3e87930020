//! Starting workers when some are missing.
//!
//! ```text
//!   asleep ──request, boot──▶ one goes ahead ──ready──▶ as many at a time as the queue is long and the limits allow
//!                                   └──failed──▶ nobody until its delay is over, then one again
//! ```
//! Until the application is known to start, a single worker is being started, so that a broken one fails once. Then there
//! is one under way for every request that waits and has no slot coming, and for every worker that should be kept.

use std::rc::Rc;

use super::failure::Failure;
use super::{Group, State};
use crate::pool::capacity::{Need, Permit};
use crate::pool::worker::Worker;
use crate::spawn::{SpawnError, Spawner};

impl Group {
    /// Starts the first worker, if there is room for it, and when that is ready sees to the others. An application that is
    /// not to be started before its first request is left alone.
    ///
    /// # Errors
    /// Why the application could not be started.
    pub async fn boot(&self) -> Result<(), Rc<SpawnError>> {
        if !self.config().pre_start {
            return Ok(());
        }
        self.state.borrow_mut().awake = true;
        // While it waited for its turn a request or a restart may have got it a worker.
        if let Some(permit) = self.capacity.first().await.filter(|_| self.has_none()) {
            self.state.borrow_mut().spawning += 1;
            let spawner = Rc::clone(&self.state.borrow().spawner);
            let result = self.start_worker(&spawner, permit).await;
            self.started(&spawner, result)?;
        }
        self.keep_up(false);
        Ok(())
    }

    /// The same, but what can't be started is tried again later.
    pub async fn boot_or_retry(&self) {
        if let Err(error) = self.boot().await {
            self.failed(error);
        }
    }

    fn has_none(&self) -> bool {
        let state = self.state.borrow();
        !state.closing && state.serving.is_empty() && state.spawning == 0
    }

    /// Starts the workers that are missing: below the minimum, or for those who wait and below the maximum. `busy` says
    /// that a further one could serve somebody sooner.
    pub(in crate::pool) fn keep_up(&self, busy: bool) {
        while let Some((need, replaces)) = self.lacks(busy) {
            let Some(group) = self.me.upgrade() else { return };
            let Some(permit) = self.capacity.take(&group, need, replaces) else { return };
            self.start(permit);
        }
    }

    /// How badly it needs a worker beyond those that are being started, and whether that takes the place of its last one;
    /// `None` when it needs none or may have none. Each crowded request asks, so nothing here depends on the number of workers.
    fn lacks(&self, busy: bool) -> Option<(Need, bool)> {
        let state = self.state.borrow();
        let config = self.config();
        let (have, coming) = (state.serving.len(), state.spawning);
        let has_none = have + coming == 0;
        // Workers that leave count, but they must not keep the last one from being replaced, however long they take.
        let most = config.max_workers + usize::from(has_none);
        let is_full = have + state.leaving.len() + coming >= most;
        let goes_ahead = coming > 0 && (state.failure.is_some() || !state.spawner.is_proven());
        let waits = state.failure.as_ref().is_some_and(Failure::holds);
        if state.closing || is_full || goes_ahead || waits || !state.may_start() {
            return None;
        }
        let queued = state.queue.len().div_ceil(self.room_of_a_worker(&state));
        let kept = if state.awake { config.min_workers.saturating_sub(have) } else { 0 };
        // Where many are served at once a queue is long in coming.
        let need = if queued > coming {
            if has_none { Need::First } else { Need::More }
        } else if coming == 0 && have > 0 && (busy || self.roster.borrow().is_crowded()) {
            Need::More
        } else if kept > coming || (busy && has_none) {
            Need::Standby
        } else {
            return None;
        };
        Some((need, state.replaces_last()))
    }

    /// How many requests a worker takes off the queue.
    fn room_of_a_worker(&self, state: &State) -> usize {
        let config = self.config();
        match (state.multiplexed, config.max_concurrent_requests) {
            (false, _) => config.threads.max(1),
            (true, 0) => usize::MAX,
            (true, most) => most,
        }
    }

    /// Whether a new worker takes the place of its last one, which is leaving and not for others' sake.
    pub(in crate::pool) fn replaces_last(&self) -> bool {
        self.state.borrow().replaces_last()
    }

    fn start(&self, permit: Permit) {
        let mut state = self.state.borrow_mut();
        state.spawning += 1;
        let spawner = Rc::clone(&state.spawner);
        tracing::debug!("starting a worker of {}; {} requests wait", self.app().name, state.queue.len());
        drop(state);
        self.in_background(async move |group| {
            let result = group.start_worker(&spawner, permit).await;
            if let Err(error) = group.started(&spawner, result) {
                group.failed(error);
            }
            group.watch_idleness();
            group.keep_up(false);
        });
    }

    /// Takes in what a spawner has started, unless the application was replaced or closed meanwhile, or a reload has left no
    /// place for it.
    fn started(&self, spawner: &Rc<Spawner>, result: Result<Rc<Worker>, Rc<SpawnError>>) -> Result<(), Rc<SpawnError>> {
        let mut state = self.state.borrow_mut();
        state.spawning -= 1;
        let outdated = state.closing || !Rc::ptr_eq(spawner, &state.spawner);
        let is_full = state.serving.len() >= self.config().max_workers;
        drop(state);
        match result {
            Ok(worker) if outdated || is_full || self.capacity.is_taken() => self.retire(&worker),
            Ok(worker) => self.welcome(worker),
            Err(_) if outdated => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    pub(super) fn in_background(&self, work: impl AsyncFnOnce(Rc<Self>) + 'static) {
        if let Some(group) = self.me.upgrade() {
            tokio::task::spawn_local(async move { work(group).await });
        }
    }

    pub(super) async fn start_worker(&self, spawner: &Spawner, permit: Permit) -> Result<Rc<Worker>, Rc<SpawnError>> {
        let process = spawner.spawn().await.map_err(Rc::new)?;
        permit.started();
        let Some(group) = self.me.upgrade() else { return Err(Rc::new(SpawnError::closing(&self.app()))) };
        Worker::adopt(process, &group, &self.turn, permit)
            .map_err(|error| Rc::new(SpawnError::channels(&self.app(), &error)))
    }

    pub(super) fn welcome(&self, worker: Rc<Worker>) {
        self.roster.borrow_mut().enter(&worker);
        let mut state = self.state.borrow_mut();
        state.failure = None;
        state.note_outdated(&worker);
        state.multiplexed = worker.is_multiplexed();
        state.serving.push(worker);
        drop(state);
        self.watch_requests();
        self.watch_memory();
        self.watch_idleness();
        self.feed(None);
    }
}

impl State {
    fn replaces_last(&self) -> bool {
        self.serving.is_empty() && self.spawning == 0 && self.leaving.iter().any(|worker| !worker.is_evicted())
    }
}
