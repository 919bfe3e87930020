//! What is wrong with the configuration, in one line.

use std::fmt;

/// A setting that cannot be used. Its text names the place, the setting and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    on_command_line: bool,
}

impl ConfigError {
    /// An error in a Passengerfile or the environment.
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

/// Everything that is wrong with the configuration; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// These, which are some. One that was found in several ways is kept once.
    pub(super) fn of(errors: Vec<ConfigError>) -> Self {
        let mut kept: Vec<ConfigError> = Vec::with_capacity(errors.len());
        for error in errors {
            if !kept.contains(&error) {
                kept.push(error);
            }
        }
        Self(kept)
    }

    /// Fails if there is an error.
    pub(super) fn none(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::of(errors)) }
    }

    /// Whether the command was typed wrongly, and nothing else is wrong.
    pub fn is_usage_error(&self) -> bool {
        self.0.iter().all(ConfigError::is_usage_error)
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for ConfigErrors {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One error a line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_end = if index > 0 { "\n" } else { "" };
            write!(formatter, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
