//! One running instance, from its listening sockets to its last worker.

mod daemon;
mod drain;
mod listeners;
mod logging;
mod report;

use std::fmt;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::task::{LocalSet, spawn_local};

use crate::admin;
use crate::app::detect::App;
use crate::app::runtime;
use crate::config::{Config, SpawnMethod};
use crate::http::connection::Connection;
use crate::http::lobby::Lobby;
use crate::instance::{InstanceDir, Properties};
use crate::pid_file::PidFile;
use crate::pool::group::{Group, GroupConfig};
use crate::pool::restart::RestartFile;
use crate::pool::snapshot::InstanceStatus;
use crate::pool::turn::Turn;
use crate::proxy::{Proxy, StaticFiles};
use crate::spawn::reaper::Reaper;
use crate::spawn::{Launch, Spawner};
use crate::sys;

use listeners::Bound;
use report::Report;

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

/// Serves `app` until the process is told to stop. With `daemonize` it returns when the instance in the background is
/// ready.
///
/// # Errors
/// An address that can't be had, files that can't be written, an application that does not start.
pub fn run(config: Config, app: App) -> Result<(), StartError> {
    // Everything that can be wrong before the application is loaded is found out while the terminal is still there.
    let ruby = runtime::ruby(config.ruby.as_deref()).map_err(StartError::new)?;
    let bound = listeners::bind(&config.listen).map_err(StartError)?;
    let log = logging::open(config.log_file.as_deref()).map_err(StartError)?;
    let report = match daemon::split(&config, log.as_ref())? {
        daemon::Side::Parent(outcome) => {
            // They are the server's now; dropping them here would remove its socket files.
            std::mem::forget(bound);
            return outcome;
        }
        daemon::Side::Server(report) => report,
    };
    let report = Rc::new(report);
    let result = serve(config, app, ruby, bound, log, Rc::clone(&report));
    if let Err(error) = &result {
        report.failed(error);
    }
    result
}

fn serve(
    config: Config,
    app: App,
    ruby: runtime::Ruby,
    bound: Vec<Bound>,
    log: Option<std::fs::File>,
    report: Rc<Report>,
) -> Result<(), StartError> {
    logging::start(config.log_level, log);
    sys::process::become_subreaper().map_err(StartError::new)?;
    if let Err(error) = sys::limits::raise_open_files() {
        tracing::warn!("the limit on open files could not be raised: {error}; connections may be refused under load");
    }
    let _pid_file = config.pid_file.as_deref().map(PidFile::create).transpose().map_err(StartError::new)?;
    let addresses: Vec<String> = bound.iter().map(|bound| bound.address.to_string()).collect();
    let properties = Properties {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        app_root: config.app_root.clone(),
        addresses: addresses.clone(),
        environment: config.environment.clone(),
        started_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()),
        pid_file: config.pid_file.clone(),
    };
    let directory = InstanceDir::create(&config.registry_dir, &properties).map_err(StartError::new)?;
    // One thread serves; the others only write files, and end when there is nothing to write.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_stack_size(256 * 1024)
        .build()
        .map_err(StartError::new)?;
    let instance = Instance { config, app, ruby, bound, addresses, report };
    LocalSet::new().block_on(&runtime, instance.run(&directory))
}

/// What the instance is made of.
struct Instance {
    config: Config,
    app: App,
    ruby: runtime::Ruby,
    bound: Vec<Bound>,
    addresses: Vec<String>,
    report: Rc<Report>,
}

impl Instance {
    async fn run(self, directory: &InstanceDir) -> Result<(), StartError> {
        let started = Instant::now();
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

        let group = self.group(&reaper, &turn);
        let restart = RestartFile::new(&self.config.app_root, Rc::clone(&turn));
        self.report.starting(&self.app, &self.config.environment);
        tokio::select! {
            result = group.boot() => result.map_err(StartError::new)?,
            () = stop.wait() => {
                group.kill();
                return Ok(());
            }
        }

        let lobby = Rc::new(Lobby::default());
        let proxy = Rc::new(Proxy {
            group: Rc::clone(&group),
            restart,
            static_files: StaticFiles::new(self.config.static_files_dir.clone(), Rc::clone(&turn)),
            buffer_dir: Rc::from(Path::new(directory.path())),
        });
        let admin = self.serve_admin(directory, &group, started).map_err(StartError::new)?;
        spawn_local({
            let lobby = Rc::clone(&lobby);
            async move { lobby.tidy().await }
        });
        let doors = self.open_doors(&proxy, &lobby).map_err(StartError::new)?;
        self.report.ready(&self.addresses, &self.config, started.elapsed());
        // What loading the configuration and starting up took is not needed again.
        sys::memory::trim();

        stop.wait().await;
        self.report.stopping();
        for door in doors {
            door.abort();
        }
        drain::drain(&lobby, &group, &mut stop).await;
        admin.abort();
        Ok(())
    }

    fn group(&self, reaper: &Rc<Reaper>, turn: &Rc<Turn>) -> Rc<Group> {
        let config = &self.config;
        let group_config = GroupConfig {
            max_workers: config.pool.max_pool_size,
            min_workers: config.pool.min_instances,
            max_queue: config.pool.max_request_queue_size,
            max_requests: config.pool.max_requests,
            environment: config.environment.clone(),
        };
        let show_errors = group_config.is_development();
        let preload = config.spawn_method == SpawnMethod::Smart;
        let new_spawner = {
            let (app, ruby, environment) = (self.app.clone(), self.ruby.clone(), config.environment.clone());
            let (slots, start_timeout) = (config.pool.threads, config.pool.start_timeout);
            let (reaper, report) = (Rc::clone(reaper), Rc::clone(&self.report));
            move || {
                let launch = Launch {
                    app: app.clone(),
                    ruby: ruby.clone(),
                    environment: environment.clone(),
                    slots,
                    start_timeout,
                    show_errors,
                    progress: Box::new({
                        let report = Rc::clone(&report);
                        move |step| report.step(step)
                    }),
                };
                Rc::new(Spawner::new(Rc::new(launch), preload, Rc::clone(&reaper)))
            }
        };
        Group::new(self.app.clone(), group_config, Rc::clone(turn), Box::new(new_spawner))
    }

    fn serve_admin(
        &self,
        directory: &InstanceDir,
        group: &Rc<Group>,
        started: Instant,
    ) -> io::Result<tokio::task::JoinHandle<()>> {
        let listener = tokio::net::UnixListener::from_std(directory.listen_for_admin()?)?;
        let (environment, addresses) = (self.config.environment.clone(), self.addresses.clone());
        let (group, max_pool_size) = (Rc::clone(group), self.config.pool.max_pool_size);
        let snapshot = move || InstanceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            environment: environment.clone(),
            addresses: addresses.clone(),
            uptime_seconds: started.elapsed().as_secs(),
            max_pool_size,
            groups: vec![group.status()],
        };
        Ok(spawn_local(admin::server::serve(listener, snapshot)))
    }

    fn open_doors(&self, proxy: &Rc<Proxy>, lobby: &Rc<Lobby>) -> io::Result<Vec<tokio::task::JoinHandle<()>>> {
        self.bound
            .iter()
            .map(|bound| {
                let (proxy, lobby) = (Rc::clone(proxy), Rc::clone(lobby));
                let serve = move |socket, peer| {
                    let connection = Connection::new(socket, peer, Rc::clone(&lobby));
                    spawn_local(Rc::clone(&proxy).serve(connection));
                };
                Ok(spawn_local(bound.listener()?.run(Rc::new(serve))))
            })
            .collect()
    }
}
