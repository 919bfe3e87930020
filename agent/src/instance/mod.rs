//! Instance directories: how commands find a running instance and know that it runs.
//!
//! An instance keeps a directory `passenger.XXXXXX` in the registry directory, for its owner alone:
//!
//! - `lock`: locked (flock) for as long as the instance lives, so that no process id has to be trusted for that;
//! - `properties.json`: what it is, see [`Properties`];
//! - `plan.json`: what its agents serve, for the watchdog to start another one;
//! - `admin.sock`: answers `passenger status`.
//!
//! `lock` appears last, when all else is in place and the lock is held: a directory whose `lock` can be had belongs
//! to an instance that is gone. [`InstanceDir::create`] removes those. One without a `lock` is being made, or was
//! left half made long ago.

mod directory;
mod leftovers;
mod registry;
#[cfg(test)]
mod tests;

pub use directory::{InstanceDir, listen_for_admin, read, write};
pub use registry::{Instance, list};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const NAME_PREFIX: &str = "passenger.";
const LOCK: &str = "lock";
/// The file with the [`Properties`].
pub const PROPERTIES: &str = "properties.json";
/// The file with what the agents of the instance serve.
pub const PLAN: &str = "plan.json";
const ADMIN_SOCKET: &str = "admin.sock";

/// What an instance says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    /// Passenger's version.
    pub version: String,
    /// The process that SIGTERM stops: the watchdog.
    pub pid: u32,
    /// The directory that it was started for. Instances of earlier versions call it so, too.
    #[serde(rename = "app_root")]
    pub root: PathBuf,
    /// The applications' directories. Instances of earlier versions do not say; they have one application, in `root`.
    #[serde(default)]
    pub app_roots: Vec<PathBuf>,
    /// Where it listens, such as `127.0.0.1:3000` or `unix:/run/app.sock`.
    pub addresses: Vec<String>,
    /// The environment that it was started for.
    pub environment: String,
    /// When it was started, in seconds since 1970.
    pub started_at: u64,
    /// Its pid file.
    pub pid_file: Option<PathBuf>,
}
