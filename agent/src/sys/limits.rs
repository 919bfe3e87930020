//! The limit on open files. A server needs as many as it may have; its applications get what they would have had, since
//! some programs can't handle descriptors above 1023.

use std::io;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

static BEFORE: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises this process's limit to what it is allowed. Returns the limit.
///
/// # Errors
/// What `setrlimit(2)` says.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    BEFORE.get_or_init(|| (soft, hard));
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// Gives a process that is about to become an application the limit from before. Async-signal-safe.
///
/// # Errors
/// What `setrlimit(2)` says.
pub fn restore_open_files() -> io::Result<()> {
    if let Some((soft, hard)) = BEFORE.get() {
        setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard)?;
    }
    Ok(())
}
