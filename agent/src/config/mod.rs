//! The configuration: what `passenger start` needs to know, resolved from, in rising priority, the defaults, the
//! Passengerfile in the application's directory, the `PASSENGER_*` environment variables and the command line.
//!
//! A Passengerfile may name several applications. What it says beside them holds for all that say nothing else; what is
//! said outside of it can't be about one of several, but for the environment.

mod address;
mod app;
mod document;
mod error;
mod instance;
mod listen;
mod names;
mod passengerfile;
mod places;
mod selection;
mod settings;
mod user;
mod value;
mod wanted;

pub use app::{AppConfig, PoolConfig, RestartConfig, SpawnMethod};
pub use error::{ConfigError, ConfigErrors};
pub use instance::{InstanceConfig, LogLevel};
pub use listen::ListenAddress;
pub use selection::Selection;
pub use settings::{CommandLine, Environment};

use passenger_native::options::{OPTIONS, Scope};
use passengerfile::{AppEntries, Passengerfile};
use settings::{Layer, Outside, Settings, Source};
use std::path::{Path, PathBuf};
use value::Bases;

/// Everything that one instance was told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// About the instance as a whole.
    pub instance: InstanceConfig,
    /// About its applications; never empty. Each has a name and a place of its own.
    pub apps: Vec<AppConfig>,
}

impl Config {
    /// Resolves the configuration of what is in `directory`, which must exist: an application, or a Passengerfile that
    /// names some.
    ///
    /// # Errors
    /// Names the options, the places where they were set and the remedies.
    pub fn resolve(
        directory: &Path,
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Self, ConfigErrors> {
        let directory = &places::absolute(directory);
        let file = passengerfile::read(directory)?;
        Resolver { directory, file: &file, outside: Outside { command_line, environment } }.run()
    }
}

struct Resolver<'a> {
    directory: &'a Path,
    file: &'a Passengerfile,
    outside: Outside<'a>,
}

impl Resolver<'_> {
    fn run(&self) -> Result<Config, ConfigErrors> {
        let alone = [AppEntries::default()];
        let entries = self.file.apps.as_deref().unwrap_or(&alone);
        let is_only_app = entries.len() == 1;
        let mut errors = if is_only_app { Vec::new() } else { self.refuse_ambiguous() };
        let mut apps: Vec<(AppConfig, Settings)> = Vec::new();
        for entry in entries {
            apps.extend(keep(self.app(entry, is_only_app), &mut errors));
        }
        if apps.len() == entries.len() {
            errors.extend(address::check_unique(&apps));
            errors.extend(names::check_unique(&apps));
        }
        // What an only application's entry says about `workers` is about the pool as well.
        let top = keep(self.settings(&AppEntries::default(), self.directory), &mut errors);
        let settings = if is_only_app { apps.first().map(|(_, settings)| settings) } else { top.as_ref() };
        let pool = settings.and_then(|settings| app::max_pool_size(settings, is_only_app));
        let instance = top.as_ref().map(|top| instance::resolve(top, self.directory, pool, self.outside.environment));
        let instance = instance.and_then(|instance| keep(instance, &mut errors));
        let Some(instance) = instance.filter(|_| errors.is_empty()) else { return Err(ConfigErrors::of(errors)) };
        let mut apps: Vec<AppConfig> = apps.into_iter().map(|(app, _)| app).collect();
        names::complete(&mut apps);
        Ok(Config { instance, apps })
    }

    /// The directory of the application in this entry.
    fn root(&self, entry: &AppEntries) -> PathBuf {
        let bases = Bases::in_file(self.directory, self.directory, self.outside.environment);
        let given = entry.entries.iter().find(|entry| entry.option.name == "root");
        // What is wrong with the value is told with all others.
        given
            .and_then(|given| value::read_path(given.option, &given.value, &bases))
            .unwrap_or(self.directory.to_owned())
    }

    fn settings(&self, entry: &AppEntries, root: &Path) -> Result<Settings, ConfigErrors> {
        let layer = |source, entries, directory: &Path| Layer {
            source,
            entries,
            bases: Bases::in_file(root, directory, self.outside.environment),
        };
        let top = layer(Source::Passengerfile, &self.file.entries[..], self.directory);
        let own = layer(Source::Entry, &entry.entries[..], root);
        Settings::merge(&entry.shown, root, &[top, own], &self.outside)
    }

    fn app(&self, entry: &AppEntries, is_only_app: bool) -> Result<(AppConfig, Settings), ConfigErrors> {
        let root = self.root(entry);
        let settings = self.settings(entry, &root)?;
        let app = app::resolve(&settings, &root, is_only_app, self.outside.environment, self.file.owner)?;
        Ok((app, settings))
    }

    /// What was said outside of the file about one of several applications, nobody knows which.
    fn refuse_ambiguous(&self) -> Vec<ConfigError> {
        let reason =
            "there are several applications; set it in the Passengerfile, in the entry of the one that is meant";
        let of_an_app = OPTIONS.iter().filter(|option| option.scope == Scope::App && option.name != "environment");
        of_an_app.filter_map(|option| self.outside.refuse(option, reason)).collect()
    }
}

fn keep<T, E: Into<ConfigErrors>>(result: Result<T, E>, errors: &mut Vec<ConfigError>) -> Option<T> {
    result.map_err(|more| errors.extend(more.into())).ok()
}

#[cfg(test)]
mod tests;
