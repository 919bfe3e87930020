//! How failures become Ruby exceptions.

use std::io;
use std::sync::OnceLock;

use magnus::value::Opaque;
use magnus::{Error, ExceptionClass, RModule, Ruby, prelude::*};
use passenger_native::error::ProtocolError;

struct Classes {
    /// `Passenger::Disconnected`
    disconnected: Opaque<ExceptionClass>,
    /// `Passenger::InvalidResponse`
    invalid_response: Opaque<ExceptionClass>,
}

static CLASSES: OnceLock<Classes> = OnceLock::new();

/// Defines `Passenger::Disconnected` and `Passenger::InvalidResponse`.
pub(crate) fn define(ruby: &Ruby, passenger: RModule) -> Result<(), Error> {
    let errno: RModule = ruby.class_object().const_get("Errno")?;
    let disconnected = passenger.define_error("Disconnected", errno.const_get("EPIPE")?)?;
    let invalid_response = passenger.define_error("InvalidResponse", ruby.exception_standard_error())?;
    // Registered, not only reachable as constants: compaction must not move them.
    ruby.gc_register_mark_object(disconnected);
    ruby.gc_register_mark_object(invalid_response);
    let classes = Classes { disconnected: disconnected.into(), invalid_response: invalid_response.into() };
    // Loaded twice under different names, the first classes stay.
    let _ = CLASSES.set(classes);
    Ok(())
}

/// `Passenger::InvalidResponse`: what the application returned can't be sent.
pub(crate) fn invalid_response(ruby: &Ruby, message: String) -> Error {
    let class = CLASSES.get().map_or(ruby.exception_runtime_error(), |it| ruby.get_inner(it.invalid_response));
    Error::new(class, message)
}

/// A failed system call on a channel: `Passenger::Disconnected` when the agent has closed it, else `IOError`.
pub(crate) fn from_io(ruby: &Ruby, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => disconnected(ruby),
        _ => Error::new(ruby.exception_io_error(), format!("the channel to Passenger's agent failed: {error}")),
    }
}

/// Bytes that break the protocol: `IOError`.
pub(crate) fn from_protocol(ruby: &Ruby, error: &ProtocolError) -> Error {
    Error::new(ruby.exception_io_error(), format!("Passenger's agent sent something unreadable: {error}"))
}

fn disconnected(ruby: &Ruby) -> Error {
    let class = CLASSES.get().map_or(ruby.exception_io_error(), |it| ruby.get_inner(it.disconnected));
    Error::new(class, "Passenger's agent is gone")
}
