//! Starting workers when some are missing.

use std::rc::Rc;

use super::Group;
use super::failure::Failure;
use crate::pool::capacity::{Need, Permit};
use crate::pool::worker::Worker;
use crate::spawn::{SpawnError, Spawner};

impl Group {
    /// Starts the first worker, if there is room for it, and when that is ready sees to the others.
    ///
    /// # Errors
    /// Why the application could not be started.
    pub async fn boot(&self) -> Result<(), Rc<SpawnError>> {
        let Some(permit) = self.permit(Need::Standby) else { return Ok(()) };
        self.state.borrow_mut().spawning += 1;
        let spawner = Rc::clone(&self.state.borrow().spawner);
        let result = self.start_worker(&spawner, permit).await;
        self.state.borrow_mut().spawning -= 1;
        self.welcome(result?);
        self.keep_up(false);
        Ok(())
    }

    /// The same, but what can't be started is tried again later.
    pub async fn boot_or_retry(&self) {
        if let Err(error) = self.boot().await {
            self.failed(error);
        }
    }

    /// Starts a worker if one is missing: below the minimum, or `busy` and below the maximum.
    pub(in crate::pool) fn keep_up(&self, busy: bool) {
        let state = self.state.borrow();
        let (have, coming) = (state.serving.len(), state.spawning);
        let all = have + state.leaving.len() + coming;
        // Where many are served at once a queue is long in coming.
        let crowded = self.roster.borrow().is_crowded();
        let busy = busy || crowded || !state.queue.is_empty();
        let wanted = have + coming < self.config().min_workers || (busy && coming == 0);
        let waits = state.failure.as_ref().is_some_and(Failure::holds);
        let has_none = have + coming == 0;
        // Workers that leave count, but they must not keep the last one from being replaced, however long they take.
        let full = all >= self.config().max_workers && !has_none;
        if state.closing || !wanted || full || waits || !state.may_start() {
            return;
        }
        let replaces = has_none && state.leaving.iter().any(|worker| !worker.is_evicted());
        let need = match (state.queue.is_empty(), has_none) {
            (true, _) if !crowded => Need::Standby,
            (true, _) => Need::More,
            (false, true) => Need::First,
            (false, false) => Need::More,
        };
        let spawner = Rc::clone(&state.spawner);
        drop(state);
        let permit = if replaces { Some(self.capacity.overdraw()) } else { self.permit(need) };
        let Some(permit) = permit else { return };
        self.state.borrow_mut().spawning += 1;
        self.in_background(async move |group| {
            let result = group.start_worker(&spawner, permit).await;
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

    fn permit(&self, need: Need) -> Option<Permit> {
        self.capacity.take(&self.me.upgrade()?, need)
    }

    pub(super) fn in_background(&self, work: impl AsyncFnOnce(Rc<Self>) + 'static) {
        if let Some(group) = self.me.upgrade() {
            tokio::task::spawn_local(async move { work(group).await });
        }
    }

    pub(super) async fn start_worker(&self, spawner: &Spawner, permit: Permit) -> Result<Rc<Worker>, Rc<SpawnError>> {
        let process = spawner.spawn().await.map_err(Rc::new)?;
        let Some(group) = self.me.upgrade() else { return Err(Rc::new(SpawnError::closing(&self.app()))) };
        Worker::adopt(process, &group, &self.turn, permit)
            .map_err(|error| Rc::new(SpawnError::channels(&self.app(), &error)))
    }

    pub(super) fn welcome(&self, worker: Rc<Worker>) {
        self.roster.borrow_mut().enter(&worker);
        let mut state = self.state.borrow_mut();
        state.failure = None;
        state.note_outdated(&worker);
        state.serving.push(worker);
        drop(state);
        self.watch_requests();
        self.watch_memory();
        self.feed();
    }
}
