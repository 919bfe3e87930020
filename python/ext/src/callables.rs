//! What a WSGI application calls: `start_response`, the `write` that it returns, and `wsgi.early_hints`.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::answer::Rest;
use crate::channel::Channel;
use crate::error::Disconnected;
use crate::exchange::Answer;
use crate::fastcall;
use crate::response::{Head, HeadWriter};
use crate::strings::{to_bytes, utf8};

const EARLY_HINTS: u16 = 103;

/// What the callables act on. One serves many requests, as long as the application keeps none of them for longer than
/// its own.
#[pyclass(frozen, module = "passenger._native")]
pub(crate) struct Responder {
    channel: Py<Channel>,
    is_current: AtomicBool,
}

/// The callables for the request at hand.
pub(crate) struct Callables<'py> {
    channel: Bound<'py, Channel>,
    responder: Bound<'py, Responder>,
    start_response: Bound<'py, PyAny>,
    early_hints: Bound<'py, PyAny>,
}

impl<'py> Callables<'py> {
    /// Makes them, and puts those into `template` that belong to the environment.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn new(channel: &Bound<'py, Channel>, template: &Bound<'py, PyDict>) -> PyResult<Self> {
        let py = channel.py();
        let responder = Responder { channel: channel.clone().unbind(), is_current: AtomicBool::new(true) };
        let responder = Bound::new(py, responder)?;
        let start_response = fastcall::start_response(&responder)?;
        let early_hints = responder.getattr(intern!(py, "early_hints"))?;
        template.set_item(intern!(py, "wsgi.early_hints"), &early_hints)?;
        let write = responder.getattr(intern!(py, "write"))?.unbind();
        channel.get().with(|exchange| {
            exchange.write = Some(write);
            Ok(())
        })?;
        Ok(Self { channel: channel.clone(), responder, start_response, early_hints })
    }

    pub(crate) fn start_response(&self) -> &Bound<'py, PyAny> {
        &self.start_response
    }

    /// To be called after each request: what the application has kept of them is of no use any more.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn renew(&mut self, template: &Bound<'py, PyDict>) -> PyResult<()> {
        let py = self.channel.py();
        let write =
            self.channel.get().with(|exchange| Ok(exchange.write.as_ref().map(|write| references(write.bind(py)))))?;
        // The template has the second reference to `early_hints`.
        if write != Some(1) || references(&self.start_response) != 1 || references(&self.early_hints) != 2 {
            self.responder.get().is_current.store(false, Ordering::Relaxed);
            *self = Self::new(&self.channel, template)?;
        }
        Ok(())
    }
}

#[pymethods]
impl Responder {
    /// Sends `data` as the next part of the body, at once.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        match self.channel()?.with(|exchange| exchange.write(py, data.as_bytes()))? {
            Rest::Wanted | Rest::Surplus => Ok(()),
            Rest::Unwanted => Err(Disconnected::new_err("the client is gone")),
        }
    }

    /// Sends an interim response (103) with `headers`, at once; nothing once the response has begun.
    fn early_hints(&self, py: Python<'_>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let channel = self.channel()?;
        let mut head = Head::default();
        head.fill(EARLY_HINTS, |writer| add_headers(writer, headers))?;
        channel.with(|exchange| exchange.inform(py, &head))
    }
}

impl Responder {
    fn channel(&self) -> PyResult<&Channel> {
        if self.is_current.load(Ordering::Relaxed) {
            return Ok(self.channel.get());
        }
        Err(PyRuntimeError::new_err("the request that this belongs to was answered"))
    }

    pub(crate) fn start_response<'py>(
        &self,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = status.py();
        let channel = self.channel()?;
        let answer = channel.with(|exchange| Ok(exchange.answer))?;
        match exc_info.filter(|info| !info.is_none()) {
            Some(info) if matches!(answer, Answer::Begun | Answer::Ended) => return Err(raised(info)?),
            None if answer == Answer::Started => {
                return Err(PyRuntimeError::new_err("start_response was called twice, and without exc_info"));
            }
            _ => {}
        }
        let status = parse_status(status)?;
        channel.with(|exchange| {
            exchange.start(status, |writer| add_headers(writer, headers))?;
            let write = exchange.write.as_ref().map(|write| write.bind(py).clone());
            write.ok_or_else(|| PyRuntimeError::new_err("the channel is not being served"))
        })
    }
}

fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: an object, and we hold the GIL.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// The exception in what `sys.exc_info()` gave.
fn raised(info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let (_, error, traceback): (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>) = info.extract()?;
    error.call_method1("with_traceback", (traceback,)).map(PyErr::from_value)
}

/// The number in `"404 Not Found"`; the agent finds the words.
fn parse_status(status: &Bound<'_, PyAny>) -> PyResult<u16> {
    let string = text(status, "the status")?;
    let digit = |byte: u8| char::from(byte).to_digit(10);
    let number = match utf8(string).unwrap_or_default().as_bytes() {
        &[a, b, c] | &[a, b, c, b' ', ..] => digit(a).zip(digit(b)).zip(digit(c)),
        _ => None,
    };
    let number = number.map(|((a, b), c)| (a * 100 + b * 10 + c) as u16);
    number.ok_or_else(|| PyValueError::new_err(format!("{status:?} is no status; it must be like '200 OK'")))
}

/// Adds headers, given as PEP 3333 has them: pairs of strings.
pub(crate) fn add_headers(writer: &mut HeadWriter<'_>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(list) = headers.cast_exact::<PyList>() {
        return list.iter().try_for_each(|header| add_header(writer, &header));
    }
    if headers.is_instance_of::<PyDict>() {
        return Err(PyTypeError::new_err("the headers must be a list of (name, value) tuples, and they are a dict"));
    }
    headers.try_iter()?.try_for_each(|header| add_header(writer, &header?))
}

fn add_header(writer: &mut HeadWriter<'_>, header: &Bound<'_, PyAny>) -> PyResult<()> {
    let odd = || PyTypeError::new_err(format!("a header must be a (name, value) tuple, and one is {header:?}"));
    let pair = match header.cast::<PyTuple>() {
        Ok(tuple) => tuple.clone(),
        Err(_) => header.cast::<PyList>().map_err(|_| odd())?.to_tuple(),
    };
    if pair.len() != 2 {
        return Err(odd());
    }
    let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
    let (name, value) = (text(&name, "the name of a header")?, text(&value, "the value of a header")?);
    match (to_bytes(name), to_bytes(value)) {
        (Some(name), Some(value)) => writer.add(&name, &value),
        _ => Err(PyValueError::new_err(format!("the header {header:?} has characters beyond ISO 8859-1"))),
    }
}

fn text<'a, 'py>(value: &'a Bound<'py, PyAny>, what: &str) -> PyResult<&'a Bound<'py, PyString>> {
    value.cast().map_err(|_| PyTypeError::new_err(format!("{what} must be a str, and one is {value:?}")))
}
