//! Re-forking: the worker that has warmed up most becomes the preloader, and its forks replace all other workers, which
//! then share what has warmed up.
//!
//! ```text
//!            a worker has served enough             its replacement serves            it is a preloader
//!   Waiting ────────────────────────────▶ Choosing ────────────────────────▶ Promoting ─────────────────▶ Rolling
//!      ▲                                   │    ▲                              │                             │
//!      │                                   └────┘ none without WebSockets      │ it may not be forked        │
//!      ├─────────── settled: not before the next restart ◀────────────────────┤                             │
//!      │                                                                       │ its first fork fails        │
//!      └──────────────────────────── the next generation ◀─────────────────────┴─────────────────────────────┘
//! ```
//! Rolling is what a restart does ([`super::roll`]): the old preloader leaves last, and stays if the new one's first worker
//! does not start. A restart overtakes all of this.

use std::rc::Rc;
use std::time::Duration;

use super::Group;
use super::failure::Failure;
use super::oob_work::OobWork;
use super::roll::Roll;
use crate::pool::worker::Worker;
use crate::spawn::Spawner;

/// When to look again for a worker without WebSockets.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Group {
    /// Begins when this worker has served as many requests as its generation should.
    pub(super) fn refork_if_due(&self, worker: &Worker) {
        if self.config().refork_after.is_empty() || self.is_reforking.get() {
            return;
        }
        let state = self.state.borrow();
        let spawner = &state.spawner;
        let limit = self.config().refork_limit(spawner.generation());
        let is_due = limit.is_some_and(|limit| worker.handled() >= limit) && worker.is_serving();
        let holds_off = state.failure.as_ref().is_some_and(Failure::holds);
        if !is_due || holds_off || state.closing || state.roll.is_some() || spawner.is_settled() {
            return;
        }
        self.is_reforking.set(true);
        let spawner = Rc::clone(spawner);
        drop(state);
        self.in_background(async move |group| {
            group.refork(&spawner).await;
            group.is_reforking.set(false);
        });
    }

    async fn refork(self: &Rc<Self>, before: &Rc<Spawner>) {
        let Some(chosen) = self.choose(before).await else { return };
        let (pid, handled) = (chosen.pid(), chosen.handled());
        let root = self.app().root.display().to_string();
        tracing::info!("worker {pid} of {root} has served {handled} requests; it becomes the preloader");
        if !self.start_replacement(&chosen, before).await || !may_be_promoted(&chosen) {
            return;
        }
        let outcome = chosen.destine();
        self.retire(&chosen);
        match outcome.await {
            Ok(Ok(promoted)) => {
                let spawner = Rc::new(before.promoted(promoted));
                let generation = spawner.generation();
                tracing::info!("worker {pid} is the preloader of {root} now (generation {generation})");
                self.replace_all(before, spawner).await;
            }
            Ok(Err(reason)) => {
                before.settle();
                tracing::warn!(
                    "{root} is not re-forked before its next restart: worker {pid} can't be forked: {reason}"
                );
            }
            Err(_) => tracing::warn!("worker {pid} of {root} ended before it was the preloader"),
        }
    }

    /// Has another worker serve instead of the one that is chosen; returns whether to go on.
    async fn start_replacement(&self, chosen: &Rc<Worker>, spawner: &Rc<Spawner>) -> bool {
        let permit = self.capacity.extra().await;
        if !self.is_of(spawner) || !may_be_promoted(chosen) {
            return false;
        }
        match self.start_worker(spawner, permit).await {
            Ok(worker) if self.is_of(spawner) && self.may_take_place_of(chosen) => {
                self.welcome(worker);
                return true;
            }
            Ok(surplus) => self.retire(&surplus),
            Err(error) if self.is_of(spawner) => self.failed(error),
            Err(_) => {}
        }
        false
    }

    /// Whether there is a place for the replacement: not if the chosen one has to stay, nor if it has left and others have its.
    fn may_take_place_of(&self, chosen: &Rc<Worker>) -> bool {
        may_be_promoted(chosen) || (!chosen.is_serving() && self.has_place_of(chosen))
    }

    async fn replace_all(self: &Rc<Self>, before: &Rc<Spawner>, spawner: Rc<Spawner>) {
        if self.is_of(before) {
            let outdated = self.state.borrow().serving.clone();
            self.state.borrow_mut().roll = Some(Roll::new(Rc::clone(&spawner), outdated));
            Rc::clone(self).replace_some(spawner).await;
        }
    }

    /// The worker that is to be the preloader: it has served most, or half as much and is idle.
    async fn choose(&self, spawner: &Rc<Spawner>) -> Option<Rc<Worker>> {
        while self.is_of(spawner) {
            if let Some(worker) = warmest(&self.state.borrow().serving) {
                return Some(Rc::clone(worker));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        None
    }

    /// Whether its workers are those of this spawner, and are to stay so.
    fn is_of(&self, spawner: &Rc<Spawner>) -> bool {
        let state = self.state.borrow();
        !state.closing && state.roll.is_none() && Rc::ptr_eq(&state.spawner, spawner)
    }
}

/// One with WebSockets would have to close them; one that does its out-of-band work does not listen meanwhile.
fn may_be_promoted(worker: &Worker) -> bool {
    worker.is_serving() && worker.load().websockets == 0 && worker.oob_work().get() == OobWork::None
}

fn warmest(workers: &[Rc<Worker>]) -> Option<&Rc<Worker>> {
    let candidates = || workers.iter().filter(|worker| may_be_promoted(worker));
    let most = candidates().map(|worker| worker.handled()).max()?;
    let warm = candidates().filter(|worker| worker.handled() >= most / 2);
    warm.max_by_key(|worker| (worker.is_idle(), worker.handled()))
}
