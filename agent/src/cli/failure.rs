//! Why a command did not do what it was asked for.

use crate::app::detect::DetectError;
use crate::config::ConfigErrors;
use std::fmt;
use std::process::ExitCode;

/// What is told to the user, and whether he can do better by typing something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    message: String,
    is_usage_error: bool,
}

impl Failure {
    /// The command was right but could not be carried out.
    pub(super) fn failed(message: String) -> Self {
        Self { message, is_usage_error: false }
    }

    /// The command was typed wrongly; `command`'s help says how it is typed.
    pub(super) fn usage(message: &str, command: Option<&str>) -> Self {
        let help = command.map_or("passenger help".to_owned(), |command| format!("passenger help {command}"));
        Self { message: format!("{message} (see: {help})"), is_usage_error: true }
    }

    /// Several reasons; each is told as one alone would be.
    pub(super) fn several(reasons: &[String]) -> Self {
        Self::failed(reasons.join("\npassenger: "))
    }

    /// Settings that `command` cannot use.
    pub(super) fn config(errors: &ConfigErrors, command: &str) -> Self {
        let message = errors.to_string().replace('\n', "\npassenger: ");
        if errors.is_usage_error() { Self::usage(&message, Some(command)) } else { Self::failed(message) }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.is_usage_error { 2 } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<DetectError> for Failure {
    fn from(error: DetectError) -> Self {
        Self::failed(error.to_string())
    }
}
