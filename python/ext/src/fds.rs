//! Descriptors on their way between Python and Rust.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use pyo3::prelude::*;

use crate::error;

/// Takes charge of a channel's descriptor, which the caller gives up: makes it blocking, as channels are waited for
/// without the GIL, and close-on-exec, as what the application starts must not hold it open.
///
/// # Errors
/// `EBADF`.
pub(crate) fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: only borrowed until it is known to be open; fcntl does no harm to a number that is not.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = OFlag::from_bits_retain(fcntl(borrowed, FcntlArg::F_GETFL)?);
    fcntl(borrowed, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    // SAFETY: it is open, and the caller gives it up.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor of Python's once more, so that Python may close its own.
///
/// # Errors
/// `OSError` if it is none, or there are too many open files.
pub(crate) fn duplicate(fd: RawFd) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(error::from_io(&Errno::EBADF.into()));
    }
    // SAFETY: only borrowed to be duplicated, which fails for a number that is not open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
    descriptor.try_clone_to_owned().map_err(|error| error::from_io(&error))
}

/// The file that holds a request's body, as a Python file that owns the descriptor.
///
/// # Errors
/// What Python raises; the descriptor is closed then.
pub(crate) fn open(py: Python<'_>, descriptor: OwnedFd) -> PyResult<Bound<'_, PyAny>> {
    let file = py.import("io")?.getattr("open")?.call1((descriptor.as_raw_fd(), "rb"))?;
    let _ = descriptor.into_raw_fd();
    // Retried after a worker's death, the request may come with a file that was read before.
    file.call_method1("seek", (0,))?;
    Ok(file)
}
