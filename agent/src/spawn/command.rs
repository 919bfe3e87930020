//! What is needed to start processes of an application, and the command that does.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use passenger_native::control::App as LoadedApp;

use crate::app::detect::{App, Start};
use crate::app::process::ProcessConfig;
use crate::app::runtime::Runtime;
use crate::app::user::AppUser;
use crate::sys;
use crate::sys::user::Identity;

use super::SpawnError;
use super::access::{Need, obstacle};
use super::environment;
use super::login_shell;
use super::reaper::Reaper;

/// How to start an application's processes.
pub struct Launch {
    /// What to run.
    pub app: App,
    /// What runs it.
    pub runtime: Runtime,
    /// As which user.
    pub user: Rc<AppUser>,
    /// The environment and the limits of its processes.
    pub processes: ProcessConfig,
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
    /// Finds out as which user the next process runs, and that the user can get at the application.
    pub(super) fn user(&self) -> Result<Option<Rc<Identity>>, SpawnError> {
        let failed = |reason: String| SpawnError::new(&self.app, "finding out the user to run it as", reason);
        let Some(user) = self.user.look_up().map_err(failed)? else { return Ok(None) };
        let mut needs = vec![(&*self.app.root, Need::Enter)];
        if let Start::File(file) = &self.app.start {
            needs.push((file, Need::Read));
        }
        needs.extend([(&*self.runtime.interpreter, Need::Execute), (&self.runtime.boot, Need::Read)]);
        for (path, need) in needs {
            if let Some(obstacle) = obstacle(&user, path, need).map_err(|error| self.cannot_switch(&user, &error))? {
                return Err(SpawnError::new(&self.app, &format!("preparing to run as {}", user.name), obstacle)
                    .with_hint("Give that user access (chmod o+rx, or chown), choose the user with --user, or run the application as root with --no-user-switching"));
            }
        }
        Ok(Some(user))
    }

    /// As which user processes ran that are there already.
    pub(super) fn current_user(&self) -> Result<Option<Rc<Identity>>, SpawnError> {
        let failed = |reason| SpawnError::new(&self.app, "finding out the user to run it as", reason);
        self.user.current().map_err(failed)
    }

    /// The error that the system does not let the agent start processes of `user`.
    pub(super) fn cannot_switch(&self, user: &Identity, error: &std::io::Error) -> SpawnError {
        SpawnError::new(&self.app, &format!("preparing to run as {}", user.name), error.to_string()).with_hint(
            "The server runs as root, but without the right to change users (CAP_SETUID and CAP_SETGID); grant it, or switch this off with --no-user-switching",
        )
    }

    /// The command that starts an interpreter, for processes of `user`, which then waits for orders.
    pub(super) async fn command(&self, user: Option<&Identity>, reaper: &Rc<Reaper>) -> Result<Command, SpawnError> {
        let mut variables = environment::inherited(std::env::vars_os(), user);
        if self.processes.load_shell_envvars {
            variables = login_shell::environment(self, user, variables, reaper).await?;
        }
        variables.extend(self.runtime.variables(&self.environment));
        variables.extend(self.processes.envvars.iter().map(|(name, value)| (name.into(), value.into())));
        environment::enter(&mut variables, &self.app.root);
        let mut command = self.runtime.command();
        command.env_clear().envs(variables).current_dir(&self.app.root);
        if let Some(limit) = self.processes.open_files {
            sys::limits::allow_open_files(limit).map_err(|error| {
                SpawnError::new(&self.app, &format!("setting app_file_descriptor_ulimit to {limit}"), error.to_string())
                    .with_hint(
                        "Lower it, or raise the hard limit of the server (ulimit -Hn, LimitNOFILE= in a systemd unit)",
                    )
            })?;
        }
        sys::process::confine(&mut command, user, self.processes.open_files);
        Ok(command)
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
