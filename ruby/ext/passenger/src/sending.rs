//! Sending without blocking other Ruby threads. Nothing here leaves half a frame behind: what an exception keeps from
//! being sent stays in the connection's output.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use magnus::rb_sys::protect;
use magnus::{Error, Ruby};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use passenger_native::connection::Connection;
use passenger_native::frame::Header;
use rb_sys::{VALUE, rb_str_new_frozen};

use crate::response::bytes;
use crate::{error, gvl};

/// From this many bytes on a string is sent from where it is instead of being copied.
pub(crate) const LARGE: usize = 16 * 1024;
/// A longer string travels in several frames, so that the agent can forward the first while it receives the next, and
/// needs no large piece of memory for it.
pub(crate) const PART: usize = 128 * 1024;

/// Sends the output.
pub(crate) fn flush(ruby: &Ruby, connection: &mut Connection) -> Result<(), Error> {
    while !connection.flush(&[], false).map_err(|error| error::from_io(ruby, &error))?.all {
        wait_writable(ruby, connection.as_fd())?;
    }
    Ok(())
}

/// Sends the output, and then a string whose bytes end the last frame in it.
pub(crate) fn flush_with(ruby: &Ruby, connection: &mut Connection, string: VALUE) -> Result<(), Error> {
    let string = snapshot(string)?;
    // SAFETY: it is a string.
    let length = unsafe { bytes(string) }.len();
    flush_with_part(ruby, connection, string, 0..length)
}

/// Sends a string in data frames; `last` is the header of the last.
pub(crate) fn send_data(ruby: &Ruby, connection: &mut Connection, string: VALUE, last: Header) -> Result<(), Error> {
    // SAFETY: callers pass strings.
    let length = unsafe { bytes(string) }.len();
    if length < LARGE {
        connection.output().extend_from_slice(&Header { length: length as u32, ..last }.encode());
        // SAFETY: as above; Ruby has not run since.
        connection.output().extend_from_slice(unsafe { bytes(string) });
        return flush(ruby, connection);
    }
    let string = snapshot(string)?;
    let mut at = 0;
    while at < length {
        let part = at..length.min(at + PART);
        let header = if part.end == length { last } else { Header { flags: 0, value: 0, ..last } };
        connection.output().extend_from_slice(&Header { length: part.len() as u32, ..header }.encode());
        at = part.end;
        flush_with_part(ruby, connection, string, part)?;
    }
    Ok(())
}

fn flush_with_part(ruby: &Ruby, connection: &mut Connection, string: VALUE, part: Range<usize>) -> Result<(), Error> {
    let mut at = part.start;
    loop {
        // SAFETY: a frozen string; the slice is fetched anew after Ruby may have run.
        let rest = unsafe { &bytes(string)[at..part.end] };
        let flushed = connection.flush(rest, false).map_err(|error| error::from_io(ruby, &error))?;
        at += flushed.taken;
        if flushed.all {
            return Ok(());
        }
        if let Err(error) = wait_writable(ruby, connection.as_fd()) {
            // SAFETY: as above.
            connection.output().extend_from_slice(unsafe { &bytes(string)[at..part.end] });
            return Err(error);
        }
    }
}

/// A frozen string that shares the bytes, so that another thread's changes do not reach them while this one waits.
fn snapshot(string: VALUE) -> Result<VALUE, Error> {
    // SAFETY: callers pass strings.
    protect(|| unsafe { rb_str_new_frozen(string) })
}

fn wait_writable(ruby: &Ruby, socket: BorrowedFd<'_>) -> Result<(), Error> {
    loop {
        let mut polled = [PollFd::new(socket, PollFlags::POLLOUT)];
        match gvl::without_gvl(|| poll(&mut polled, PollTimeout::NONE)) {
            Some(Ok(_)) => return Ok(()),
            Some(Err(errno)) if errno != Errno::EINTR => return Err(error::from_io(ruby, &io::Error::from(errno))),
            None | Some(Err(_)) => gvl::check_interrupts()?,
        }
    }
}
