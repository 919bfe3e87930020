//! All workers of one application, the requests that wait for one, and the decision to start and end workers.
//!
//! ```text
//!              submit                       a slot is free, or a short request fits behind short ones
//!   request ───────────▶ place ──────────────────────────────▶ slot
//!                          │ none                                ▲
//!                          ▼                                     │ answered, worker ready
//!                        queue ──────────────────────────────────┘
//! ```
//! A restart brings a new version: see [`restart`].

mod ending;
mod eviction;
mod failure;
mod growth;
mod idle;
#[cfg(test)]
pub(super) mod inspection;
mod memory;
mod oob_work;
mod placement;
mod queue;
mod queue_time;
mod refork;
mod replacement;
mod request_time;
mod restart;
mod roll;
mod roster;
mod single;
mod tournament;

use std::cell::{Cell, Ref, RefCell};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::detect::App;
use crate::pool::capacity::Capacity;
use crate::pool::exchange::{Exchange, Request};
use crate::pool::limits::Limits;
use crate::pool::service_times::{Route, ServiceTimes};
use crate::pool::session::Ending;
use crate::pool::slot::Slot;
use crate::pool::snapshot::{GroupState, GroupStatus, PreloaderStatus};
use crate::pool::turn::Turn;
use crate::pool::worker::Worker;
use crate::spawn::Spawner;
use failure::Failure;
pub(super) use oob_work::OobWork;
use queue::Queue;
use roll::Roll;
use roster::Roster;

/// What a group must know of the configuration.
pub struct GroupConfig {
    /// The most workers, at least 1; with those of other groups there may be fewer.
    pub max_workers: usize,
    /// Workers that are kept when there is nothing to do.
    pub min_workers: usize,
    /// How many requests a worker serves at the same time, unless it is multiplexed; at least 1.
    pub threads: usize,
    /// Whether it starts with the instance; else with its first request.
    pub pre_start: bool,
    /// How long a worker may have nothing to do, if there are more than `min_workers`; `None` for ever.
    pub idle_time: Option<Duration>,
    /// How long the preloader may fork nobody; `None` for ever.
    pub preloader_idle_time: Option<Duration>,
    /// The most requests that wait; 0 for no limit.
    pub max_queue: usize,
    /// Requests after which a worker is replaced; 0 for never.
    pub max_requests: u64,
    /// Requests of one worker after which the others are forked from it anew: a number for each generation, the last one
    /// for all further ones; 0 for not any more. Empty for never.
    pub refork_after: Vec<u64>,
    /// The other limits of requests and workers.
    pub limits: Limits,
    /// The most requests that a worker serves at the same time, without WebSockets; 0 for no limit.
    pub max_concurrent_requests: usize,
    /// Whether a restart replaces one worker after the other, but in development.
    pub rolling_restarts: bool,
    /// Whether the version before goes on serving when the new one does not start.
    pub resist_deployment_errors: bool,
    /// How long the requests of a worker that is to leave may take, and then its shutdown hooks.
    pub shutdown_timeout: Duration,
    /// `development`, `production`…
    pub environment: String,
}

impl GroupConfig {
    /// After how many requests of one worker the others are forked from it, in this generation.
    fn refork_limit(&self, generation: u32) -> Option<u64> {
        let number = self.refork_after.get(generation as usize).or(self.refork_after.last())?;
        (*number > 0).then_some(*number)
    }

    /// Whether a restart replaces one worker after the other.
    fn rolls(&self) -> bool {
        self.rolling_restarts && !self.is_development()
    }

    /// After how many requests one worker is replaced; 0 for never.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.limits.lifetime(self.max_requests)
    }

    /// Whether a developer is looking: errors are shown, and a restart is waited for.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.environment == "development"
    }
}

/// What a group runs, and within which limits. A reload of the configuration brings another.
pub struct Definition {
    /// What is run.
    pub app: App,
    /// The limits, and other settings.
    pub config: GroupConfig,
    /// Makes a spawner that loads the application as it is then.
    pub new_spawner: Box<dyn Fn() -> Rc<Spawner>>,
}

struct State {
    spawner: Rc<Spawner>,
    /// A restart that replaces one worker after the other.
    roll: Option<Roll>,
    /// The worker whose successor is being started.
    replaced: Option<Rc<Worker>>,
    serving: Vec<Rc<Worker>>,
    leaving: Vec<Rc<Worker>>,
    queue: Queue,
    spawning: usize,
    failure: Option<Failure>,
    /// It has been booted, or asked for: its minimum is kept from then on.
    awake: bool,
    /// Whether the worker that came last is multiplexed.
    multiplexed: bool,
    closing: bool,
    emptied: Option<Waker>,
}

