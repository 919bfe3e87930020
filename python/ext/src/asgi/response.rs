//! An HTTP response as ASGI messages give it: start, then body; for http requests and for refused WebSockets.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;
use passenger_native::frame::{Header, Kind};
use passenger_native::response::FileRange;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::link::Link;
use super::message::Message;
use super::outgoing::{PIECE, Part};
use crate::response::{Head, check_status, is_bodiless};
use crate::strings;

/// How far the application is.
enum Phase {
    /// It has said nothing.
    Nothing,
    /// It has given the head, which leaves with the first of the body.
    Started(Head),
    /// The head is out.
    Begun,
    /// All was said.
    Complete,
}

/// A response in the making.
pub(crate) struct Response {
    phase: Phase,
    is_head: bool,
    /// Bytes of body that were announced and not given; `None` when nothing was announced, or there is no body.
    left: Option<u64>,
    bodiless: bool,
}

impl Response {
    /// To a HEAD request or another.
    pub(crate) fn new(is_head: bool) -> Self {
        Self { phase: Phase::Nothing, is_head, left: None, bodiless: is_head }
    }

    /// Whether a part of it was sent.
    pub(crate) fn is_begun(&self) -> bool {
        matches!(self.phase, Phase::Begun | Phase::Complete)
    }

    /// Whether anything was said, even if nothing was sent.
    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.phase, Phase::Nothing)
    }

    /// Whether it is one to a HEAD request.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// `http.response.start`: checked and kept.
    ///
    /// # Errors
    /// `RuntimeError` out of order; `TypeError` and `ValueError` for what can't be sent.
    pub(crate) fn start(&mut self, py: Python<'_>, message: &Message<'_, '_>) -> PyResult<()> {
        if self.is_started() {
            return Err(out_of_order(message, "the response has started"));
        }
        let status = check_status(message.number(intern!(py, "status"))?)?;
        let mut head = Head::default();
        head.fill(status, |writer| message.headers(writer))?;
        self.bodiless = self.is_head || is_bodiless(status);
        self.left = if self.bodiless { None } else { head.length };
        self.phase = Phase::Started(head);
        Ok(())
    }

    /// `http.response.body`.
    ///
    /// # Errors
    /// `RuntimeError` out of order, or when the body is not as long as the `content-length`; `TypeError`; `Disconnected`.
    pub(crate) fn body(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        self.check_started(message)?;
        let last = !message.flag(intern!(py, "more_body"))?;
        let body = message.bytes(intern!(py, "body"))?.filter(|body| !body.as_bytes().is_empty());
        let body = body.filter(|_| !self.bodiless);
        self.count(body.as_ref().map_or(0, |body| body.as_bytes().len()) as u64, last)?;
        match std::mem::replace(&mut self.phase, if last { Phase::Complete } else { Phase::Begun }) {
            Phase::Started(head) => self.begin(py, link, head, body.as_ref(), last),
            _ => match body {
                None if !last => Ok(()),
                body => link.push(py, data(py, link, body, last), last),
            },
        }
    }

    /// The head, and the first or all of the body.
    fn begin(
        &mut self,
        py: Python<'_>,
        link: &mut Link,
        mut head: Head,
        body: Option<&Bound<'_, PyBytes>>,
        last: bool,
    ) -> PyResult<()> {
        let length = body.map_or(0, |body| body.as_bytes().len());
        let whole = length <= PIECE;
        if last && !whole && head.length.is_none() {
            // In several frames the length can't be seen from the first.
            head.announce(length as u64);
        }
        let header = if last && whole { link.end(Kind::Response) } else { link.header(Kind::Response) };
        let first = body.filter(|_| whole).map(|body| body.clone().unbind());
        link.push(py, Part::Head { head, header, body: first }, last && whole)?;
        match body {
            Some(body) if !whole => link.push(py, data(py, link, Some(body.clone()), last), last),
            _ => Ok(()),
        }
    }

    /// `http.response.pathsend`: a file as the body.
    ///
    /// # Errors
    /// As `body`; `OSError` when the file can't be opened, or is no file.
    pub(crate) fn path(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        self.check_started(message)?;
        let Phase::Started(_) = &self.phase else {
            return Err(out_of_order(message, "a part of the body was sent"));
        };
        let (file, length) = open(py, message)?;
        self.count(if self.bodiless { 0 } else { length }, true)?;
        let Phase::Started(head) = std::mem::replace(&mut self.phase, Phase::Complete) else { return Ok(()) };
        if self.bodiless {
            return link.push(py, Part::Head { head, header: link.end(Kind::Response), body: None }, true);
        }
        link.push(py, Part::Head { head, header: link.header(Kind::Response), body: None }, false)?;
        let header = Header { aux: 1, ..link.end(Kind::File) };
        let range = FileRange { offset: 0, length };
        link.push(py, Part::File { header, range, descriptor: Some(file) }, true)
    }

    fn check_started(&self, message: &Message<'_, '_>) -> PyResult<()> {
        match self.phase {
            Phase::Nothing => Err(out_of_order(message, "the response has not started")),
            Phase::Complete => Err(out_of_order(message, "the response is complete")),
            Phase::Started(_) | Phase::Begun => Ok(()),
        }
    }

    /// A body must be as long as was announced, as the client relies on it.
    fn count(&mut self, length: u64, last: bool) -> PyResult<()> {
        let Some(left) = self.left else { return Ok(()) };
        let Some(rest) = left.checked_sub(length) else {
            return Err(PyRuntimeError::new_err("the response body is longer than its content-length header says"));
        };
        if last && rest > 0 {
            return Err(PyRuntimeError::new_err(format!(
                "the response body is {rest} bytes shorter than its content-length header says"
            )));
        }
        self.left = Some(rest);
        Ok(())
    }
}

/// A message that may not come now.
pub(crate) fn out_of_order(message: &Message<'_, '_>, reason: &str) -> PyErr {
    PyRuntimeError::new_err(format!("'{}' was sent, but {reason}", message.name))
}

/// A message that nobody knows.
pub(crate) fn unknown(message: &Message<'_, '_>, expected: &str) -> PyErr {
    PyRuntimeError::new_err(format!("'{}' was sent; this server expects {expected}", message.name))
}

fn data(py: Python<'_>, link: &Link, body: Option<Bound<'_, PyBytes>>, last: bool) -> Part {
    let header = if last { link.end(Kind::Data) } else { link.header(Kind::Data) };
    let bytes = body.unwrap_or_else(|| PyBytes::new(py, b"")).unbind();
    Part::Payload { header, more: 0, bytes, sent: 0 }
}

fn open(py: Python<'_>, message: &Message<'_, '_>) -> PyResult<(OwnedFd, u64)> {
    let path = message.text(intern!(py, "path"))?.ok_or_else(|| out_of_order(message, "without a 'path'"))?;
    let encoded = py.import("os")?.call_method1("fsencode", (&path,))?.cast_into::<PyBytes>()?;
    let path_name = Path::new(std::ffi::OsStr::from_bytes(encoded.as_bytes()));
    // Without waiting, as one would for whoever writes to a pipe.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path_name)
        // Python makes a FileNotFoundError of it, or whatever fits, which names the file.
        .map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string(), path.clone().unbind())))?;
    let attributes = file.metadata()?;
    if !attributes.is_file() {
        let path = strings::utf8(&path).unwrap_or("?");
        return Err(PyOSError::new_err(format!("{path} is no regular file, so it can't be sent")));
    }
    Ok((file.into(), attributes.len()))
}
