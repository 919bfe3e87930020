//! What is needed to start processes of an application, and the command that does.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use passenger_native::control::App as LoadedApp;

use crate::app::detect::{App, Start};
use crate::app::runtime::Runtime;

/// How to start an application's processes.
pub struct Launch {
    /// What to run.
    pub app: App,
    /// What runs it.
    pub runtime: Runtime,
    /// `development`, `production`…
    pub environment: String,
    /// Slots a worker has.
    pub slots: usize,
    /// How long loading or forking may take.
    pub start_timeout: Duration,
    /// Whether error pages may show exceptions.
    pub show_errors: bool,
    /// Told of each step.
    pub progress: Box<dyn Fn(&str)>,
}

impl Launch {
    /// The command that starts an interpreter which then waits for orders.
    pub(super) fn command(&self) -> Command {
        let mut command = self.runtime.command(&self.environment);
        command.current_dir(&self.app.root);
        command
    }

    /// What the process is told to load.
    pub(super) fn load(&self) -> LoadedApp {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (startup_file, entry) = match &self.app.start {
            Start::File(file) => (Some(text(file)), None),
            Start::Entry(entry) => (None, Some(entry)),
        };
        LoadedApp {
            root: text(&self.app.root),
            startup_file,
            entry: entry.map(|entry| entry.object.clone()),
            factory: entry.is_some_and(|entry| entry.factory),
            app_dir: self.app.app_dir.as_deref().map(text),
            interface: self.app.kind.interface(),
            environment: self.environment.clone(),
            multithread: self.slots > 1,
            show_errors: self.show_errors,
        }
    }
}