/// A group.
pub struct Group {
    definition: RefCell<Definition>,
    turn: Rc<Turn>,
    capacity: Rc<Capacity>,
    /// Whether it stands in the pool's lines for those that need a worker.
    pub(in crate::pool) in_first_line: Cell<bool>,
    pub(in crate::pool) in_second_line: Cell<bool>,
    times: RefCell<ServiceTimes>,
    /// The workers that serve, by what they have to do.
    roster: RefCell<Roster>,
    state: RefCell<State>,
    me: Weak<Self>,
    /// When the next try to start a worker after a failed one is planned.
    retry_planned: Cell<Option<Instant>>,
    queue_watched: Cell<bool>,
    requests_watched: Cell<bool>,
    memory_watched: Cell<bool>,
    is_reforking: Cell<bool>,
    watches_idleness: Cell<bool>,
}

impl Group {
    /// A group without workers, for which `capacity` has room.
    pub fn new(definition: Definition, turn: Rc<Turn>, capacity: Rc<Capacity>) -> Rc<Self> {
        let state = State {
            spawner: (definition.new_spawner)(),
            roll: None,
            replaced: None,
            serving: Vec::new(),
            leaving: Vec::new(),
            queue: Queue::default(),
            spawning: 0,
            failure: None,
            awake: false,
            multiplexed: false,
            closing: false,
            emptied: None,
        };
        let roster = RefCell::new(Roster::new(definition.config.max_concurrent_requests));
        let group = Rc::new_cyclic(|me| Self {
            definition: RefCell::new(definition),
            turn,
            capacity,
            in_first_line: Cell::new(false),
            in_second_line: Cell::new(false),
            times: RefCell::default(),
            roster,
            state: RefCell::new(state),
            me: me.clone(),
            retry_planned: Cell::new(None),
            queue_watched: Cell::new(false),
            requests_watched: Cell::new(false),
            memory_watched: Cell::new(false),
            is_reforking: Cell::new(false),
            watches_idleness: Cell::new(false),
        });
        group.capacity.join(&group);
        group
    }

