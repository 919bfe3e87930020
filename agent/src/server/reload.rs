//! SIGHUP: the configuration is read again, and what can be changed while requests are served is changed.
//!
//! ```text
//!   SIGHUP ──▶ read it again ──▶ applications, limits, log level: from now on
//!                    │      └──▶ addresses and files of the server: said to need a restart of the server
//!                    └ it has errors: they are logged, nothing changes
//! ```

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::apps::Apps;
use super::logging;
use super::origin::Origin;
use super::plan::Plan;
use crate::config::InstanceConfig;
use crate::instance::{self, PLAN, PROPERTIES, Properties};
use crate::pool::capacity::{Capacity, Size};
use crate::proxy::Proxy;

/// Asks for a reload.
pub struct Hangups {
    signal: Signal,
    /// A terminal that is closed sends the signal, too; then the server is to end, unless it was started to outlive that.
    has_terminal: bool,
}

impl Hangups {
    /// Begins to listen for them. With `nohup` they never mean that the terminal is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen(nohup: bool) -> std::io::Result<Self> {
        Ok(Self { signal: signal(SignalKind::hangup())?, has_terminal: !nohup && has_terminal() })
    }

    /// Waits for one; returns whether it asks for a reload, and not for the end.
    pub async fn next(&mut self) -> bool {
        self.signal.recv().await;
        !self.has_terminal || has_terminal()
    }
}

fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// What a reload changes.
pub struct Reload<'a> {
    /// What the configuration is read from.
    pub origin: &'a Origin,
    /// What it said about the instance.
    pub instance: InstanceConfig,
    /// What `passenger status` calls the instance's environment.
    pub environment: Rc<RefCell<String>>,
    /// The applications.
    pub apps: Rc<Apps>,
    /// Who routes to them.
    pub proxy: Rc<Proxy>,
    /// How many workers there may be.
    pub capacity: Rc<Capacity>,
    /// The instance's directory: where commands find it, and the next agent what to serve.
    pub directory: &'a Path,
}

impl Reload<'_> {
    /// Reads the configuration again.
    pub fn run(&mut self) {
        match self.origin.plan() {
            Ok(plan) => self.apply(plan),
            Err(reasons) => {
                for reason in reasons {
                    tracing::error!("the configuration was not reloaded, everything stays as it is: {reason}");
                }
            }
        }
    }

    fn apply(&mut self, mut plan: Plan) {
        let changed = fixed(&self.instance, &plan.instance, plan.origin.listen != self.origin.listen);
        for name in changed {
            tracing::warn!("{name} has changed in the configuration; that needs a restart of the server");
        }
        self.instance.environment = plan.instance.environment;
        self.environment.borrow_mut().clone_from(&self.instance.environment);
        self.instance.log_level = plan.instance.log_level;
        self.instance.max_pool_size = plan.instance.max_pool_size;
        self.instance.max_spawns = plan.instance.max_spawns;
        plan.instance = self.instance.clone();
        if let Err(error) = self.note(&plan) {
            tracing::error!("commands and the next agent will not know of the new configuration: {error}");
        }
        logging::set_level(self.instance.log_level);
        let size = self.instance.max_pool_size.map_or(Size::Auto, Size::Fixed);
        self.capacity.resize(size, self.instance.max_spawns);
        self.apps.replace(plan.apps);
        *self.proxy.router.borrow_mut() = self.apps.router();
        tracing::info!("the configuration has been reloaded");
    }

    /// Writes down what is served now.
    fn note(&self, plan: &Plan) -> std::io::Result<()> {
        instance::write(self.directory, PLAN, plan)?;
        let mut properties: Properties = instance::read(self.directory, PROPERTIES)?;
        properties.environment.clone_from(&plan.instance.environment);
        properties.app_roots = plan.apps.iter().map(|planned| planned.config.root.clone()).collect();
        instance::write(self.directory, PROPERTIES, &properties)
    }
}

/// The settings that have changed, but can't while the server runs.
fn fixed(before: &InstanceConfig, now: &InstanceConfig, listens_elsewhere: bool) -> Vec<&'static str> {
    let changed = [
        ("the address to listen on", listens_elsewhere),
        ("pid_file", before.pid_file != now.pid_file),
        ("log_file", before.log_file != now.log_file),
        ("instance_registry_dir", before.registry_dir != now.registry_dir),
        ("daemonize", before.daemonize != now.daemonize),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}
