//! Receiving without blocking other Ruby threads.

use std::io::ErrorKind::{ConnectionReset, Interrupted, WouldBlock};

use magnus::{Error, Ruby};
use passenger_native::connection::Connection;

use crate::{error, gvl, sending};

/// Receives more, waiting; before that, sends what was held back. False at the end of the channel. `busy` says that more
/// than one request came with the last read: then whoever shares the processor, the agent perhaps, may run first, so that
/// the next read brings many again.
pub(crate) fn fill(ruby: &Ruby, connection: &mut Connection, busy: bool) -> Result<bool, Error> {
    sending::flush(ruby, connection)?;
    loop {
        let received = match connection.receive(false) {
            Err(error) if error.kind() == WouldBlock => gvl::without_gvl(|| {
                if busy {
                    std::thread::yield_now();
                }
                connection.receive(true)
            }),
            other => Some(other),
        };
        match received {
            Some(Ok(length)) => return Ok(length > 0),
            Some(Err(error)) if error.kind() == ConnectionReset => return Ok(false),
            Some(Err(error)) if error.kind() != Interrupted => return Err(error::from_io(ruby, &error)),
            None | Some(Err(_)) => gvl::check_interrupts()?,
        }
    }
}

/// Receives what is there, without waiting.
pub(crate) fn look(ruby: &Ruby, connection: &mut Connection) -> Result<(), Error> {
    match connection.receive(false) {
        // The end of the channel, too: it says that no more requests come, but answers are still wanted.
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => Ok(()),
        Err(error) => Err(error::from_io(ruby, &error)),
    }
}
