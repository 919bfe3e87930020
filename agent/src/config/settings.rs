//! The settings from all places, merged, each with the place that it came from.

use super::ConfigError;
use super::passengerfile::{self, Entry};
use super::value::{self, Bases, Value};
use passenger_native::options::{self, DefaultValue, OPTIONS, OptionSpec};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The environment variables that count.
pub type Environment = HashMap<OsString, OsString>;

/// The options that were typed, in that order; of one that was typed twice the last counts. Flags have the value
/// `true` or `false`.
pub type CommandLine = Vec<(&'static OptionSpec, OsString)>;

/// The place of a setting, from weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Default,
    Passengerfile,
    Environment,
    CommandLine,
}

struct Setting {
    value: Value,
    source: Source,
    /// How errors name it, such as `--port 99999`.
    shown: String,
}

/// What holds for each option, by its name. Options with a computed default are missing until somebody sets them.
pub(super) struct Settings(HashMap<&'static str, Setting>);

impl Settings {
    /// Merges all places for the application in `app_root`.
    pub(super) fn collect(
        app_root: &Path,
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let file = passengerfile::read(app_root, &Bases::in_file(app_root, environment))?;
        Self::merge(OPTIONS, &file, &Bases::outside(app_root, environment), command_line, environment)
    }

    /// Like [`Self::collect`] for the option called `name` alone: mistakes in others do not matter.
    pub(super) fn collect_one(
        name: &str,
        app_root: &Path,
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let file = passengerfile::read(app_root, &Bases::in_file(app_root, environment)).unwrap_or_default();
        let option = options::find(name).map(std::slice::from_ref).unwrap_or_default();
        Self::merge(option, &file, &Bases::outside(app_root, environment), command_line, environment)
    }

    /// Only what was typed; other places do not count.
    pub(super) fn typed(app_root: &Path, command_line: &CommandLine) -> Result<Self, ConfigError> {
        let environment = Environment::new();
        Self::merge(OPTIONS, &[], &Bases::outside(app_root, &environment), command_line, &environment)
    }

    fn merge(
        options: &'static [OptionSpec],
        file: &[Entry],
        bases: &Bases,
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let mut settings = HashMap::new();
        for option in options {
            let read = |source, raw: &OsStr, shown: String| match value::read(option, raw, bases) {
                Ok(value) => Ok(Setting { value, source, shown }),
                Err(reason) => Err(complaint(source, &shown, &reason)),
            };
            // From the weakest place to the strongest.
            if let DefaultValue::Fixed(default) = option.default {
                let shown = format!("{} (default {default})", option.name);
                settings.insert(option.name, read(Source::Default, OsStr::new(default), shown)?);
            }
            if let Some(Entry { value, shown, .. }) = file.iter().find(|entry| entry.option.name == option.name) {
                let source = Source::Passengerfile;
                settings.insert(option.name, Setting { value: value.clone(), source, shown: shown.clone() });
            }
            let given = |name: String| Some((environment.get(OsStr::new(&name)).filter(|raw| !raw.is_empty())?, name));
            if let Some((raw, name)) = option.environment_variables().find_map(given) {
                let shown = format!("{name}={} (environment)", raw.display());
                settings.insert(option.name, read(Source::Environment, raw, shown)?);
            }
            if let Some((_, raw)) = command_line.iter().rfind(|(typed, _)| typed.name == option.name) {
                let shown = format!("--{} {}", option.long(), raw.display());
                settings.insert(option.name, read(Source::CommandLine, raw, shown.trim_end().to_owned())?);
            }
        }
        Ok(Self(settings))
    }

    /// Where the option was set; [`Source::Default`] when nowhere.
    pub(super) fn source(&self, name: &str) -> Source {
        self.0.get(name).map_or(Source::Default, |setting| setting.source)
    }

    /// The value of an option that holds text or one of a few words.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match &self.0.get(name)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an option that holds a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.0.get(name)?.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// The value of an option that holds a number; all of them have a default.
    pub(super) fn integer(&self, name: &str) -> u64 {
        match self.0.get(name).map(|setting| &setting.value) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    /// The value of an option that is on or off.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(|setting| &setting.value), Some(Value::Flag(true)))
    }

    /// The error that `name` was set to something unusable, where it was set.
    pub(super) fn error(&self, name: &str, reason: &str) -> ConfigError {
        match self.0.get(name) {
            Some(setting) => complaint(setting.source, &setting.shown, reason),
            None => complaint(Source::Default, name, reason),
        }
    }
}

fn complaint(source: Source, shown: &str, reason: &str) -> ConfigError {
    let message = format!("{shown}: {reason}");
    if source == Source::CommandLine { ConfigError::on_command_line(message) } else { ConfigError::new(message) }
}
