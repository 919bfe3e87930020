//! What goes on to a program of this server that this process executes.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

/// Leaves these open for the program that `command` executes, under the numbers that they have; they must stay open until
/// then. No signal is blocked in that program, whatever this process listens to by other means.
pub fn pass_on(command: &mut Command, descriptors: impl IntoIterator<Item = impl AsRawFd>) {
    let numbers: Vec<RawFd> = descriptors.into_iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let keep = move || {
        for &number in &numbers {
            // SAFETY: fcntl with F_SETFD touches no memory, and is async-signal-safe.
            Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, 0) })?;
        }
        Ok(pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
    };
    // SAFETY: the closure only makes system calls that are async-signal-safe, and does not allocate.
    unsafe { command.pre_exec(keep) };
}

/// Takes charge of a descriptor that was passed on to this process under this number. To be called once a number, before
/// anything else could have been opened under it.
///
/// # Errors
/// `EBADF` when there is none.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl with F_SETFD touches no memory.
    Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and the caller says that nobody else has charge of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
