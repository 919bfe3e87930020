//! A pool, its applications, its clients and what befalls them.

use std::cell::{Cell, Ref, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;

use super::chance::Chance;
use super::invariants;
use super::ledger::Ledger;
use super::machine::{Machine, Os};
use super::process::{Process, Role, Version};
use super::trace::Trace;
use crate::app::detect::{App, Start};
use crate::app::kind::AppKind;
use crate::app::process::ProcessConfig;
use crate::app::runtime::Runtime;
use crate::app::user::{AppUser, UserRules};
use crate::pool::capacity::{Capacity, Size};
use crate::pool::group::{Definition, Group, GroupConfig};
use crate::pool::limits::Limits;
use crate::pool::turn::Turn;
use crate::spawn::reaper::Reaper;
use crate::spawn::{Launch, Spawner};

/// An application of a world.
pub struct Site {
    pub group: Rc<Group>,
    pub max_concurrent: usize,
    /// The version that a restart loads, and whether the next one is broken.
    pub version: Cell<u32>,
    pub is_broken: Cell<bool>,
    /// A request hangs in one of its workers; only a restart ends that.
    pub has_hung: Cell<bool>,
    pub watch: invariants::Watch,
}

pub struct World {
    pub chance: Chance,
    pub trace: Rc<Trace>,
    pub ledger: Ledger,
    pub machine: Machine,
    pub capacity: Rc<Capacity>,
    pub limit: usize,
    /// Things go wrong.
    pub troubled: Cell<bool>,
    /// How long applications take to load at most, and how often something goes wrong with a start and a request.
    habits: (u64, u64, u64),
    sites: RefCell<Vec<Rc<Site>>>,
}

impl World {
    pub fn new(seed: u64, keep_trace: bool) -> Rc<Self> {
        let chance = Chance::new(seed);
        let trace = Rc::new(Trace::new(keep_trace));
        let limit = chance.size(1..7);
        let calm = chance.one_in(4);
        let habits = (
            [5, 200, 3000][chance.size(0..3)],
            if calm { 0 } else { chance.within(3..20) },
            if calm { 0 } else { chance.within(5..60) },
        );
        let world = Rc::new(Self {
            ledger: Ledger::new(Rc::clone(&trace)),
            machine: Machine::new(),
            capacity: Capacity::new(Size::Fixed(limit), chance.size(1..4)),
            limit,
            troubled: Cell::new(true),
            habits,
            sites: RefCell::default(),
            chance,
            trace,
        });
        let turn = Rc::new(Turn::default());
        spawn_local({
            let turn = Rc::clone(&turn);
            async move { turn.run().await }
        });
        spawn_local({
            let capacity = Rc::clone(&world.capacity);
            async move { capacity.run().await }
        });
        for index in 0..world.chance.size(1..5) {
            let site = world.site(index, &turn);
            world.sites.borrow_mut().push(site);
        }
        world
    }

    pub fn apps(&self) -> Ref<'_, Vec<Rc<Site>>> {
        self.sites.borrow()
    }

    fn site(self: &Rc<Self>, index: usize, turn: &Rc<Turn>) -> Rc<Site> {
        let chance = &self.chance;
        let multiplexed = chance.one_in(4);
        let max_workers = chance.size(1..6);
        let max_concurrent = if multiplexed && chance.one_in(2) { chance.size(1..8) } else { 0 };
        let (slots, start_timeout) = (if chance.one_in(3) { chance.size(2..4) } else { 1 }, chance.within(4..12));
        let config = GroupConfig {
            threads: slots,
            pre_start: !chance.one_in(8),
            idle_time: chance.one_in(3).then(|| chance.millis(500..200_000)),
            preloader_idle_time: chance.one_in(3).then(|| chance.millis(500..200_000)),
            max_workers,
            min_workers: chance.size(0..3).min(max_workers),
            max_queue: if chance.one_in(3) { chance.size(1..20) } else { 0 },
            max_requests: if chance.one_in(4) { chance.within(1..15) } else { 0 },
            max_concurrent_requests: max_concurrent,
            refork_after: Vec::new(),
            rolling_restarts: !chance.one_in(5),
            resist_deployment_errors: !chance.one_in(5),
            shutdown_timeout: chance.millis(2000..30_000),
            // No jitter, which nobody could repeat.
            limits: Limits { queue_time: chance.one_in(5).then(|| chance.millis(50..5000)), ..Limits::default() },
            environment: if chance.one_in(5) { "development" } else { "production" }.to_owned(),
        };
        let app = App {
            name: format!("app{index}"),
            root: PathBuf::from(format!("/apps/{index}")),
            kind: AppKind::Rack,
            start: Start::File(PathBuf::from(format!("/apps/{index}/config.ru"))),
            app_dir: None,
        };
        self.trace.note(|| {
            let GroupConfig { max_workers, min_workers, max_queue, max_requests, environment, .. } = &config;
            format!(
                "app {index}: {min_workers} to {max_workers} workers of {}, queue {max_queue}, {max_requests} requests, \
                 {max_concurrent} at a time{}, {environment}",
                self.limit,
                if multiplexed { ", multiplexed" } else { "" }
            )
        });
        let preload = chance.one_in(2);
        let world = Rc::clone(self);
        let new_spawner = {
            let app = app.clone();
            let environment = config.environment.clone();
            let user = Rc::new(AppUser::of(&app, UserRules::default()).unwrap());
            move || {
                let launch = Launch {
                    app: app.clone(),
                    runtime: Runtime::of_nothing(),
                    user: Rc::clone(&user),
                    processes: ProcessConfig::default(),
                    environment: environment.clone(),
                    slots,
                    start_timeout: Duration::from_secs(start_timeout),
                    show_errors: false,
                    progress: Box::new(|_| {}),
                };
                Rc::new(Spawner::new(Rc::new(launch), preload, world.reaper(index, multiplexed)))
            }
        };
        let group = Group::new(
            Definition { app, config, new_spawner: Box::new(new_spawner) },
            Rc::clone(turn),
            Rc::clone(&self.capacity),
        );
        Rc::new(Site {
            group,
            max_concurrent,
            version: Cell::new(0),
            is_broken: Cell::new(false),
            has_hung: Cell::new(false),
            watch: invariants::Watch::default(),
        })
    }

    /// What a spawner of a new version of an application sees of the system.
    fn reaper(self: &Rc<Self>, index: usize, multiplexed: bool) -> Rc<Reaper> {
        let (boot, boot_trouble, trouble) = self.habits;
        // The first is made before the world knows of the application.
        let site = self.apps().get(index).cloned();
        let number = site.as_ref().map_or(0, |site| site.version.replace(site.version.get() + 1) + 1);
        let version = Rc::new(Version {
            app: index,
            number,
            broken: site.as_ref().is_some_and(|site| site.is_broken.get()),
            boot: self.chance.within(0..boot),
            boot_trouble,
            trouble,
            multiplexed,
        });
        self.trace.note(|| format!("{version:?}"));
        let world = Rc::clone(self);
        Rc::new_cyclic(|reaper| Reaper::of(Box::new(Os { world, version, reaper: reaper.clone() })))
    }

    /// A worker begins with a request.
    pub fn begin(&self, process: &Process, id: usize) {
        process.running.set(process.running.get() + 1);
        self.ledger.begun(id, process.version.app, process.pid);
        let most = self.apps()[process.version.app].max_concurrent;
        let within = most == 0 || !process.version.multiplexed || process.running.get() <= most;
        let what = || format!("worker {} has {} of {most}", process.pid, process.running.get());
        self.trace.expect("no worker has more requests than it may", within, what);
        self.check();
    }

    /// A request hangs.
    pub async fn hang(&self, process: &Process, id: usize) -> bool {
        self.trace.note(|| format!("request {id} hangs in worker {}", process.pid));
        self.apps()[process.version.app].has_hung.set(true);
        std::future::pending().await
    }

    /// A worker is done with a request, and has answered it or given it up.
    pub fn finish(&self, process: &Process, id: usize, answered: bool) {
        process.running.set(process.running.get() - 1);
        if answered {
            self.ledger.answered(id, process.pid);
        }
    }

    /// Whether no worker of an application is of a version that was replaced.
    pub fn is_new(&self, index: usize) -> bool {
        let newest = self.apps()[index].version.get();
        let workers = self.machine.with_role(Role::Worker);
        workers.iter().all(|worker| worker.version.app != index || worker.version.number == newest)
    }

    /// Looks at everything that must always hold.
    pub fn check(&self) {
        invariants::check(self);
    }

    /// Ends what the world holds of the pool.
    pub fn clear(&self) {
        self.sites.borrow_mut().clear();
    }
}
