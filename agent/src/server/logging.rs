//! The log: a file, or the standard error.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogLevel;

/// Opens the log file for appending.
///
/// # Errors
/// Names the file and the remedy.
pub fn open(path: Option<&Path>) -> Result<Option<File>, String> {
    let Some(path) = path else { return Ok(None) };
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path);
    file.map(Some).map_err(|error| {
        format!("can't write the log file {}: {error}; choose another one with --log-file", path.display())
    })
}

/// Changes the level; set by [`start`].
static LEVEL: OnceLock<Handle<LevelFilter, Registry>> = OnceLock::new();

/// Sends everything from `level` up to `file` or the standard error.
pub fn start(level: LogLevel, file: Option<File>) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_target(false);
    let started = match file {
        Some(file) => registry.with(layer.with_ansi(false).with_writer(Mutex::new(file))).try_init(),
        None => registry.with(layer.with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr)).try_init(),
    };
    // A second call happens only where tests start two servers in one process; the first log goes on.
    if started.is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Sends everything from `level` up from now on.
pub fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        // It fails only when there is no log any more.
        let _ = handle.reload(filter(level));
    }
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Crit | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Notice | LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// Where output goes that nobody wants.
///
/// # Errors
/// When `/dev/null` can't be opened.
pub fn discard() -> std::io::Result<File> {
    OpenOptions::new().write(true).open("/dev/null")
}
