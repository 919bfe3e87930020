//! The settings from all places, merged, each with the place that it came from.

use super::passengerfile::Entry;
use super::value::{self, Bases, Value};
use super::{ConfigError, ConfigErrors};
use passenger_native::options::{self, DefaultValue, Kind, OPTIONS, OptionSpec, Scope};
use std::collections::{BTreeMap, HashMap};
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
    /// The top of a Passengerfile.
    Passengerfile,
    /// An application's entry in it.
    Entry,
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
pub(super) struct Settings {
    values: HashMap<&'static str, Setting>,
    place: String,
}

/// What a part of a Passengerfile says.
pub(super) struct Layer<'a> {
    pub(super) source: Source,
    pub(super) entries: &'a [Entry],
    /// Where relative paths start.
    pub(super) bases: Bases,
}

/// What was said outside of any file.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    pub(super) command_line: &'a CommandLine,
    pub(super) environment: &'a Environment,
}

impl Outside<'_> {
    /// The variable that sets the option, and what it says.
    fn variable(&self, option: &OptionSpec) -> Option<(String, &OsStr)> {
        let given = |name: String| {
            let raw = self.environment.get(OsStr::new(&name)).filter(|raw| !raw.is_empty())?;
            Some((name, raw.as_os_str()))
        };
        option.environment_variables().find_map(given)
    }

    /// What was typed for the option: the last time, or each time if it can have several values.
    fn typed(&self, option: &OptionSpec) -> impl Iterator<Item = &OsStr> {
        let typed: Vec<&OsStr> = self
            .command_line
            .iter()
            .filter(|(typed, _)| typed.name == option.name)
            .map(|(_, raw)| raw.as_os_str())
            .collect();
        let first = if option.kind == Kind::Map { 0 } else { typed.len().saturating_sub(1) };
        typed.into_iter().skip(first)
    }

    /// The error that the option was set here, where it can't be.
    pub(super) fn refuse(&self, option: &OptionSpec, reason: &str) -> Option<ConfigError> {
        if let Some(raw) = self.typed(option).next() {
            return Some(complaint(Source::CommandLine, &shown_typed(option, raw), reason));
        }
        let (name, raw) = self.variable(option)?;
        Some(complaint(Source::Environment, &shown_variable(&name, raw), reason))
    }
}

fn shown_typed(option: &OptionSpec, raw: &OsStr) -> String {
    if option.kind == Kind::Map {
        // The values may be secrets.
        let name = raw.to_string_lossy();
        return format!("--{} {}", option.long(), name.split('=').next().unwrap_or_default()).trim_end().to_owned();
    }
    format!("--{} {}", option.long(), raw.display()).trim_end().to_owned()
}

fn shown_variable(name: &str, raw: &OsStr) -> String {
    format!("{name}={} (environment)", raw.display())
}

impl Settings {
    /// Merges all places for the application in `app_root`. `layers` come from the weakest to the strongest; `place`
    /// is how errors name what has not been set.
    pub(super) fn merge(
        place: &str,
        app_root: &Path,
        layers: &[Layer<'_>],
        outside: &Outside<'_>,
    ) -> Result<Self, ConfigErrors> {
        Self::merge_some(OPTIONS, place, app_root, layers, outside)
    }

    /// Like [`Self::merge`] for the option called `name` alone: mistakes in others do not matter.
    pub(super) fn merge_one(
        name: &str,
        app_root: &Path,
        layers: &[Layer<'_>],
        outside: &Outside<'_>,
    ) -> Result<Self, ConfigErrors> {
        let option = options::find(name).map(std::slice::from_ref).unwrap_or_default();
        Self::merge_some(option, "", app_root, layers, outside)
    }

    fn merge_some(
        options: &'static [OptionSpec],
        place: &str,
        app_root: &Path,
        layers: &[Layer<'_>],
        outside: &Outside<'_>,
    ) -> Result<Self, ConfigErrors> {
        let (mut values, mut errors) = (HashMap::new(), Vec::new());
        let bases = Bases::outside(app_root, outside.environment);
        for option in options {
            let mut set = |source, value: Result<Value, String>, shown: String| match value {
                Ok(value) => {
                    let value = match values.remove(option.name) {
                        Some(Setting { value: weaker, .. }) => value.over(weaker),
                        None => value,
                    };
                    values.insert(option.name, Setting { value, source, shown });
                }
                Err(reason) => errors.push(complaint(source, &shown, &reason)),
            };
            let read = |raw: &OsStr| value::read(option, raw, &bases);
            // From the weakest place to the strongest.
            if let DefaultValue::Fixed(default) = option.default {
                set(Source::Default, read(OsStr::new(default)), format!("{place}{} (default {default})", option.name));
            }
            for layer in layers {
                if let Some(entry) = layer.entries.iter().find(|entry| entry.option.name == option.name) {
                    let value = value::read_json(option, &entry.value, &layer.bases);
                    set(layer.source, value, entry.shown.clone());
                }
            }
            // A Passengerfile alone says where an application among several is.
            if option.scope == Scope::Entry {
                continue;
            }
            if let Some((name, raw)) = outside.variable(option) {
                set(Source::Environment, read(raw), shown_variable(&name, raw));
            }
            for raw in outside.typed(option) {
                set(Source::CommandLine, read(raw), shown_typed(option, raw));
            }
        }
        ConfigErrors::none(errors).map(|()| Self { values, place: place.to_owned() })
    }

    /// Where the option was set; [`Source::Default`] when nowhere.
    pub(super) fn source(&self, name: &str) -> Source {
        self.values.get(name).map_or(Source::Default, |setting| setting.source)
    }

    /// The value of an option that holds text or one of a few words.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match &self.values.get(name)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The words of an option that holds some.
    pub(super) fn list(&self, name: &str) -> &[String] {
        match self.values.get(name).map(|setting| &setting.value) {
            Some(Value::List(words)) => words,
            _ => &[],
        }
    }

    /// The names and values of an option that holds some.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        match self.values.get(name).map(|setting| &setting.value) {
            Some(Value::Map(map)) => map.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// The value of an option that holds a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.values.get(name)?.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// The value of an option that holds a number and has a default.
    pub(super) fn integer(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }

    /// The value of an option that may hold a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match &self.values.get(name)?.value {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of an option that holds numbers.
    pub(super) fn integers(&self, name: &str) -> &[u64] {
        match self.values.get(name).map(|setting| &setting.value) {
            Some(Value::Integers(numbers)) => numbers,
            _ => &[],
        }
    }

    /// The value of an option that is on or off.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name).map(|setting| &setting.value), Some(Value::Flag(true)))
    }

    /// The error that `name` was set to something unusable, where it was set.
    pub(super) fn error(&self, name: &str, reason: &str) -> ConfigError {
        match self.values.get(name) {
            Some(setting) => complaint(setting.source, &setting.shown, reason),
            None => complaint(Source::Default, &format!("{}{name}", self.place), reason),
        }
    }
}

fn complaint(source: Source, shown: &str, reason: &str) -> ConfigError {
    let message = format!("{shown}: {reason}");
    if source == Source::CommandLine { ConfigError::on_command_line(message) } else { ConfigError::new(message) }
}
