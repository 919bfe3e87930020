//! How failures become Python exceptions.

use std::io;

use passenger_native::error::ProtocolError;
use pyo3::exceptions::{PyBrokenPipeError, PyOSError, PyRuntimeError};
use pyo3::{PyErr, create_exception};

create_exception!(
    passenger._native,
    Disconnected,
    PyBrokenPipeError,
    "Nobody waits for the answer any more: the client is gone, or the agent is."
);

/// A failed system call on a channel: `Disconnected` when the agent has closed it, else `OSError`.
pub(crate) fn from_io(error: &io::Error) -> PyErr {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            Disconnected::new_err("Passenger's agent is gone")
        }
        _ => PyOSError::new_err(format!("the channel to Passenger's agent failed: {error}")),
    }
}

/// Bytes that break the protocol: `OSError`.
pub(crate) fn from_protocol(error: &ProtocolError) -> PyErr {
    PyOSError::new_err(format!("Passenger's agent sent something unreadable: {error}"))
}

/// A channel that another thread is using: `RuntimeError`.
pub(crate) fn busy() -> PyErr {
    PyRuntimeError::new_err("another thread is using this channel")
}
