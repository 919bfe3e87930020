//! Receiving without blocking other Python threads.

use std::io::ErrorKind::{ConnectionReset, Interrupted, WouldBlock};

use passenger_native::connection::Connection;
use pyo3::prelude::*;

use crate::{error, gil, sending};

/// Receives more, waiting; before that, sends what was held back. False at the end of the channel. `busy` says that
/// more than one request came with the last read: then whoever shares the processor, the agent perhaps, may run first,
/// so that the next read brings many again.
pub(crate) fn fill(py: Python<'_>, connection: &mut Connection, busy: bool) -> PyResult<bool> {
    sending::flush(py, connection)?;
    let received = match connection.receive(false) {
        Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {
            if busy {
                py.detach(std::thread::yield_now);
            }
            gil::wait(py, || connection.receive(true))?
        }
        other => other,
    };
    match received {
        Ok(length) => Ok(length > 0),
        Err(error) if error.kind() == ConnectionReset => Ok(false),
        Err(error) => Err(error::from_io(&error)),
    }
}

/// Receives what is there, without waiting.
pub(crate) fn look(connection: &mut Connection) -> PyResult<()> {
    match connection.receive(false) {
        // The end of the channel, too: it says that no more requests come, but answers are still wanted.
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => Ok(()),
        Err(error) => Err(error::from_io(&error)),
    }
}
