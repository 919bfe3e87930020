//! Descriptors that the event loop watches.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the event loop.
///
/// # Errors
/// What `epoll_ctl(2)` says.
pub fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` gives the same open descriptor for as long as it lives, and closes it only when the
    // `AsyncFd` that now owns it drops it.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}
