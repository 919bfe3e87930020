//! `_native.Channel`: a slot's end of its data channel, as Python holds it.

use std::os::fd::RawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::socket::{Shutdown, shutdown};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{self, Disconnected};
use crate::exchange::Exchange;
use crate::fds;
use crate::server::Server;

const CLOSED: RawFd = -1;

/// A slot's end of its data channel. Takes charge of the descriptor of a connected SOCK_STREAM socket.
#[pyclass(frozen, module = "passenger._native")]
pub(crate) struct Channel {
    /// Never waited for: only the thread that serves uses it, and what the application calls from there.
    exchange: Mutex<Option<Exchange>>,
    /// For `shutdown`, which comes from another thread.
    fd: AtomicI32,
}

#[pymethods]
impl Channel {
    #[new]
    fn new(fd: RawFd) -> PyResult<Self> {
        let socket = fds::adopt(fd).map_err(|error| error::from_io(&error))?;
        Ok(Self { exchange: Mutex::new(Some(Exchange::new(socket))), fd: AtomicI32::new(fd) })
    }

    /// Serves requests with the WSGI application `app`, one after the other, until the agent or `shutdown` has ended
    /// the channel and all that had arrived is answered.
    ///
    /// Each environment is a copy of `environment` and what is particular to the request. What `app` raises is given to
    /// `report`, with the environment: it returns the headers and the body of the error page.
    ///
    /// Raises OSError if the agent breaks the protocol, and what signal handlers raise while no request is being
    /// served.
    fn serve<'py>(
        slf: &Bound<'py, Self>,
        app: Bound<'py, PyAny>,
        environment: Bound<'py, PyDict>,
        report: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let served = Server::new(slf, app, environment, report).and_then(Server::run);
        // It leads back to this channel.
        let _ = slf.get().with(|exchange| Ok(exchange.write.take()));
        match served {
            Err(error) if error.is_instance_of::<Disconnected>(slf.py()) => Ok(()),
            other => other,
        }
    }

    /// Makes `serve` return when what has arrived is answered. For any thread and for signal handlers.
    fn shutdown(&self) {
        let _ = shutdown(self.fd.load(Ordering::Relaxed), Shutdown::Read);
    }

    /// Closes the descriptor. Raises RuntimeError while another thread serves.
    fn close(&self) -> PyResult<()> {
        let mut exchange = self.exchange.try_lock().map_err(|_| error::busy())?;
        self.fd.store(CLOSED, Ordering::Relaxed);
        *exchange = None;
        Ok(())
    }
}

impl Channel {
    /// Does something with the connection and the request at hand, which no other thread can have meanwhile.
    ///
    /// # Errors
    /// Those of `work`; `RuntimeError` when another thread has them; `OSError` when the channel is closed.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Exchange) -> PyResult<T>) -> PyResult<T> {
        match &mut *self.exchange.try_lock().map_err(|_| error::busy())? {
            Some(exchange) => work(exchange),
            None => Err(PyOSError::new_err("this channel is closed")),
        }
    }
}
