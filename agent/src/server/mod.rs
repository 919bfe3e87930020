//! The agent's process: from its listening sockets to its last worker.

mod apps;
mod boot;
mod commands;
mod daemon;
mod drain;
mod launch;
mod listeners;
pub mod logging;
mod origin;
mod plan;
mod reload;
mod report;
mod sites;
mod watched;

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{LocalSet, spawn_local};

use crate::admin;
use crate::config::InstanceConfig;
use crate::http::connection::Connection;
use crate::http::lobby::Lobby;
use crate::instance;
use crate::pool::capacity::{Capacity, Size};
use crate::pool::turn::Turn;
use crate::proxy::Proxy;
use crate::spawn::reaper::Reaper;
use crate::sys;
use crate::watchdog::Estate;

pub use launch::launch;
pub use plan::{Plan, PlannedApp};

use apps::Apps;
use commands::Desk;
use origin::Origin;
use reload::{Hangups, Reload};
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
        let plan = Plan::read(&estate.directory).map_err(StartError)?;
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
    let Plan { instance: config, apps, origin } = plan;
    let instance = Instance { config, origin, estate, addresses, report, after_death };
    LocalSet::new().block_on(&event_loop, instance.run(apps, watchdog))
}

/// What the instance is made of.
struct Instance {
    config: InstanceConfig,
    origin: Origin,
    estate: Rc<Estate>,
    addresses: Vec<String>,
    report: Rc<Report>,
    /// It takes the place of one that died: people wait already.
    after_death: bool,
}

impl Instance {
    async fn run(self, planned: Vec<PlannedApp>, watchdog: Watchdog) -> Result<(), StartError> {
        let started = Instant::now();
        let watchdog = Rc::new(watchdog);
        spawn_local({
            let (watchdog, estate) = (Rc::clone(&watchdog), Rc::clone(&self.estate));
            async move { watchdog.answer(&estate).await }
        });
        let mut stop = drain::Signals::listen().map_err(StartError::new)?;
        let mut hangups = Hangups::listen(self.estate.ignores_hangups).map_err(StartError::new)?;
        let mut questions = signal(SignalKind::quit()).map_err(StartError::new)?;
        // Heard so that it does not end the agent: others reopen their logs then.
        let _heard = signal(SignalKind::user_defined1()).map_err(StartError::new)?;
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

        let capacity = Capacity::new(self.config.max_pool_size.map_or(Size::Auto, Size::Fixed), self.config.max_spawns);
        spawn_local({
            let capacity = Rc::clone(&capacity);
            async move { capacity.run().await }
        });
        for planned in &planned {
            self.report.starting(planned);
        }
        let shared = Shared { reaper, turn, capacity: Rc::clone(&capacity), report: Rc::clone(&self.report) };
        let apps = Rc::new(Apps::new(shared, planned));
        let groups = apps.groups();
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
        let proxy =
            Rc::new(Proxy { router: RefCell::new(apps.router()), buffer_dir: Rc::from(&*self.estate.directory) });
        let environment = Rc::new(RefCell::new(self.config.environment.clone()));
        let admin = self.serve_admin(&environment, &apps, &capacity, started).map_err(StartError::new)?;
        spawn_local({
            let lobby = Rc::clone(&lobby);
            async move { lobby.tidy().await }
        });
        let doors = self.open_doors(&proxy, &lobby).map_err(StartError::new)?;
        watchdog.ready();
        self.report.ready(&self.addresses, &self.config, &apps.status().await, started.elapsed());
        // What loading the configuration and starting up took is not needed again.
        sys::memory::trim();

        let mut reload = Reload {
            origin: &self.origin,
            instance: self.config.clone(),
            environment,
            apps: Rc::clone(&apps),
            proxy: Rc::clone(&proxy),
            capacity,
            directory: &self.estate.directory,
        };
        loop {
            tokio::select! {
                () = stop.wait() => break,
                is_wanted = hangups.next() => if is_wanted { reload.run() } else { break },
                _ = questions.recv() => apps.groups().iter().for_each(|group| group.print_all_backtraces()),
            }
        }
        watchdog.leave();
        self.report.stopping();
        for door in doors {
            door.abort();
        }
        drain::drain(&lobby, &apps.groups(), &mut stop).await;
        admin.abort();
        Ok(())
    }

    fn serve_admin(
        &self,
        environment: &Rc<RefCell<String>>,
        apps: &Rc<Apps>,
        capacity: &Rc<Capacity>,
        started: Instant,
    ) -> io::Result<tokio::task::JoinHandle<()>> {
        let listener = tokio::net::UnixListener::from_std(instance::listen_for_admin(&self.estate.directory)?)?;
        let desk = Desk {
            environment: Rc::clone(environment),
            addresses: self.addresses.clone(),
            apps: Rc::clone(apps),
            capacity: Rc::clone(capacity),
            started,
        };
        Ok(spawn_local(admin::server::serve(listener, async move |command| desk.obey(command).await)))
    }

    fn open_doors(&self, proxy: &Rc<Proxy>, lobby: &Rc<Lobby>) -> io::Result<Vec<tokio::task::JoinHandle<()>>> {
        let listeners = listeners::open(&self.estate.listeners, &self.config.listen)?;
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
