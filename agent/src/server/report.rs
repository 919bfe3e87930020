//! What the person who started the instance is told: on the terminal, or through a pipe by the process that waits for
//! an instance in the background.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

use super::{PlannedApp, StartError};
use crate::app::detect::Start;
use crate::config::InstanceConfig;
use crate::pool::snapshot::{GroupState, GroupStatus};

/// Stands before everything else on the pipe: the instance is ready.
pub const READY: u8 = b'1';
/// The instance could not be started; the reason follows.
const FAILED: u8 = b'0';

/// Speaks to whoever started the instance.
pub struct Report {
    /// The process that waits for an instance in the background; it is told once.
    parent: Option<Cell<Option<File>>>,
    /// It is told in the log.
    is_log: bool,
    is_ready: Cell<bool>,
    /// Whether steps say of which application they are.
    names_apps: bool,
}

impl Report {
    /// Reports on the terminal.
    pub fn terminal() -> Self {
        Self { parent: None, is_log: false, is_ready: Cell::new(false), names_apps: false }
    }

    /// Reports to the process that waits.
    pub fn parent(pipe: File) -> Self {
        Self { parent: Some(Cell::new(Some(pipe))), ..Self::terminal() }
    }

    /// Reports to the log alone: nobody waits for this agent.
    pub fn log() -> Self {
        Self { is_log: true, is_ready: Cell::new(true), ..Self::terminal() }
    }

    /// Says whether there are several applications, which must be told apart.
    pub fn names_apps(&mut self, names_apps: bool) {
        self.names_apps = names_apps;
    }

    /// The application is about to be loaded, or will be with its first request.
    pub fn starting(&self, PlannedApp { app, config, user, .. }: &PlannedApp) {
        let entry = match &app.start {
            Start::Entry(entry) => format!("{} in ", entry.object),
            Start::File(_) => String::new(),
        };
        let (starting, later) =
            if config.pool.pre_start { ("starting ", "") } else { ("", " starts with its first request") };
        self.say(&format!(
            "Phusion Passenger {}: {starting}{entry}{} ({}, {}) as {}{later}\n",
            env!("CARGO_PKG_VERSION"),
            app.root.display(),
            app.kind.name(),
            config.environment,
            user.name(),
        ));
        if let Some(surprise) = user.surprise() {
            tracing::warn!("{}: {surprise}", app.root.display());
        }
    }

    /// A step of starting the application called `app` begins. After the first start these are the log's matter.
    pub fn step(&self, app: &str, step: &str) {
        let whose = if self.names_apps { format!("{app}: ") } else { String::new() };
        if self.is_ready.get() {
            tracing::info!("{whose}{step}");
        } else {
            self.say(&format!("  {whose}{step}…\n"));
        }
    }

    /// The instance serves these applications.
    pub fn ready(&self, addresses: &[String], config: &InstanceConfig, apps: &[GroupStatus], took: Duration) {
        self.is_ready.set(true);
        let urls: Vec<String> = addresses.iter().map(|address| url(address)).collect();
        let how_to_stop =
            if config.daemonize { format!("passenger stop {}", config.root.display()) } else { "Ctrl-C".to_owned() };
        let mut text = format!("Ready in {:.1} s\n  address      {}\n", took.as_secs_f64(), urls.join(" "));
        for app in apps {
            text.push_str(&format!("  application  {}\n", self.application(app)));
        }
        text.push_str(&format!("  environment  {}\n", config.environment));
        if let Some(log) = &config.log_file {
            text.push_str(&format!("  log          {}\n", log.display()));
        }
        text.push_str(&format!("  stop with    {how_to_stop}\n"));
        self.say(&text);
        self.tell_parent(READY, &text);
        if self.is_log {
            tracing::info!("agent {} serves", std::process::id());
        }
    }

    fn application(&self, app: &GroupStatus) -> String {
        let note = match app.state {
            GroupState::Broken => "; it could not be started, see passenger status",
            GroupState::Asleep => "; it starts with its first request",
            GroupState::Running | GroupState::Spawning => "",
        };
        if !self.names_apps {
            return format!("{}{note}", app.app_root.display());
        }
        format!("{} at {} in {}{note}", app.name, app.places.join(", "), app.app_root.display())
    }

    /// The instance could not be started.
    pub fn failed(&self, error: &StartError) {
        self.tell_parent(FAILED, &error.to_string());
    }

    /// The instance was told to stop.
    pub fn stopping(&self) {
        self.say("Stopping…\n");
    }

    fn say(&self, text: &str) {
        if self.parent.is_none() && !self.is_log {
            // That nobody reads is no reason not to serve.
            let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
        }
    }

    fn tell_parent(&self, outcome: u8, text: &str) {
        if let Some(mut pipe) = self.parent.as_ref().and_then(Cell::take) {
            let _ = pipe.write_all(&[outcome]).and_then(|()| pipe.write_all(text.as_bytes()));
        }
    }
}

fn url(address: &str) -> String {
    match address.strip_prefix("unix:") {
        Some(_) => address.to_owned(),
        // A browser can't open the address that means all addresses.
        None => format!("http://{}/", address.replace("0.0.0.0:", "localhost:").replace("[::]:", "localhost:")),
    }
}
