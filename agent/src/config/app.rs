//! What is said about one application.

use super::settings::Settings;
use super::{ConfigError, Environment, address, user, wanted};
use crate::app::detect::Wanted;
use crate::app::process::ProcessConfig;
use crate::app::runtime::Interpreters;
use crate::app::user::UserRules;
use crate::pool::limits::Limits;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the instance was told about one of its applications. Paths are absolute unless a field says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppConfig {
    /// What it is called; no two applications of an instance have the same name.
    pub name: String,
    /// The application's directory, symbolic links kept, so that a `current` link can be switched.
    pub root: PathBuf,
    /// The hosts that it answers for, in lower case; `*.example.com` is all below `example.com`. None is all hosts that
    /// no other application names.
    pub server_names: Vec<String>,
    /// The path below which it is, without a slash at its end: empty, or `/shop`.
    pub base_uri: String,
    /// The application's environment, such as `production`.
    pub environment: String,
    /// The limits of its workers.
    pub pool: PoolConfig,
    /// How workers come to be.
    pub spawn_method: SpawnMethod,
    /// What was said about the application to run.
    pub wanted: Wanted,
    /// The interpreters that were named to run it with.
    pub interpreters: Interpreters,
    /// The paths, as the application sees them, by which its health is checked.
    pub health_check_paths: Vec<String>,
    /// As which user it runs.
    pub user: UserRules,
    /// How it is replaced by a new version.
    pub restart: RestartConfig,
    /// The environment and the limits of its processes.
    pub processes: ProcessConfig,
    /// The cookie of sticky sessions, if there are to be any.
    pub sticky_sessions: Option<StickyCookie>,
    /// The directory with static files; it need not exist.
    pub static_files_dir: PathBuf,
}

impl AppConfig {
    /// Where it is, as people write it: `example.com/shop`, or `/shop` at hosts that nobody names.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let base = if self.base_uri.is_empty() { "/" } else { &self.base_uri };
        match &self.server_names[..] {
            [] => vec![base.to_owned()],
            names => names.iter().map(|name| format!("{name}{base}")).collect(),
        }
    }
}

/// The cookie that tells which worker a client sticks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickyCookie {
    /// Its name, a token (RFC 6265, 4.1.1).
    pub name: String,
    /// Its attributes besides path and `HttpOnly`, as in `SameSite=Lax; Secure`.
    pub attributes: String,
}

/// The limits of an application's workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolConfig {
    /// How many workers it may have, at least 1 and at most as many as the pool, if that is known.
    pub max_instances: usize,
    /// How many workers are kept without traffic, at most `max_instances`.
    pub min_instances: usize,
    /// Whether it starts with the instance; else with its first request.
    pub pre_start: bool,
    /// How long a worker beyond `min_instances` may have nothing to do; `None` for ever.
    pub idle_time: Option<Duration>,
    /// How long a preloader may start no worker; `None` for ever.
    pub preloader_idle_time: Option<Duration>,
    /// How many requests may wait for a worker; 0 means no limit.
    pub max_request_queue_size: usize,
    /// After how many requests a worker is replaced; 0 means never.
    pub max_requests: u64,
    /// After how many requests of a worker the others are forked from it anew: in each generation by the next number, in
    /// further ones by the last; 0 means not any more. Empty: never.
    pub refork_after: Vec<u64>,
    /// The other limits of requests and workers.
    pub limits: Limits,
    /// How many requests a worker serves at the same time at most, even if it has more threads; 0 means no limit.
    pub max_concurrent_requests: usize,
    /// How long a worker may take to start.
    pub start_timeout: Duration,
    /// How many requests a worker serves at the same time, at least 1.
    pub threads: usize,
}

/// How an application is replaced by a new version, and how its workers leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartConfig {
    /// One worker after the other, but in development.
    pub rolling: bool,
    /// The version before goes on serving when the new one does not start.
    pub resists_errors: bool,
    /// The directory with `restart.txt`; it need not exist.
    pub dir: PathBuf,
    /// How long the requests of a worker that is to leave may take, and then its shutdown hooks.
    pub shutdown_timeout: Duration,
}

/// How workers come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpawnMethod {
    /// A preloader loads the application once and forks workers.
    Smart,
    /// Each worker loads the application itself.
    Direct,
}

