//! What is wrong with the configuration, in one line.

use std::fmt;

/// A setting that cannot be used. Its text names the place, the setting and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    on_command_line: bool,
}

impl ConfigError {
    /// An error in `Passengerfile.json` or the environment.
    pub(super) fn new(message: String) -> Self {
        Self { message, on_command_line: false }
    }

    /// An error in what was typed.
    pub(super) fn on_command_line(message: String) -> Self {
        Self { message, on_command_line: true }
    }

    /// Whether the command was typed wrongly, as opposed to a file or the environment being wrong.
    pub fn is_usage_error(&self) -> bool {
        self.on_command_line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
