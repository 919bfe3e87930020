//! The agent's process: from its listening sockets to its last worker.

mod boot;
mod commands;
mod daemon;
mod drain;
mod launch;
mod listeners;
pub mod logging;
mod plan;
mod report;
mod sites;
mod watched;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::admin;
use crate::http::connection::Connection;
use crate::http::lobby::Lobby;
use crate::instance;
use crate::pool::capacity::{Capacity, Size};
use crate::pool::group::Group;
use crate::pool::snapshot::{GroupStatus, InstanceStatus};
use crate::pool::turn::Turn;
use crate::proxy::{Proxy, Site};
use crate::spawn::reaper::Reaper;
use crate::sys;
use crate::watchdog::Estate;

pub use launch::launch;
pub use plan::{Plan, PlannedApp};

use report::Report;
use sites::Shared;
use watched::Watchdog;

/// The first argument of an agent's command line.
pub const NAME: &str = "agent";

/// The kernel should rather end applications than what serves all of them.
const OOM_SCORE: i32 = -500;

/// The argument that says why an agent is not the instance's first.
pub const REASON: &str = "reason";
/// The one before it died.
pub const AFTER_DEATH: &str = "death";
/// It is to take the place of the one that serves.
pub const UPGRADE: &str = "upgrade";

/// How many groups `passenger status` looks at before requests are served again: that takes some 10 µs.
const STATUS_SLICE: usize = 20;

/// Why the instance could not be started; the text is for the person who started it.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StartError {
    fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// What an agent process does: serves what its instance's plan says until it is told to stop.
