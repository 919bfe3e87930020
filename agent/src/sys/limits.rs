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

/// Sees to it that [`set_open_files`] can be called with `limit`, in processes that this one starts.
///
/// # Errors
/// `EPERM` when it is above the hard limit, which this process may not raise.
pub fn allow_open_files(limit: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if limit > hard {
        setrlimit(Resource::RLIMIT_NOFILE, soft, limit)?;
    }
    Ok(())
}

/// Sets this process's limit, which no program that it becomes can raise. Async-signal-safe.
///
/// # Errors
/// What `setrlimit(2)` says.
pub fn set_open_files(limit: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NOFILE, limit, limit)?)
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