pub(super) fn resolve(
    settings: &Settings,
    root: &Path,
    is_only_app: bool,
    environment: &Environment,
    file_owner: Option<u32>,
) -> Result<AppConfig, ConfigError> {
    let is_direct = settings.text("spawn_method") == Some("direct");
    Ok(AppConfig {
        // The usual name, made unique when all applications are known.
        name: settings.text("name").map_or_else(String::new, str::to_owned),
        root: root.to_owned(),
        server_names: address::server_names(settings)?,
        base_uri: address::base_uri(settings)?,
        environment: self::environment(settings, environment),
        pool: pool(settings, is_only_app)?,
        spawn_method: if is_direct { SpawnMethod::Direct } else { SpawnMethod::Smart },
        wanted: wanted::resolve(settings)?,
        interpreters: Interpreters { ruby: settings.path("ruby"), python: settings.path("python") },
        health_check_paths: address::health_check_paths(settings)?,
        user: user::resolve(settings, file_owner)?,
        restart: RestartConfig {
            rolling: settings.flag("rolling_restarts"),
            resists_errors: settings.flag("resist_deployment_errors"),
            dir: settings.path("restart_dir").unwrap_or_else(|| root.join("tmp")),
            shutdown_timeout: Duration::from_secs(settings.integer("shutdown_timeout")),
        },
        processes: ProcessConfig {
            envvars: settings.map("envvars"),
            load_shell_envvars: settings.flag("load_shell_envvars"),
            open_files: Some(settings.integer("app_file_descriptor_ulimit")).filter(|limit| *limit > 0),
        },
        sticky_sessions: sticky_sessions(settings)?,
        static_files_dir: settings.path("static_files_dir").unwrap_or_else(|| root.join("public")),
    })
}

/// The environment's name: the option's, or the one that the surroundings ask for, as Rails and Rack do.
pub(super) fn environment(settings: &Settings, environment: &Environment) -> String {
    let inherited = || {
        ["PASSENGER_APP_ENV", "RAILS_ENV", "RACK_ENV"]
            .into_iter()
            .filter_map(|name| environment.get(OsStr::new(name))?.to_str())
            .find(|value| !value.is_empty())
            .unwrap_or("development")
    };
    settings.text("environment").unwrap_or_else(inherited).to_owned()
}

fn pool(settings: &Settings, is_only_app: bool) -> Result<PoolConfig, ConfigError> {
    let max_pool_size = max_pool_size(settings, is_only_app).unwrap_or(usize::MAX);
    let max = if is_only_app { "max_instances" } else { limit(settings, "max_instances") };
    let min = limit(settings, "min_instances");
    let max_instances = match size(settings.integer(max)) {
        0 => max_pool_size,
        most => most.min(max_pool_size),
    };
    let min_instances = size(settings.integer(min));
    if min_instances > max_instances {
        let stronger = if max_instances < max_pool_size { "max_instances" } else { "max_pool_size" };
        return Err(settings.error(min, &format!("must be at most {stronger}, which is {max_instances}")));
    }
    Ok(PoolConfig {
        max_instances,
        min_instances,
        pre_start: settings.flag("pre_start"),
        idle_time: time(settings, "pool_idle_time"),
        preloader_idle_time: time(settings, "max_preloader_idle_time"),
        max_request_queue_size: size(settings.integer("max_request_queue_size")),
        max_requests: settings.integer("max_requests"),
        refork_after: refork_after(settings)?,
        limits: limits(settings),
        max_concurrent_requests: size(settings.integer("force_max_concurrent_requests_per_process")),
        start_timeout: Duration::from_secs(settings.integer("start_timeout")),
        threads: size(settings.integer("threads")),
    })
}

fn sticky_sessions(settings: &Settings) -> Result<Option<StickyCookie>, ConfigError> {
    const NAME: &str = "sticky_sessions_cookie_name";
    let text = |name| settings.text(name).unwrap_or_default().to_owned();
    let (name, attributes) = (text(NAME), text("sticky_sessions_cookie_attributes"));
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return Err(settings.error(NAME, "must be letters, digits and -_. alone"));
    }
    Ok(settings.flag("sticky_sessions").then_some(StickyCookie { name, attributes }))
}

fn limits(settings: &Settings) -> Limits {
    let some = |name| Some(settings.integer(name)).filter(|number| *number > 0);
    let seconds = |name| some(name).map(Duration::from_secs);
    Limits {
        queue_time: seconds("max_request_queue_time"),
        request_time: seconds("max_request_time"),
        requests_jitter: settings.integer("max_requests_jitter"),
        memory: some("memory_limit").map(|megabytes| megabytes << 20),
    }
}

fn refork_after(settings: &Settings) -> Result<Vec<u64>, ConfigError> {
    let numbers = settings.integers("refork_after");
    if numbers.iter().any(|number| *number > 0) && settings.text("spawn_method") == Some("direct") {
        return Err(
            settings.error("refork_after", "must be 0 where spawn_method is direct: workers are not forked there")
        );
    }
    Ok(if numbers.iter().any(|number| *number > 0) { numbers.to_vec() } else { Vec::new() })
}

/// The option that says what `name` is: itself, or `workers`, which sets both bounds but gives way to what is said about
/// one of them in the same or a stronger place.
fn limit(settings: &Settings, name: &'static str) -> &'static str {
    if settings.source("workers") > settings.source(name) { "workers" } else { name }
}

/// How many workers the whole pool may have; `None` is found out. With a single application `workers` is about this, else
/// about the application's own limit.
pub(super) fn max_pool_size(settings: &Settings, is_only_app: bool) -> Option<usize> {
    let name = if is_only_app { limit(settings, "max_pool_size") } else { "max_pool_size" };
    settings.number(name).map(size)
}

/// A time in seconds, where 0 is for ever.
fn time(settings: &Settings, name: &str) -> Option<Duration> {
    Some(settings.integer(name)).filter(|seconds| *seconds != 0).map(Duration::from_secs)
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
