//! The applications that the instance serves now. A reload of the configuration changes them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::plan::PlannedApp;
use super::sites::{self, Shared};
use crate::config::AppConfig;
use crate::pool::group::Group;
use crate::pool::snapshot::GroupStatus;
use crate::proxy::Site;
use crate::proxy::router::Router;

/// How often it is looked whether requests still wait for an application that was removed.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many groups `passenger status` looks at before requests are served again: that takes some 10 µs.
const STATUS_SLICE: usize = 20;

/// All applications.
pub struct Apps {
    shared: Shared,
    /// In the order of the configuration.
    live: RefCell<Vec<App>>,
    /// Of applications that were removed.
    leaving: RefCell<Vec<Rc<Group>>>,
}

struct App {
    planned: PlannedApp,
    site: Rc<Site>,
}

impl Apps {
    /// Makes the site of each application. No process is started yet.
    pub fn new(shared: Shared, planned: Vec<PlannedApp>) -> Self {
        let app = |planned| App { site: Rc::new(shared.site(&planned, None)), planned };
        let live = planned.into_iter().map(app).collect();
        Self { shared, live: RefCell::new(live), leaving: RefCell::default() }
    }

    /// The groups of all applications, in the order of the configuration, and then of those that leave.
    pub fn groups(&self) -> Vec<Rc<Group>> {
        let live = self.live.borrow();
        live.iter().map(|app| Rc::clone(&app.site.group)).chain(self.leaving.borrow().iter().cloned()).collect()
    }

    /// The way from requests to sites.
    pub fn router(&self) -> Router<Rc<Site>> {
        sites::router(self.live.borrow().iter().map(|app| (&app.planned.config, &app.site)))
    }

    /// What `passenger status` shows. Requests are served in between, so that many groups hold nobody up.
    pub async fn status(&self) -> Vec<GroupStatus> {
        let apps: Vec<_> =
            self.live.borrow().iter().map(|app| (Rc::clone(&app.site), app.planned.config.places())).collect();
        let mut statuses = Vec::with_capacity(apps.len());
        for slice in apps.chunks(STATUS_SLICE) {
            statuses.extend(slice.iter().map(|(site, places)| site.group.status(places.clone(), site.user.name())));
            yield_now().await;
        }
        statuses
    }

    /// Restarts the application of this name.
    ///
    /// # Errors
    /// When there is none; names those that there are.
    pub fn restart(&self, name: &str) -> Result<(), String> {
        let live = self.live.borrow();
        match live.iter().find(|app| app.planned.config.name == name) {
            Some(app) => {
                app.site.group.restart();
                Ok(())
            }
            None => {
                let names: Vec<_> = live.iter().map(|app| app.planned.config.name.as_str()).collect();
                Err(format!("there is no application {name}; there are: {}", names.join(", ")))
            }
        }
    }

    /// Serves what is planned now: starts what is new, ends what is gone, and changes what has changed.
    pub fn replace(&self, planned: Vec<PlannedApp>) {
        let mut before = self.live.take();
        let live = planned.into_iter().map(|planned| {
            match before.iter().position(|app| app.planned.config.name == planned.config.name) {
                Some(index) => self.change(before.swap_remove(index), planned),
                None => self.add(planned),
            }
        });
        let live = live.collect();
        for gone in before {
            self.remove(gone);
        }
        self.live.replace(live);
    }

    fn add(&self, planned: PlannedApp) -> App {
        tracing::info!("{} is new: it is served at {}", planned.config.name, planned.config.places().join(", "));
        let site = Rc::new(self.shared.site(&planned, None));
        let group = Rc::clone(&site.group);
        spawn_local(async move { group.boot_or_retry().await });
        App { planned, site }
    }

    fn change(&self, before: App, planned: PlannedApp) -> App {
        if before.planned.is_as(&planned) {
            return before;
        }
        let group = &before.site.group;
        group.redefine(self.shared.definition(&planned));
        if runs_otherwise(&before.planned, &planned) {
            tracing::info!("{} runs otherwise from now on", planned.config.name);
            group.restart();
        } else {
            tracing::info!("{} has other settings from now on", planned.config.name);
        }
        let site = Rc::new(self.shared.site(&planned, Some(&before.site)));
        App { planned, site }
    }

    fn remove(&self, app: App) {
        tracing::info!("{} is served no longer", app.planned.config.name);
        let group = Rc::clone(&app.site.group);
        self.leaving.borrow_mut().retain(|group| !group.is_gone());
        self.leaving.borrow_mut().push(Rc::clone(&group));
        spawn_local(async move {
            let patience = group.config().shutdown_timeout;
            let served = async {
                while group.is_waited_for() {
                    sleep(INTERVAL).await;
                }
            };
            // Those that still wait then are refused.
            let _ = timeout(patience, served).await;
            group.close();
        });
    }
}

/// Whether processes of the application must be started anew for what has changed.
fn runs_otherwise(before: &PlannedApp, now: &PlannedApp) -> bool {
    let as_before = AppConfig {
        server_names: before.config.server_names.clone(),
        base_uri: before.config.base_uri.clone(),
        pool: crate::config::PoolConfig { threads: now.config.pool.threads, ..before.config.pool.clone() },
        restart: before.config.restart.clone(),
        health_check_paths: before.config.health_check_paths.clone(),
        static_files_dir: before.config.static_files_dir.clone(),
        ..now.config.clone()
    };
    as_before != before.config || now.app != before.app || now.runtime != before.runtime
}
