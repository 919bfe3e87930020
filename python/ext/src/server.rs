//! The loop that takes one request after the other to the application.

use passenger_native::frame::REPEATED;
use passenger_native::request;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::body::Sender;
use crate::callables::{Callables, add_headers};
use crate::channel::Channel;
use crate::error::{self, Disconnected};
use crate::exchange::Answer;
use crate::fds;
use crate::request::Environments;

/// What `Channel.serve` works with.
pub(crate) struct Server<'py> {
    channel: Bound<'py, Channel>,
    app: Bound<'py, PyAny>,
    template: Bound<'py, PyDict>,
    report: Bound<'py, PyAny>,
    environments: Environments<'py>,
    callables: Callables<'py>,
    sender: Sender<'py>,
}

/// A request, ready for the application.
struct Taken<'py> {
    environment: Bound<'py, PyDict>,
    /// The file with its body, if it came in one.
    file: Option<Bound<'py, PyAny>>,
}

impl<'py> Server<'py> {
    /// # Errors
    /// `MemoryError`; what Python raises when it can't import `io`.
    pub(crate) fn new(
        channel: &Bound<'py, Channel>,
        app: Bound<'py, PyAny>,
        environment: Bound<'py, PyDict>,
        report: Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let py = channel.py();
        let template = environment.copy()?;
        let callables = Callables::new(channel, &template)?;
        let sender = Sender::new(py, template.get_item(intern!(py, "wsgi.file_wrapper"))?)?;
        let environments = Environments::new(template.clone())?;
        Ok(Self { channel: channel.clone(), app, template, report, environments, callables, sender })
    }

    /// Returns at the end of the channel.
    ///
    /// # Errors
    /// `Disconnected`; `OSError` if the agent breaks the protocol; what signal handlers raise between requests.
    pub(crate) fn run(mut self) -> PyResult<()> {
        while let Some(Taken { environment, file }) = self.next()? {
            if let Err(error) = self.answer(&environment) {
                self.recover(&environment, error)?;
            }
            if let Some(file) = file {
                // Gives the space of a large upload back at once. Whatever the application has done to it, it is no
                // matter now.
                let _ = file.call_method0(intern!(file.py(), "close"));
            }
            drop(environment);
            self.callables.renew(&self.template)?;
        }
        Ok(())
    }

    fn next(&mut self) -> PyResult<Option<Taken<'py>>> {
        let py = self.channel.py();
        self.channel.get().with(|exchange| {
            let broken = |error| error::from_protocol(&error);
            let Some((header, payload)) = exchange.next(py)? else { return Ok(None) };
            let file = match header.descriptors() {
                0 => None,
                _ => Some(fds::open(py, exchange.connection.take_descriptor().map_err(broken)?)?),
            };
            let request = request::decode(&header, exchange.connection.bytes(payload)).map_err(broken)?;
            exchange.is_head = request.line.method == b"HEAD";
            let environment = self.environments.make(&request, header.flags & REPEATED != 0, file.as_ref())?;
            Ok(Some(Taken { environment, file }))
        })
    }

    fn answer(&self, environment: &Bound<'py, PyDict>) -> PyResult<()> {
        let body = self.app.call1((environment, self.callables.start_response()))?;
        self.sender.deliver(self.channel.get(), &body)
    }

    /// Whatever the application raises, the client gets an answer and the worker goes on. That holds for SystemExit,
    /// too: one request must not end those of other threads.
    fn recover(&self, environment: &Bound<'py, PyDict>, error: PyErr) -> PyResult<()> {
        let py = self.channel.py();
        let channel = self.channel.get();
        if !error.is_instance_of::<Disconnected>(py)
            && let Err(other) = self.report(environment, error)
            && !other.is_instance_of::<Disconnected>(py)
        {
            other.write_unraisable(py, Some(&self.report));
        }
        channel.with(|exchange| exchange.cancel(py))
    }

    fn report(&self, environment: &Bound<'py, PyDict>, error: PyErr) -> PyResult<()> {
        let py = self.channel.py();
        // Not `value`: before Python 3.12 that one is without its traceback.
        let error = error.clone_ref(py).into_value(py);
        let page = self.report.call1((environment, error))?;
        let (headers, body): (Bound<'_, PyAny>, Bound<'_, PyBytes>) = page.extract()?;
        self.channel.get().with(|exchange| {
            if matches!(exchange.answer, Answer::Nothing | Answer::Started) {
                exchange.start(500, |writer| add_headers(writer, &headers))?;
                exchange.respond(py, &[body])?;
            }
            Ok(())
        })
    }
}
