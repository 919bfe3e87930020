//! What a WSGI application returned, on its way to the client.

use std::os::fd::RawFd;
use std::slice;

use passenger_native::response::FileRange;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple, PyType};

use crate::answer::Rest;
use crate::channel::Channel;
use crate::fds;

/// Sends bodies, and closes them.
pub(crate) struct Sender<'py> {
    /// The class of bodies that may be files.
    file_wrapper: Option<Bound<'py, PyAny>>,
    /// The class of a list's iterators: going through one runs no code of the application's.
    list_iterator: Bound<'py, PyType>,
}

impl<'py> Sender<'py> {
    /// `file_wrapper` is what environments have for `wsgi.file_wrapper`.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn new(py: Python<'py>, file_wrapper: Option<Bound<'py, PyAny>>) -> PyResult<Self> {
        Ok(Self { file_wrapper, list_iterator: PyList::empty(py).try_iter()?.get_type() })
    }

    /// Sends `body` as the answer to the request at hand, and calls its `close`, whatever happens.
    ///
    /// # Errors
    /// What the application raises; `TypeError` and `RuntimeError` for a body that can't be sent; `Disconnected`.
    pub(crate) fn deliver(&self, channel: &Channel, body: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = body.py();
        // Neither has a `close`. With one element, the most common kind, nothing is allocated.
        if let Ok(list) = body.cast_exact::<PyList>() {
            return match list.len() {
                1 => send_whole(py, channel, slice::from_ref(bytes(&list.get_item(0)?)?)),
                _ => send_whole(py, channel, &all_bytes(list.iter().map(Ok))?),
            };
        }
        if let Ok(tuple) = body.cast_exact::<PyTuple>() {
            return send_whole(py, channel, &all_bytes(tuple.iter().map(Ok))?);
        }
        let sent = self.send(channel, body);
        match (sent, close(body)) {
            (Err(first), Err(second)) => {
                // As in a `finally`.
                second.value(py).setattr(intern!(py, "__context__"), first.into_value(py))?;
                Err(second)
            }
            (sent, closed) => sent.and(closed),
        }
    }

    fn send(&self, channel: &Channel, body: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = body.py();
        if body.is_none() {
            return Err(PyTypeError::new_err("the application returned None instead of a body"));
        }
        if self.file_wrapper.as_ref().is_some_and(|class| body.get_type().is(class)) && send_file(channel, body)? {
            return Ok(());
        }
        let mut iterator = body.try_iter()?;
        if iterator.get_type().is(&self.list_iterator) {
            send_whole(py, channel, &all_bytes(&mut iterator)?)?;
            // `close` may take long.
            return channel.with(|exchange| exchange.flush(py));
        }
        for part in iterator {
            let part = part?;
            let part = bytes(&part)?.as_bytes();
            if channel.with(|exchange| exchange.write(py, part))? != Rest::Wanted {
                break;
            }
        }
        channel.with(|exchange| exchange.finish(py))
    }
}

/// Sends a body of which all parts are at hand.
fn send_whole(py: Python<'_>, channel: &Channel, parts: &[Bound<'_, PyBytes>]) -> PyResult<()> {
    channel.with(|exchange| {
        if exchange.respond(py, parts)? {
            return Ok(());
        }
        for part in parts {
            if exchange.write(py, part.as_bytes())? != Rest::Wanted {
                break;
            }
        }
        exchange.finish(py)
    })
}

/// Hands the file in a `FileWrapper` to the agent, if there is a real one in it.
fn send_file(channel: &Channel, wrapper: &Bound<'_, PyAny>) -> PyResult<bool> {
    let range = wrapper.call_method0(intern!(wrapper.py(), "file_range"))?;
    let Some((fd, offset, length)) = range.extract::<Option<(RawFd, u64, u64)>>()? else { return Ok(false) };
    let file = fds::duplicate(fd)?;
    channel.with(|exchange| exchange.send_file(wrapper.py(), file, FileRange { offset, length }))
}

fn close(body: &Bound<'_, PyAny>) -> PyResult<()> {
    match body.getattr_opt(intern!(body.py(), "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}

fn all_bytes<'py>(parts: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    parts.map(|part| bytes(&part?).cloned()).collect()
}

fn bytes<'a, 'py>(part: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    part.cast().map_err(|_| {
        let class = part.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("the parts of a body must be bytes, and one is {class}"))
    })
}
