//! Sending without blocking other Python threads. Nothing here leaves half a frame behind: what an exception keeps from
//! being sent stays in the connection's output.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use passenger_native::connection::Connection;
use passenger_native::frame::{Header, MAX_PAYLOAD};
use pyo3::prelude::*;

use crate::{error, gil};

/// From this many bytes on a bytes object is sent from where it is instead of being copied.
pub(crate) const LARGE: usize = 16 * 1024;

/// Sends the output.
pub(crate) fn flush(py: Python<'_>, connection: &mut Connection) -> PyResult<()> {
    if connection.pending() == 0 {
        return Ok(());
    }
    flush_with(py, connection, &[])
}

/// Sends the output, and then bytes that end the last frame in it.
pub(crate) fn flush_with(py: Python<'_>, connection: &mut Connection, tail: &[u8]) -> PyResult<()> {
    let mut at = 0;
    loop {
        let flushed = connection.flush(&tail[at..], false).map_err(|error| error::from_io(&error))?;
        at += flushed.taken;
        if flushed.all {
            return Ok(());
        }
        if let Err(error) = wait_writable(py, connection.as_fd()) {
            connection.output().extend_from_slice(&tail[at..]);
            return Err(error);
        }
    }
}

/// Sends the output, and then bytes that end the last frame in it; few of them are copied.
pub(crate) fn send_tail(py: Python<'_>, connection: &mut Connection, tail: &[u8]) -> PyResult<()> {
    if tail.len() >= LARGE {
        return flush_with(py, connection, tail);
    }
    connection.output().extend_from_slice(tail);
    flush(py, connection)
}

/// Sends bytes in data frames; `last` is the header of the last. After an error the others are left in the output, as the
/// end of the answer is owed whatever a signal handler has raised.
pub(crate) fn send_data(py: Python<'_>, connection: &mut Connection, data: &[u8], last: Header) -> PyResult<()> {
    let mut sent = Ok(());
    let mut parts = data.chunks(MAX_PAYLOAD).peekable();
    while let Some(part) = parts.next() {
        let header = if parts.peek().is_none() { last } else { Header { flags: 0, value: 0, ..last } };
        connection.output().extend_from_slice(&Header { length: part.len() as u32, ..header }.encode());
        if sent.is_ok() {
            sent = send_tail(py, connection, part);
        } else {
            connection.output().extend_from_slice(part);
        }
    }
    sent
}

fn wait_writable(py: Python<'_>, socket: BorrowedFd<'_>) -> PyResult<()> {
    let polled = gil::wait(py, || {
        let mut polled = [PollFd::new(socket, PollFlags::POLLOUT)];
        poll(&mut polled, PollTimeout::NONE).map_err(io::Error::from)
    })?;
    polled.map(drop).map_err(|error| error::from_io(&error))
}
