//! `_native.Control`: the process's end of its control channel.

use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::{Shutdown, shutdown};
use passenger_native::control::{ControlSocket, FromProcess, Interface, PROTOCOL, ToProcess};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::{error, fds, gil};

type Message<'py> = (&'static str, Bound<'py, PyDict>, Bound<'py, PyList>);

/// A process's end of its control channel. Takes charge of the descriptor of a connected SOCK_SEQPACKET socket.
#[pyclass(frozen, module = "passenger._native")]
pub(crate) struct Control {
    // Two descriptors for one channel, so that a thread may send while another waits for a message.
    receiver: Mutex<Option<ControlSocket>>,
    sender: Mutex<Option<ControlSocket>>,
}

#[pymethods]
impl Control {
    #[new]
    fn new(fd: RawFd) -> PyResult<Self> {
        let sockets = fds::adopt(fd).and_then(|socket| Ok((socket.try_clone()?, socket)));
        let (receiver, sender) = sockets.map_err(|error| error::from_io(&error))?;
        Ok(Self {
            receiver: Mutex::new(Some(ControlSocket::new(receiver))),
            sender: Mutex::new(Some(ControlSocket::new(sender))),
        })
    }

    /// Waits for the next message: its name, its members, and the descriptors that came with it, which are the caller's
    /// to close. None when the agent has closed the channel, or `shutdown` was called.
    fn receive<'py>(&self, py: Python<'py>) -> PyResult<Option<Message<'py>>> {
        let mut receiver = self.receiver.try_lock().map_err(|_| error::busy())?;
        let Some(socket) = receiver.as_mut() else { return Ok(None) };
        match gil::wait(py, || socket.receive())? {
            Ok(None) => Ok(None),
            Ok(Some((message, descriptors))) => to_python(py, message, descriptors).map(Some),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error::from_io(&error)),
        }
    }

    /// The first message of a process.
    fn hello(&self, py: Python<'_>, language: String, version: String) -> PyResult<()> {
        self.send(py, FromProcess::Hello { protocol: PROTOCOL, language, version })
    }

    /// A step begins.
    fn progress(&self, py: Python<'_>, step: String) -> PyResult<()> {
        self.send(py, FromProcess::Progress { step })
    }

    /// A worker was forked.
    fn spawned(&self, py: Python<'_>, ticket: u32, pid: i32) -> PyResult<()> {
        self.send(py, FromProcess::Spawned { ticket, pid })
    }

    /// A preloader: the application is loaded. A worker: it serves, many requests at once if `multiplexed`.
    fn ready(&self, py: Python<'_>, pid: i32, multiplexed: bool) -> PyResult<()> {
        self.send(py, FromProcess::Ready { pid, multiplexed })
    }

    /// The process can't do what it was told. Texts that are too long are cut.
    fn failed(&self, py: Python<'_>, step: &str, reason: &str, output: &str) -> PyResult<()> {
        self.send(py, FromProcess::failed(step, reason, output))
    }

    /// A worker that this process forked has ended.
    #[pyo3(signature = (pid, code, signal))]
    fn exited(&self, py: Python<'_>, pid: i32, code: Option<i32>, signal: Option<i32>) -> PyResult<()> {
        self.send(py, FromProcess::Exited { pid, code, signal })
    }

    /// A worker wants to end: the agent is to send it no more requests.
    fn leaving(&self, py: Python<'_>, pid: i32) -> PyResult<()> {
        self.send(py, FromProcess::Leaving { pid })
    }

    /// The out-of-band work is over.
    fn oob_work_done(&self, py: Python<'_>, pid: i32) -> PyResult<()> {
        self.send(py, FromProcess::OobWorkDone { pid })
    }

    /// Makes `receive` return None, in another thread too.
    fn shutdown(&self, py: Python<'_>) {
        self.with_sender(py, |sender| {
            if let Some(socket) = sender {
                let _ = shutdown(socket.as_fd().as_raw_fd(), Shutdown::Read);
            }
        });
    }

    /// Closes the descriptor.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        *self.receiver.try_lock().map_err(|_| error::busy())? = None;
        self.with_sender(py, |sender| *sender = None);
        Ok(())
    }
}

impl Control {
    fn send(&self, py: Python<'_>, message: FromProcess) -> PyResult<()> {
        let sent = self.with_sender(py, |sender| sender.as_ref().map(|socket| socket.send(&message)));
        sent.ok_or_else(|| PyOSError::new_err("the control channel is closed"))?.map_err(|error| error::from_io(&error))
    }

    /// Threads take turns, and wait for theirs without the GIL.
    fn with_sender<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Option<ControlSocket>) -> T + Send) -> T {
        py.detach(|| work(&mut self.sender.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn to_python(py: Python<'_>, message: ToProcess, descriptors: Vec<OwnedFd>) -> PyResult<Message<'_>> {
    let members = PyDict::new(py);
    let name = match message {
        ToProcess::Load { protocol, app, slots } => {
            members.set_item("protocol", protocol)?;
            members.set_item("slots", slots)?;
            members.set_item("root", app.root)?;
            members.set_item("startup_file", app.startup_file)?;
            members.set_item("entry", app.entry)?;
            members.set_item("factory", app.factory)?;
            members.set_item("app_dir", app.app_dir)?;
            members.set_item("interface", app.interface.map(interface_name))?;
            members.set_item("environment", app.environment)?;
            members.set_item("multithread", app.multithread)?;
            members.set_item("show_errors", app.show_errors)?;
            "load"
        }
        ToProcess::Spawn { ticket, slots } => {
            members.set_item("ticket", ticket)?;
            members.set_item("slots", slots)?;
            "spawn"
        }
        ToProcess::OobWork => "oob_work",
        ToProcess::Promote => "promote",
    };
    let numbers = PyList::new(py, descriptors.into_iter().map(IntoRawFd::into_raw_fd).collect::<Vec<_>>())?;
    Ok((name, members, numbers))
}

fn interface_name(interface: Interface) -> &'static str {
    match interface {
        Interface::Rack => "rack",
        Interface::Wsgi => "wsgi",
        Interface::Asgi => "asgi",
    }
}
