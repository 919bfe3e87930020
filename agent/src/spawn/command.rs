//! What is needed to start processes of an application, and the command that does.

use std::process::Command;
use std::time::Duration;

use passenger_native::control::{App as LoadedApp, Interface};

use crate::app::detect::App;
use crate::app::runtime::Ruby;

/// How to start an application's processes.
pub struct Launch {
    /// What to run.
    pub app: App,
    /// What runs it.
    pub ruby: Ruby,
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
        let mut command = Command::new(&self.ruby.interpreter);
        command.arg(&self.ruby.boot).current_dir(&self.app.root);
        for name in ["RACK_ENV", "RAILS_ENV", "PASSENGER_APP_ENV"] {
            command.env(name, &self.environment);
        }
        command
    }

    /// What the process is told to load.
    pub(super) fn load(&self) -> LoadedApp {
        LoadedApp {
            root: self.app.root.to_string_lossy().into_owned(),
            startup_file: Some(self.app.startup_file.to_string_lossy().into_owned()),
            entry: None,
            factory: false,
            app_dir: None,
            interface: Some(Interface::Rack),
            environment: self.environment.clone(),
            multithread: self.slots > 1,
            show_errors: self.show_errors,
        }
    }
}
