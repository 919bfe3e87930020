//! Descriptors on their way between Ruby and Rust.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use magnus::{Error, Ruby, Value, prelude::*};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use crate::error;

/// Takes charge of a channel's descriptor, which the caller gives up: makes it blocking, as channels are waited for
/// without the GVL, and close-on-exec, as what the application starts must not hold it open.
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

/// The descriptor of a Ruby IO once more, so that Ruby may close its own.
///
/// # Errors
/// What `fileno` raises; too many open files.
pub(crate) fn duplicate(ruby: &Ruby, io: Value) -> Result<OwnedFd, Error> {
    let fd: RawFd = io.funcall("fileno", ())?;
    // SAFETY: `fileno` raises for an IO that is closed, and nothing can close it before we return to Ruby.
    let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
    descriptor.try_clone_to_owned().map_err(|error| error::from_io(ruby, &error))
}

/// The file that holds a request's body, as a Ruby File that owns the descriptor.
///
/// # Errors
/// What Ruby raises; the descriptor is closed then.
pub(crate) fn open(ruby: &Ruby, descriptor: OwnedFd) -> Result<Value, Error> {
    let file: Value = ruby.class_file().funcall("for_fd", (descriptor.as_raw_fd(), "rb"))?;
    let _ = descriptor.into_raw_fd();
    // Retried after a worker's death, the request may come with a file that was read before.
    file.funcall::<_, _, Value>("rewind", ())?;
    Ok(file)
}
