//! A rolling restart: one new worker is ready before an old one leaves.
//!
//! ```text
//!             the first new worker is ready              nobody is outdated
//!   Unproven ───────────────────────────────▶ Replacing ────────────────────▶ done: the old preloader leaves
//!     │  ▲                                      │  ▲
//!     └──┘ it does not start: back-off, again   └──┘ the same
//! ```
//! Unproven: all old workers serve, and one that dies is replaced from the old preloader, if that still lives. Replacing:
//! the new version counts; each new worker takes the place of the old one that has served most, of those that have nothing
//! to do if there are any, so that one with a long request holds up nobody but itself. Several are started at the same time as
//! far as there is room in the group and the pool and processors to start them; when one is full, only one more than it holds is
//! there at any time ([`crate::pool::capacity::Capacity::extra`]). A further restart makes another [`Roll`]; what was started for
//! the one before leaves again.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::failure::Failure;
use super::{Group, State};
use crate::pool::snapshot::{DeploymentError, RestartStatus};
use crate::pool::worker::Worker;
use crate::spawn::{SpawnError, Spawner};

/// A rolling restart that is under way.
pub(super) struct Roll {
    /// Starts the new version.
    spawner: Rc<Spawner>,
    /// What started the version before, once the new one has proven to start. Its preloader goes last.
    before: Option<Rc<Spawner>>,
    /// Workers that are to be replaced; those that left otherwise are still among them.
    outdated: Vec<Rc<Worker>>,
    replaced: usize,
    /// How many replacements are on their way.
    pub(super) coming: usize,
    failure: Option<(Failure, SystemTime)>,
}

impl Roll {
    pub fn new(spawner: Rc<Spawner>, outdated: Vec<Rc<Worker>>) -> Self {
        Self { spawner, before: None, outdated, replaced: 0, coming: 0, failure: None }
    }

    fn is_of(&self, spawner: &Rc<Spawner>) -> bool {
        Rc::ptr_eq(&self.spawner, spawner)
    }

    /// Whether the new version is known to start.
    pub fn is_proven(&self) -> bool {
        self.before.is_some()
    }

    /// Why the new version does not start, as long as it is too early to try again.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().map(|(failure, _)| failure)
    }

    fn left(&self) -> usize {
        self.outdated.iter().filter(|worker| worker.is_serving()).count()
    }

    /// Whether a further replacement is wanted, which is then said to come.
    fn claim(&mut self) -> bool {
        let is_wanted = self.left() > self.coming || (self.coming == 0 && !self.is_proven());
        self.coming += usize::from(is_wanted);
        is_wanted
    }

    /// The next worker to be replaced.
    fn take_hottest(&mut self) -> Option<Rc<Worker>> {
        self.outdated.retain(|worker| worker.is_serving());
        let index = (0..self.outdated.len()).max_by_key(|&index| {
            let worker = &self.outdated[index];
            (worker.is_idle(), worker.handled())
        })?;
        Some(self.outdated.swap_remove(index))
    }

    /// Whether it brings no new version, but forks of a worker of this one.
    pub fn is_refork(&self) -> bool {
        self.spawner.generation() > 0
    }

    pub fn status(&self) -> RestartStatus {
        let error = self.failure.as_ref().map(|(failure, at)| DeploymentError {
            message: failure.error.to_string(),
            at: at.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()),
            retry_in_seconds: failure.remaining().as_secs(),
        });
        RestartStatus { replaced: self.replaced, total: self.replaced + self.left(), error }
    }
}

impl State {
    /// Whether a worker of the version that counts can be started. While a new one is tried, the files of the one before are
    /// gone, and only its preloader can.
    pub(super) fn may_start(&self) -> bool {
        !self.tries_new_version() || self.spawner.is_loaded()
    }

    /// Whether it is not yet known if the version that is to replace this one starts.
    pub(super) fn tries_new_version(&self) -> bool {
        self.roll.as_ref().is_some_and(|roll| !roll.is_proven())
    }

    /// Gives up a restart that is under way, and what is being started for a version that has not proven to start.
    pub(super) fn give_up_roll(&mut self) {
        if let Some(roll) = self.roll.take().filter(|roll| !roll.is_proven()) {
            roll.spawner.give_up();
        }
    }

    /// Notes that a worker was started by the version before, while a new one is tried.
    pub(super) fn note_outdated(&mut self, worker: &Rc<Worker>) {
        if let Some(roll) = self.roll.as_mut().filter(|roll| !roll.is_proven()) {
            roll.outdated.push(Rc::clone(worker));
        }
    }
}

