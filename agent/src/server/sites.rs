//! From what is planned to what serves it.

use std::rc::Rc;

use super::plan::PlannedApp;
use super::report::Report;
use crate::config::{AppConfig, SpawnMethod};
use crate::pool::capacity::Capacity;
use crate::pool::group::{Definition, Group, GroupConfig};
use crate::pool::restart::RestartFiles;
use crate::pool::turn::Turn;
use crate::proxy::router::Router;
use crate::proxy::{Site, StaticFiles, StickySessions};
use crate::spawn::reaper::Reaper;
use crate::spawn::{Launch, Spawner};

/// What all applications of an instance share.
pub struct Shared {
    /// Hears of processes that end.
    pub reaper: Rc<Reaper>,
    /// The event loop's turns.
    pub turn: Rc<Turn>,
    /// How many workers there may be.
    pub capacity: Rc<Capacity>,
    /// Tells whoever started the instance.
    pub report: Rc<Report>,
}

impl Shared {
    /// Makes the site of an application, with the group of the one before if there is one. No process is started yet.
    pub fn site(&self, planned: &PlannedApp, before: Option<&Site>) -> Site {
        let new = || Group::new(self.definition(planned), Rc::clone(&self.turn), Rc::clone(&self.capacity));
        let restart_dir = &planned.config.restart.dir;
        // A touch that no request has seen yet still counts.
        let restart = before.filter(|before| before.restart.are_in(restart_dir)).map_or_else(
            || Rc::new(RestartFiles::new(restart_dir, Rc::clone(&self.turn))),
            |before| Rc::clone(&before.restart),
        );
        Site {
            group: before.map_or_else(new, |before| Rc::clone(&before.group)),
            health_check_paths: planned.config.health_check_paths.clone(),
            sticky_sessions: planned
                .config
                .sticky_sessions
                .as_ref()
                .map(|cookie| StickySessions::new(&cookie.name, &planned.config.base_uri, &cookie.attributes)),
            static_files: StaticFiles::new(
                planned.config.static_files_dir.clone(),
                Rc::clone(&planned.user),
                Rc::clone(&self.turn),
            ),
            user: Rc::clone(&planned.user),
            restart,
        }
    }

    /// What a group must know of an application.
    pub fn definition(&self, PlannedApp { config, app, runtime, user }: &PlannedApp) -> Definition {
        let group_config = GroupConfig {
            max_workers: config.pool.max_instances,
            min_workers: config.pool.min_instances,
            threads: config.pool.threads,
            pre_start: config.pool.pre_start,
            idle_time: config.pool.idle_time,
            preloader_idle_time: config.pool.preloader_idle_time,
            max_queue: config.pool.max_request_queue_size,
            max_requests: config.pool.max_requests,
            refork_after: config.pool.refork_after.clone(),
            limits: config.pool.limits.clone(),
            max_concurrent_requests: config.pool.max_concurrent_requests,
            rolling_restarts: config.restart.rolling,
            resist_deployment_errors: config.restart.resists_errors,
            shutdown_timeout: config.restart.shutdown_timeout,
            environment: config.environment.clone(),
        };
        let show_errors = group_config.is_development();
        let preload = config.spawn_method == SpawnMethod::Smart;
        let new_spawner = {
            let (app, runtime, environment) = (app.clone(), runtime.clone(), config.environment.clone());
            let (user, processes) = (Rc::clone(user), config.processes.clone());
            let (slots, start_timeout) = (config.pool.threads, config.pool.start_timeout);
            let (reaper, report) = (Rc::clone(&self.reaper), Rc::clone(&self.report));
            move || {
                let launch = Launch {
                    app: app.clone(),
                    runtime: runtime.clone(),
                    user: Rc::clone(&user),
                    processes: processes.clone(),
                    environment: environment.clone(),
                    slots,
                    start_timeout,
                    show_errors,
                    progress: Box::new({
                        let (report, name) = (Rc::clone(&report), app.name.clone());
                        move |step| report.step(&name, step)
                    }),
                };
                Rc::new(Spawner::new(Rc::new(launch), preload, Rc::clone(&reaper)))
            }
        };
        Definition { app: app.clone(), config: group_config, new_spawner: Box::new(new_spawner) }
    }
}

/// The way from requests to sites.
pub fn router<'a>(sites: impl IntoIterator<Item = (&'a AppConfig, &'a Rc<Site>)>) -> Router<Rc<Site>> {
    let mut router = Router::default();
    for (config, site) in sites {
        router.add(&config.server_names, &config.base_uri, site);
    }
    router
}
