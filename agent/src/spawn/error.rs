//! Why an application could not be started, told so that its owner can do something about it.

use std::fmt;
use std::path::PathBuf;

use crate::app::detect::App;

/// A failed start. It travels once to the log, to `passenger status`, to the terminal and to the error page.
#[derive(Debug, Clone)]
pub struct SpawnError {
    /// The application's directory.
    pub app_root: PathBuf,
    /// What was being done: "loading config.ru".
    pub step: String,
    /// What went wrong, in one line.
    pub reason: String,
    /// What the program said: a backtrace, its last output.
    pub output: String,
    /// What to do about it, when that is known.
    pub hint: Option<String>,
}

impl SpawnError {
    /// An error without output and hint.
    pub(super) fn new(app: &App, step: &str, reason: impl Into<String>) -> Self {
        Self {
            app_root: app.root.clone(),
            step: step.to_owned(),
            reason: reason.into(),
            output: String::new(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The server ends before the worker was ready.
    #[must_use]
    pub fn closing(app: &App) -> Self {
        Self::new(app, "starting a worker", "the server is ending")
    }

    /// The worker is ready but can't be talked to.
    #[must_use]
    pub fn channels(app: &App, error: &std::io::Error) -> Self {
        Self::new(app, "connecting to the worker", error.to_string())
            .with_hint("Raise the limit on open files (ulimit -n).")
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be started: while {}: {}", self.app_root.display(), self.step, self.reason)?;
        if let Some(hint) = &self.hint {
            write!(f, ". {hint}")?;
        }
        if !self.output.is_empty() {
            write!(f, "\n{}", self.output.trim_end())?;
        }
        Ok(())
    }
}

impl std::error::Error for SpawnError {}
