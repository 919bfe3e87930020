//! The configuration: what `passenger start` needs to know, resolved from, in rising priority, the defaults,
//! `Passengerfile.json` in the application's directory, the `PASSENGER_*` environment variables and the command
//! line.

mod error;
mod listen;
mod passengerfile;
mod places;
mod selection;
mod settings;
mod value;

pub use error::ConfigError;
pub use listen::ListenAddress;
pub use selection::Selection;
pub use settings::{CommandLine, Environment};

use crate::app::detect::AppKind;
use settings::{Settings, Source};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that one instance was told to do. Paths are absolute unless a field says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The application's directory, symbolic links kept, so that a `current` link can be switched.
    pub app_root: PathBuf,
    /// Where to listen; never empty.
    pub listen: Vec<ListenAddress>,
    /// The application's environment, such as `production`.
    pub environment: String,
    /// Whether to run in the background.
    pub daemonize: bool,
    /// Where the process id goes; `None` when none was asked for and the application's directory cannot be written
    /// to.
    pub pid_file: Option<PathBuf>,
    /// Where the log goes; `None` is standard error.
    pub log_file: Option<PathBuf>,
    /// How much is logged.
    pub log_level: LogLevel,
    /// The limits of the pool and its workers.
    pub pool: PoolConfig,
    /// How workers come to be.
    pub spawn_method: SpawnMethod,
    /// The Ruby to run the application with: an absolute path, or a bare name to look up in `PATH`.
    pub ruby: Option<PathBuf>,
    /// The file that starts the application, when it was named.
    pub startup_file: Option<PathBuf>,
    /// The kind of application, when it was named.
    pub app_type: Option<AppKind>,
    /// The directory with static files; it need not exist.
    pub static_files_dir: PathBuf,
    /// The directory that holds the instance directories.
    pub registry_dir: PathBuf,
}

/// The limits of the pool and its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How many workers there may be, at least 1.
    pub max_pool_size: usize,
    /// How many workers are kept without traffic, at most `max_pool_size`.
    pub min_instances: usize,
    /// How many requests may wait for a worker; 0 means no limit.
    pub max_request_queue_size: usize,
    /// After how many requests a worker is replaced; 0 means never.
    pub max_requests: u64,
    /// How long a worker may take to start.
    pub start_timeout: Duration,
    /// How many requests a worker serves at the same time, at least 1.
    pub threads: usize,
}

/// How workers come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnMethod {
    /// A preloader loads the application once and forks workers.
    Smart,
    /// Each worker loads the application itself.
    Direct,
}

/// How much is logged, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

impl Config {
    /// Resolves the configuration of the application in `app_root`, which must exist.
    ///
    /// # Errors
    /// Names the option, the place where it was set and the remedy.
    pub fn resolve(
        app_root: &Path,
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let app_root = &places::absolute(app_root);
        let settings = Settings::collect(app_root, command_line, environment)?;
        let environment_name = match settings.text("environment") {
            Some(name) => name.to_owned(),
            None => inherited_environment(environment),
        };
        let listen = listen::resolve(&settings, &environment_name)?;
        let daemonize = settings.flag("daemonize");
        let log_file = settings.path("log_file").or_else(|| daemonize.then(|| places::log_file(app_root, &listen)));
        // Whichever was set in the stronger place; the shorter name wins within one place.
        let rackup =
            settings.source("rackup") > Source::Default && settings.source("rackup") >= settings.source("startup_file");
        Ok(Self {
            environment: environment_name,
            daemonize,
            pid_file: settings.path("pid_file").or_else(|| places::pid_file(app_root, &listen)),
            log_file,
            log_level: log_level(settings.text("log_level")),
            pool: pool(&settings)?,
            spawn_method: if settings.text("spawn_method") == Some("direct") {
                SpawnMethod::Direct
            } else {
                SpawnMethod::Smart
            },
            ruby: settings.path("ruby"),
            startup_file: settings.path(if rackup { "rackup" } else { "startup_file" }),
            app_type: if rackup { Some(AppKind::Rack) } else { settings.text("app_type").and_then(AppKind::from_name) },
            static_files_dir: settings.path("static_files_dir").unwrap_or_else(|| app_root.join("public")),
            registry_dir: settings.path("instance_registry_dir").unwrap_or_else(|| places::temporary_dir(environment)),
            listen: vec![listen],
            app_root: app_root.clone(),
        })
    }
}

/// The environment that the surroundings ask for, as Rails and Rack do.
fn inherited_environment(environment: &Environment) -> String {
    ["PASSENGER_APP_ENV", "RAILS_ENV", "RACK_ENV"]
        .into_iter()
        .filter_map(|name| environment.get(OsStr::new(name))?.to_str())
        .find(|value| !value.is_empty())
        .unwrap_or("development")
        .to_owned()
}

fn pool(settings: &Settings) -> Result<PoolConfig, ConfigError> {
    let max_pool_size = settings.integer("max_pool_size");
    let min_instances = settings.integer("min_instances");
    if min_instances > max_pool_size {
        return Err(
            settings.error("min_instances", &format!("must be at most max_pool_size, which is {max_pool_size}"))
        );
    }
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(PoolConfig {
        max_pool_size: size(max_pool_size),
        min_instances: size(min_instances),
        max_request_queue_size: size(settings.integer("max_request_queue_size")),
        max_requests: settings.integer("max_requests"),
        start_timeout: Duration::from_secs(settings.integer("start_timeout")),
        threads: size(settings.integer("threads")),
    })
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

#[cfg(test)]
mod tests;