impl Group {
    /// Replaces workers by those that `spawner` starts, one after the other, until all are replaced or another restart
    /// overtakes this one.
    pub(super) async fn replace_some(self: Rc<Self>, spawner: Rc<Spawner>) {
        while self.with_roll(&spawner, Roll::claim) == Some(true) {
            let permit = self.capacity.extra().await;
            let others = self.others_than_a_replacement();
            // The last one on its way takes the place of somebody; those beside it must find room.
            let is_one_too_many = |roll: &mut Roll| {
                let is_one_too_many = roll.coming > 1 && others > self.config().max_workers;
                roll.coming -= usize::from(is_one_too_many);
                is_one_too_many
            };
            if self.with_roll(&spawner, is_one_too_many) != Some(false) {
                return;
            }
            self.state.borrow_mut().spawning += 1;
            let result = self.start_worker(&spawner, permit).await;
            self.state.borrow_mut().spawning -= 1;
            match result {
                Ok(worker) => {
                    if !self.replace_by(&spawner, worker) {
                        break;
                    }
                }
                Err(error) => match self.deployment_failed(&spawner, error) {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => break,
                },
            }
        }
        self.finish_roll(&spawner);
        self.keep_up(false);
    }

    /// The roll that `spawner` is for, unless it was overtaken.
    fn with_roll<T>(&self, spawner: &Rc<Spawner>, act: impl FnOnce(&mut Roll) -> T) -> Option<T> {
        let mut state = self.state.borrow_mut();
        if state.closing {
            return None;
        }
        state.roll.as_mut().filter(|roll| roll.is_of(spawner)).map(act)
    }

    /// Has a new worker serve instead of an old one; returns whether it was still wanted.
    fn replace_by(self: &Rc<Self>, spawner: &Rc<Spawner>, worker: Rc<Worker>) -> bool {
        let Some((was_proven, old)) = self.with_roll(spawner, |roll| {
            roll.coming -= 1;
            roll.replaced += 1;
            roll.failure = None;
            (roll.is_proven(), roll.take_hottest())
        }) else {
            self.retire(&worker);
            return false;
        };
        if !was_proven {
            self.switch_to(spawner);
        }
        tracing::debug!("worker {} takes the place of {:?}", worker.pid(), old.as_ref().map(|old| old.pid()));
        if old.is_some() || self.has_room() {
            self.welcome(worker);
        } else {
            // Those whose place it was to take are gone, and others have it.
            self.retire(&worker);
        }
        if let Some(old) = old {
            self.retire(&old);
        }
        true
    }

    /// How many workers there would be besides a further one: those that leave count until they are gone.
    fn others_than_a_replacement(&self) -> usize {
        let state = self.state.borrow();
        state.serving.len() + state.leaving.len() + state.spawning
    }

    fn has_room(&self) -> bool {
        self.state.borrow().serving.len() < self.config().max_workers && !self.capacity.is_overdrawn()
    }

    /// The new version starts: from now on it is the one that counts.
    fn switch_to(self: &Rc<Self>, spawner: &Rc<Spawner>) {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut state = self.state.borrow_mut();
        let before = std::mem::replace(&mut state.spawner, Rc::clone(spawner));
        let Some(roll) = &mut state.roll else { return };
        roll.before = Some(before);
        let more = roll.left().min(processors).saturating_sub(1);
        drop(state);
        for _ in 0..more {
            let spawner = Rc::clone(spawner);
            self.in_background(async move |group| group.replace_some(spawner).await);
        }
    }

    /// Notes that the new version does not start; returns when to try again, if it is still wanted.
    fn deployment_failed(&self, spawner: &Rc<Spawner>, error: Rc<SpawnError>) -> Option<tokio::time::Instant> {
        let longest = self.longest_delay();
        let (failure, is_proven) = self.with_roll(spawner, |roll| {
            roll.coming -= 1;
            (Failure::after(roll.failure(), Rc::clone(&error), longest), roll.is_proven())
        })?;
        let root = self.app().root.display().to_string();
        if !is_proven && spawner.generation() > 0 {
            let mut state = self.state.borrow_mut();
            state.roll = None;
            state.spawner.settle();
            drop(state);
            tracing::error!("{error}");
            tracing::error!("{root} is not re-forked before its next restart: the preloader before goes on");
            self.keep_up(false);
            return None;
        }
        if !is_proven && !self.config().resist_deployment_errors {
            tracing::error!("{root} is replaced by a version that does not start, as resist_deployment_errors is off");
            let mut state = self.state.borrow_mut();
            state.roll = None;
            state.spawner = Rc::clone(spawner);
            drop(state);
            self.retire_all();
            self.failed(error);
            return None;
        }
        let (until, seconds) = (failure.until, failure.remaining().as_secs_f64().ceil());
        let serves = if is_proven { "not all of its workers are" } else { "the version before goes on serving" };
        tracing::error!("{error}");
        tracing::error!("{root} was not restarted; {serves}; next try in {seconds} s");
        self.with_roll(spawner, |roll| roll.failure = Some((failure, SystemTime::now())));
        // The version before may be able to replace what it has lost.
        self.keep_up(false);
        self.refuse_waiting();
        Some(until)
    }

    fn finish_roll(&self, spawner: &Rc<Spawner>) {
        if self.with_roll(spawner, |roll| roll.coming == 0 && roll.left() == 0) == Some(true) {
            self.state.borrow_mut().roll = None;
            let what = if spawner.generation() > 0 { "re-forked" } else { "restarted" };
            tracing::info!("{} has been {what}", self.app().root.display());
        }
    }
}