pub fn run(program: PathBuf, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = Estate::take_over(arguments).map_err(StartError).and_then(|(mut estate, others)| {
        let reason = others.iter().find(|(name, _)| name == REASON).map(|(_, reason)| reason.as_str());
        let mut report = match (reason, estate.report.take()) {
            (Some(_), _) => Report::log(),
            (None, Some(pipe)) => Report::parent(pipe.into()),
            (None, None) => Report::terminal(),
        };
        let plan: Plan = instance::read(&estate.directory, instance::PLAN).map_err(StartError::new)?;
        report.names_apps(plan.apps.len() > 1);
        let report = Rc::new(report);
        let serve = || {
            serve(
                plan,
                Rc::new(estate),
                Watchdog::link(program, &others)?,
                Rc::clone(&report),
                reason == Some(AFTER_DEATH),
            )
        };
        serve().inspect_err(|error| report.failed(error))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("passenger: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(
    plan: Plan,
    estate: Rc<Estate>,
    watchdog: Watchdog,
    report: Rc<Report>,
    after_death: bool,
) -> Result<(), StartError> {
    sys::memory::keep_for_reuse();
    let log = estate.log.as_ref().map(|log| log.try_clone().map(File::from)).transpose();
    logging::start(plan.instance.log_level, log.map_err(StartError::new)?);
    sys::oom::spare(estate.oom_score.min(OOM_SCORE), estate.oom_score);
    sys::process::become_subreaper().map_err(StartError::new)?;
    if let Err(error) = sys::limits::raise_open_files() {
        tracing::warn!("the limit on open files could not be raised: {error}; connections may be refused under load");
    }
    // One thread serves; the others only write files, and end when there is nothing to write.
    let event_loop = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_stack_size(256 * 1024)
        .build()
        .map_err(StartError::new)?;
    let addresses = plan.instance.listen.iter().map(ToString::to_string).collect();
    let instance = Instance { plan, estate, addresses, report, after_death };
    LocalSet::new().block_on(&event_loop, instance.run(watchdog))
}

/// What the instance is made of.
struct Instance {
    plan: Plan,
    estate: Rc<Estate>,
    addresses: Vec<String>,
    report: Rc<Report>,
    /// It takes the place of one that died: people wait already.
    after_death: bool,
}

impl Instance {
    async fn run(self, watchdog: Watchdog) -> Result<(), StartError> {
        let started = Instant::now();
        let watchdog = Rc::new(watchdog);
        spawn_local({
            let (watchdog, estate) = (Rc::clone(&watchdog), Rc::clone(&self.estate));
            async move { watchdog.answer(&estate).await }
        });
        let mut stop = drain::Signals::listen().map_err(StartError::new)?;
        let children = Reaper::listen().map_err(StartError::new)?;
        let reaper = Rc::new(Reaper::default());
        let turn = Rc::new(Turn::default());
        spawn_local({
            let reaper = Rc::clone(&reaper);
            async move { reaper.run(children).await }
        });
        spawn_local({
            let turn = Rc::clone(&turn);
            async move { turn.run().await }
        });

        let capacity = Capacity::new(
            self.plan.instance.max_pool_size.map_or(Size::Auto, Size::Fixed),
            self.plan.instance.max_spawns,
        );
        spawn_local({
            let capacity = Rc::clone(&capacity);
            async move { capacity.run().await }
        });
        let shared = Shared { reaper, turn, capacity: Rc::clone(&capacity), report: Rc::clone(&self.report) };
        let sites = shared.sites(&self.plan.apps);
        let groups: Vec<Rc<Group>> = sites.iter().map(|site| Rc::clone(&site.group)).collect();
        for planned in &self.plan.apps {
            self.report.starting(planned);
        }
        if self.after_death {
            // What can be served at once is.
            spawn_local(boot::boot_or_retry(groups.clone()));
        } else {
            tokio::select! {
                result = boot::boot(&groups) => result.map_err(StartError::new)?,
                () = stop.wait() => {
                    groups.iter().for_each(|group| group.kill());
                    return Ok(());
                }
            }
        }

        let lobby = Rc::new(Lobby::default());
        let proxy = Rc::new(Proxy {
            router: sites::router(self.plan.apps.iter().map(|planned| &planned.config).zip(&sites)),
            buffer_dir: Rc::from(&*self.estate.directory),
        });
        let admin = self.serve_admin(&sites, capacity, started).map_err(StartError::new)?;
        spawn_local({
            let lobby = Rc::clone(&lobby);
            async move { lobby.tidy().await }
        });
        let doors = self.open_doors(&proxy, &lobby).map_err(StartError::new)?;
        self.report.ready(&self.addresses, &self.plan, &groups, started.elapsed());
        watchdog.ready();
        // What loading the configuration and starting up took is not needed again.
        sys::memory::trim();

        stop.wait().await;
        self.report.stopping();
        for door in doors {
            door.abort();
        }
        drain::drain(&lobby, &groups, &mut stop).await;
        admin.abort();
        Ok(())
    }

    fn serve_admin(
        &self,
        sites: &[Rc<Site>],
        capacity: Rc<Capacity>,
        started: Instant,
    ) -> io::Result<tokio::task::JoinHandle<()>> {
        let listener = tokio::net::UnixListener::from_std(instance::listen_for_admin(&self.estate.directory)?)?;
        let config = &self.plan.instance;
        let (environment, addresses) = (config.environment.clone(), self.addresses.clone());
        let places = self.plan.apps.iter().map(|planned| planned.config.places());
        let groups: Vec<_> = sites.iter().map(|site| Rc::clone(&site.group)).collect();
        let sites: Vec<_> = sites.iter().map(Rc::clone).zip(places).collect();
        let snapshot = async move || InstanceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            environment: environment.clone(),
            addresses: addresses.clone(),
            uptime_seconds: started.elapsed().as_secs(),
            max_pool_size: capacity.limit(),
            max_pool_size_reason: capacity.reason(),
            groups: statuses(&sites).await,
        };
        Ok(spawn_local(admin::server::serve(listener, async move |command| {
            commands::obey(command, &groups, &snapshot).await
        })))
    }

    fn open_doors(&self, proxy: &Rc<Proxy>, lobby: &Rc<Lobby>) -> io::Result<Vec<tokio::task::JoinHandle<()>>> {
        let listeners = listeners::open(&self.estate.listeners, &self.plan.instance.listen)?;
        let doors = listeners.into_iter().map(|listener| {
            let (proxy, lobby) = (Rc::clone(proxy), Rc::clone(lobby));
            let serve = move |socket, peer| {
                let connection = Connection::new(socket, peer, Rc::clone(&lobby));
                spawn_local(Rc::clone(&proxy).serve(connection));
            };
            spawn_local(listener.run(Rc::new(serve)))
        });
        Ok(doors.collect())
    }
}

/// What all groups look like. Requests are served in between, so that many groups hold nobody up.
async fn statuses(sites: &[(Rc<Site>, Vec<String>)]) -> Vec<GroupStatus> {
    let mut statuses = Vec::with_capacity(sites.len());
    for slice in sites.chunks(STATUS_SLICE) {
        statuses.extend(slice.iter().map(|(site, places)| site.group.status(places.clone(), site.user.name())));
        yield_now().await;
    }
    statuses
}
