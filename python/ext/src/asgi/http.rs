//! An http stream: what its application receives and may send.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use passenger_native::frame::Kind;

use super::link::{Link, disconnected};
use super::message::Message;
use super::outgoing::Part;
use super::response::{Response, out_of_order, unknown};
use crate::response::Head;

/// The longest piece of a body in one message.
const PIECE: usize = 64 * 1024;

/// One request.
pub(crate) struct Http {
    pub(crate) response: Response,
    /// The body, until the application has received all of it. `None` from the start when it is in a file.
    body: Option<Py<PyBytes>>,
    received: usize,
}

impl Http {
    /// `body` is `None` if it does not come through here.
    pub(crate) fn new(is_head: bool, body: Option<Py<PyBytes>>) -> Self {
        Self { response: Response::new(is_head), body, received: 0 }
    }

    /// The next message for the application, if it need not wait for one.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn poll<'py>(&mut self, py: Python<'py>, link: &Link) -> PyResult<Option<Bound<'py, PyAny>>> {
        let message = PyDict::new(py);
        let name = intern!(py, "type");
        if link.is_lost() || link.is_finished() {
            message.set_item(name, intern!(py, "http.disconnect"))?;
        } else if let Some(body) = self.body.take() {
            let left = body.as_bytes(py).len() - self.received;
            let length = left.min(PIECE);
            let more = length < left;
            message.set_item(name, intern!(py, "http.request"))?;
            if self.received == 0 && !more {
                message.set_item(intern!(py, "body"), body)?;
            } else {
                let piece = PyBytes::new(py, &body.as_bytes(py)[self.received..self.received + length]);
                message.set_item(intern!(py, "body"), piece)?;
                self.received += length;
                self.body = more.then_some(body);
            }
            message.set_item(intern!(py, "more_body"), more)?;
        } else {
            return Ok(None);
        }
        Ok(Some(message.into_any()))
    }

    /// A message from the application.
    ///
    /// # Errors
    /// `RuntimeError` for one that may not come now; `TypeError` and `ValueError` for what can't be sent; `Disconnected`.
    pub(crate) fn send(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        if link.is_lost() {
            return Err(disconnected());
        }
        match message.name {
            "http.response.body" => self.response.body(py, link, message),
            "http.response.start" => self.response.start(py, message),
            "http.response.pathsend" => self.response.path(py, link, message),
            "http.response.early_hint" => self.early_hint(py, link, message),
            // Offered to no application; one that sends them nevertheless says that they may be dropped.
            "http.response.trailers" => Ok(()),
            _ => Err(unknown(message, "'http.response.start' or 'http.response.body'")),
        }
    }

    fn early_hint(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        if self.response.is_started() {
            return Err(out_of_order(message, "the response has started"));
        }
        let links = message.list_of_bytes(intern!(py, "links"))?;
        let mut head = Head::default();
        head.fill(103, |writer| links.iter().try_for_each(|link| writer.add(b"link", link.as_bytes())))?;
        let header = link.header(Kind::Informational);
        link.push(py, Part::Head { head, header, body: None }, false)
    }
}
