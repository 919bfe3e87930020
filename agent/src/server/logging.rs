//! The log: a file, or the standard error.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;

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

/// Sends everything from `level` up to `file` or the standard error.
pub fn start(level: LogLevel, file: Option<File>) {
    let level = match level {
        LogLevel::Crit | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Notice | LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    // A second call happens only where tests start two servers in one process; the first log goes on.
    let _ = match file {
        Some(file) => builder.with_ansi(false).with_writer(Mutex::new(file)).try_init(),
        None => builder.with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).try_init(),
    };
}

/// Where output goes that nobody wants.
///
/// # Errors
/// When `/dev/null` can't be opened.
pub fn discard() -> std::io::Result<File> {
    OpenOptions::new().write(true).open("/dev/null")
}