    /// What it runs.
    #[must_use]
    pub fn app(&self) -> Ref<'_, App> {
        Ref::map(self.definition.borrow(), |definition| &definition.app)
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> Ref<'_, GroupConfig> {
        Ref::map(self.definition.borrow(), |definition| &definition.config)
    }

    /// What loads the application as it is now.
    fn new_spawner(&self) -> Rc<Spawner> {
        (self.definition.borrow().new_spawner)()
    }

    /// The number under which the group remembers how long such a request takes.
    #[must_use]
    pub fn route(&self, method: &str, target: &str) -> Route {
        self.times.borrow().route(method, target)
    }

    /// Whether its workers serve many requests at the same time, as far as it has any.
    #[must_use]
    pub fn is_multiplexed(&self) -> bool {
        self.roster.borrow().is_multiplexed()
    }

    /// Gives a request to a worker, or lets it wait for one. The exchange tells what becomes of it.
    pub fn submit(&self, exchange: Rc<Exchange>) {
        let mut state = self.state.borrow_mut();
        if state.closing {
            return exchange.end(Ending::Closing);
        }
        let is_health_check = exchange.request().is_health_check;
        let reserved = exchange.sticks_to().filter(|number| !is_health_check && self.roster.borrow().has(*number));
        if reserved.is_none() && exchange.sticks_to().is_some() {
            // It waits among those who may go anywhere, so it must not wait for one worker at their front.
            exchange.stick_to(Some(0));
        }
        let is_first = reserved.map_or_else(|| state.queue.is_empty(), |number| !state.queue.has_for(number));
        if (is_first || is_health_check)
            && let Some(placement) = self.place(&exchange)
        {
            drop(state);
            placement.slot.dispatch(exchange, placement.expected);
            if placement.crowded {
                self.keep_up(true);
            }
            return;
        }
        if let Some(error) = state.refusal() {
            return exchange.end(Ending::NotSpawned(error));
        }
        if !is_health_check && state.queue.is_full(self.config().max_queue) {
            return exchange.end(Ending::QueueFull);
        }
        state.queue.push(exchange, self.now_if_limited(), reserved);
        state.awake = true;
        drop(state);
        self.watch_queue();
        // Another worker can't serve one that waits for its own.
        self.keep_up(reserved.is_none());
    }

    /// Serves the queue from its front, as far as there are slots; also those who wait for the worker with this number.
    pub(in crate::pool) fn feed(&self, number: Option<u32>) {
        loop {
            let mut state = self.state.borrow_mut();
            let Some((exchange, line)) = state.queue.front(number) else { return };
            let Some(placement) = self.place(&exchange) else { return };
            state.queue.pop_front(line);
            drop(state);
            placement.slot.dispatch(exchange, placement.expected);
        }
    }

    /// What a worker has to do has changed in one of its slots.
    pub(in crate::pool) fn rank(&self, worker: &Worker, slot: &Slot) {
        self.roster.borrow_mut().rank(worker, slot);
    }

    /// A worker has answered; returns the time by which it was used last.
    pub(in crate::pool) fn tick(&self) -> u64 {
        self.capacity.tick()
    }

    /// A worker has answered a request.
    pub(in crate::pool) fn answered(&self, worker: &Rc<Worker>, request: &Request, micros: u32) {
        self.times.borrow_mut().record(request.route, micros);
        if worker.has_had_its_time() && self.replace(worker) {
            tracing::info!("worker {} has served {} requests; it is replaced", worker.pid(), worker.handled());
        }
        self.refork_if_due(worker);
        if !self.state.borrow().queue.is_deserted() {
            self.feed(Some(worker.number()));
        }
        if worker.oob_work().get() != OobWork::None {
            self.keep_up_oob_work();
        }
        self.capacity.idle(self, worker);
    }

    /// Has a worker leave when it is done.
    pub(in crate::pool) fn retire(&self, worker: &Rc<Worker>) {
        self.roster.borrow_mut().leave(worker);
        let mut state = self.state.borrow_mut();
        state.stops_serving(worker);
        state.leaving.push(Rc::clone(worker));
        let any_released = state.queue.release(worker.number());
        drop(state);
        worker.leave();
        if any_released {
            self.feed(None);
        }
    }

    /// A worker is gone.
    pub(in crate::pool) fn forget(&self, worker: &Rc<Worker>, unexpected: bool) {
        self.roster.borrow_mut().leave(worker);
        let mut state = self.state.borrow_mut();
        state.stops_serving(worker);
        state.leaving.retain(|other| !Rc::ptr_eq(other, worker));
        let any_released = state.queue.release(worker.number());
        let emptied = if state.serving.is_empty() && state.leaving.is_empty() { state.emptied.take() } else { None };
        drop(state);
        if let Some(waker) = emptied {
            waker.wake();
        }
        if !worker.is_promoted() {
            worker.report_exit(unexpected);
        }
        if any_released {
            self.feed(None);
        }
        self.keep_up(false);
        self.keep_up_oob_work();
    }

    /// What `passenger status` shows; `places` is where the application is reached, `user` is as whom it runs.
    #[must_use]
    pub fn status(&self, places: Vec<String>, user: String) -> GroupStatus {
        let Definition { app, config, .. } = &*self.definition.borrow();
        let most = config.max_concurrent_requests;
        let state = self.state.borrow();
        let condition = match (&state.failure, state.serving.is_empty()) {
            (Some(_), true) => GroupState::Broken,
            (None, true) if state.spawning == 0 => GroupState::Asleep,
            (None, true) => GroupState::Spawning,
            (_, false) => GroupState::Running,
        };
        GroupStatus {
            name: app.name.clone(),
            places,
            app_root: app.root.clone(),
            kind: app.kind.name().to_owned(),
            environment: config.environment.clone(),
            user,
            state: condition,
            queue_size: state.queue.count(),
            queue_max: config.max_queue,
            spawning: state.spawning + usize::from(state.replaced.is_some()),
            restart: state.roll.as_ref().map(Roll::status),
            generation: state.spawner.generation(),
            preloader: state.spawner.preloader().map(|(pid, was_worker)| PreloaderStatus::new(pid, was_worker)),
            last_spawn_error: state.failure.as_ref().map(|failure| failure.error.to_string()),
            workers: state.serving.iter().chain(&state.leaving).map(|worker| worker.status(most)).collect(),
        }
    }
}
