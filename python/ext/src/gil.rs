//! Waiting without the interpreter's lock, so that other Python threads run meanwhile.

use std::io;

use pyo3::prelude::*;

/// Makes a system call that may block, without the GIL. After a signal (`EINTR`) Python's handlers run, and it is made
/// again. (A signal between the look at the handlers and the call is seen when the call returns, as everywhere in
/// Python.)
///
/// # Errors
/// What a signal handler raises. What the call itself says is inside.
pub(crate) fn wait<T: Send>(py: Python<'_>, mut call: impl FnMut() -> io::Result<T> + Send) -> PyResult<io::Result<T>> {
    loop {
        // Before the call, too: a signal that came just now will not interrupt it.
        py.check_signals()?;
        match py.detach(&mut call) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return Ok(result),
        }
    }
}
