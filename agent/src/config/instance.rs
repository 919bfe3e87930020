//! What is said about the instance as a whole.

use super::settings::Settings;
use super::{ConfigError, Environment, ListenAddress, listen, places};
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// What one instance was told to do. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceConfig {
    /// The directory that it was started for: the application's, or that of the Passengerfile that names several.
    /// Symbolic links are kept, so that a `current` link can be switched.
    pub root: PathBuf,
    /// Where to listen; never empty.
    pub listen: Vec<ListenAddress>,
    /// The environment of applications that have none of their own, such as `production`.
    pub environment: String,
    /// How many workers there may be, at least 1; `None` is as many as make sense on this machine.
    pub max_pool_size: Option<usize>,
    /// How many workers may be starting at the same time, at least 1.
    pub max_spawns: usize,
    /// Whether to run in the background.
    pub daemonize: bool,
    /// Where the process id goes; `None` when none was asked for and `root` cannot be written to.
    pub pid_file: Option<PathBuf>,
    /// Where the log goes; `None` is standard error.
    pub log_file: Option<PathBuf>,
    /// How much is logged.
    pub log_level: LogLevel,
    /// The directory that holds the instance directories.
    pub registry_dir: PathBuf,
}

/// How much is logged, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// Only what ends the server.
    Crit,
    /// What fails.
    Error,
    /// What will need attention.
    Warn,
    /// What an operator wants to know.
    Notice,
    /// What helps to follow the server's work.
    Info,
    /// What helps to find a bug.
    Debug,
}

pub(super) fn resolve(
    settings: &Settings,
    root: &Path,
    max_pool_size: Option<usize>,
    environment: &Environment,
) -> Result<InstanceConfig, ConfigError> {
    let environment_name = super::app::environment(settings, environment);
    let listen = listen::resolve(settings, &environment_name)?;
    let daemonize = settings.flag("daemonize");
    let log_file = settings.path("log_file").or_else(|| daemonize.then(|| places::log_file(root, &listen)));
    Ok(InstanceConfig {
        root: root.to_owned(),
        environment: environment_name,
        max_pool_size,
        max_spawns: max_spawns(settings),
        daemonize,
        pid_file: settings.path("pid_file").or_else(|| places::pid_file(root, &listen)),
        log_file,
        log_level: log_level(settings.text("log_level")),
        registry_dir: settings.path("instance_registry_dir").unwrap_or_else(|| places::temporary_dir(environment)),
        listen: vec![listen],
    })
}

fn max_spawns(settings: &Settings) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
    // One that takes long to start must not keep all others from it.
    settings.number("max_spawns").map_or_else(|| processors().max(2), |number| usize::try_from(number).unwrap_or(1))
}

fn log_level(name: Option<&str>) -> LogLevel {
    match name {
        Some("crit") => LogLevel::Crit,
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("info") => LogLevel::Info,
        Some("debug") => LogLevel::Debug,
        _ => LogLevel::Notice,
    }
}
