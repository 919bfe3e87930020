//! One running instance, from its listening sockets to its last worker.

mod boot;
mod daemon;
mod drain;
mod listeners;
mod logging;
mod plan;
mod report;
mod sites;

use std::fmt;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::task::{LocalSet, spawn_local};

use crate::admin;
use crate::http::connection::Connection;
use crate::http::lobby::Lobby;
use crate::instance::{InstanceDir, Properties};
use crate::pid_file::PidFile;
use crate::pool::capacity::Capacity;
use crate::pool::group::Group;
use crate::pool::snapshot::InstanceStatus;
use crate::pool::turn::Turn;
use crate::proxy::{Proxy, Site};
use crate::spawn::reaper::Reaper;
use crate::sys;

pub use plan::{Plan, PlannedApp};

use listeners::Bound;
use report::Report;
use sites::Shared;

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

/// Serves what is planned until the process is told to stop. In the background it returns when the instance is ready.
///
/// # Errors
/// An address that can't be had, files that can't be written, an only application that does not start.
pub fn run(plan: Plan) -> Result<(), StartError> {
    // Everything that can be wrong before an application is loaded is found out while the terminal is still there.
    let config = &plan.instance;
    let bound = listeners::bind(&config.listen).map_err(StartError)?;
    let log = logging::open(config.log_file.as_deref()).map_err(StartError)?;
    let mut report = match daemon::split(config, log.as_ref())? {
        daemon::Side::Parent(outcome) => {
            // They are the server's now; dropping them here would remove its socket files.
            std::mem::forget(bound);
            return outcome;
        }
        daemon::Side::Server(report) => report,
    };
    sys::memory::keep_for_reuse();
    report.names_apps(plan.apps.len() > 1);
    let report = Rc::new(report);
    let result = serve(plan, bound, log, Rc::clone(&report));
    if let Err(error) = &result {
        report.failed(error);
    }
    result
}

fn serve(plan: Plan, bound: Vec<Bound>, log: Option<std::fs::File>, report: Rc<Report>) -> Result<(), StartError> {
    let config = &plan.instance;
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
        root: config.root.clone(),
        app_roots: plan.apps.iter().map(|planned| planned.config.root.clone()).collect(),
        addresses: addresses.clone(),
        environment: config.environment.clone(),
        started_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()),
        pid_file: config.pid_file.clone(),
    };
    let directory = InstanceDir::create(&config.registry_dir, &properties).map_err(StartError::new)?;
    // One thread serves; the others only write files, and end when there is nothing to write.
    let event_loop = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_stack_size(256 * 1024)
        .build()
        .map_err(StartError::new)?;
    let instance = Instance { plan, bound, addresses, report };
    LocalSet::new().block_on(&event_loop, instance.run(&directory))
}

/// What the instance is made of.
struct Instance {
    plan: Plan,
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

        let capacity = Capacity::new(self.plan.instance.max_pool_size);
        spawn_local({
            let capacity = Rc::clone(&capacity);
            async move { capacity.run().await }
        });
        let shared = Shared { reaper, turn, capacity, report: Rc::clone(&self.report) };
        let sites = shared.sites(&self.plan.apps);
        let groups: Vec<Rc<Group>> = sites.iter().map(|site| Rc::clone(&site.group)).collect();
        for planned in &self.plan.apps {
            self.report.starting(planned);
        }
        tokio::select! {
            result = boot::boot(&groups) => result.map_err(StartError::new)?,
            () = stop.wait() => {
                groups.iter().for_each(|group| group.kill());
                return Ok(());
            }
        }

        let lobby = Rc::new(Lobby::default());
        let proxy = Rc::new(Proxy {
            router: sites::router(self.plan.apps.iter().map(|planned| &planned.config).zip(&sites)),
            buffer_dir: Rc::from(Path::new(directory.path())),
        });
        let admin = self.serve_admin(directory, &sites, started).map_err(StartError::new)?;
        spawn_local({
            let lobby = Rc::clone(&lobby);
            async move { lobby.tidy().await }
        });
        let doors = self.open_doors(&proxy, &lobby).map_err(StartError::new)?;
        self.report.ready(&self.addresses, &self.plan, &groups, started.elapsed());
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
        directory: &InstanceDir,
        sites: &[Rc<Site>],
        started: Instant,
    ) -> io::Result<tokio::task::JoinHandle<()>> {
        let listener = tokio::net::UnixListener::from_std(directory.listen_for_admin()?)?;
        let config = &self.plan.instance;
        let (environment, addresses, max_pool_size) =
            (config.environment.clone(), self.addresses.clone(), config.max_pool_size);
        let places = self.plan.apps.iter().map(|planned| planned.config.places());
        let sites: Vec<_> = sites.iter().map(Rc::clone).zip(places).collect();
        let snapshot = move || InstanceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            environment: environment.clone(),
            addresses: addresses.clone(),
            uptime_seconds: started.elapsed().as_secs(),
            max_pool_size,
            groups: sites.iter().map(|(site, places)| site.group.status(places.clone(), site.user.name())).collect(),
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
