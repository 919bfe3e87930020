//! `_native.AsgiChannel`: the worker's end of a multiplexed data channel, on an event loop.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};

use nix::sys::socket::{self, Shutdown};
use passenger_native::connection::Connection;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{CLOSE, Header, Kind, STOP, UPGRADE};
use passenger_native::request::{self, Body};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::http::Http;
use super::link::Link;
use super::scope::Scopes;
use super::stream::{Role, Stream};
use super::websocket::{INTERNAL_ERROR, WebSocket};
use crate::error::Disconnected;
use crate::{error, fds, sending};

/// With more than this to be sent, it is sent at once instead of at the end of the loop's turn.
const FLUSH_AT: usize = 256 * 1024;

/// One data channel. Its methods are for the thread of the event loop.
#[pyclass(module = "passenger._native", name = "AsgiChannel")]
pub(crate) struct Channel {
    connection: Connection,
    event_loop: Py<PyAny>,
    /// Python's `start(stream, scope, body)`, `stop(stream)` and `ended(error)`.
    start: Py<PyAny>,
    stop: Py<PyAny>,
    ended: Py<PyAny>,
    scopes: Scopes,
    /// Whether `start` runs the application up to its first wait.
    eager: bool,
    streams: HashMap<u32, Py<Stream>>,
    /// Streams that wait because the channel was full.
    stalled: VecDeque<u32>,
    callbacks: Option<Callbacks>,
    /// Whether what is to be sent will be without any more ado.
    flush_is_due: bool,
    /// Whether the kernel takes no more at present.
    full: bool,
    /// Whether this side wants nothing more.
    leaving: bool,
    /// Whether nothing can be received any more.
    deaf: bool,
    /// Whether nothing can be sent any more.
    broken: bool,
}

/// Bound methods that are needed again and again.
struct Callbacks {
    call_soon: Py<PyAny>,
    create_future: Py<PyAny>,
    flush: Py<PyAny>,
    writable: Py<PyAny>,
}

#[pymethods]
impl Channel {
    /// Takes charge of the descriptor. `start(stream, scope, body)` is called for each request, where `body` is None or the
    /// descriptor of the file with the body; `stop(stream)` for one that has been running for too long, and has ended;
    /// `ended(error)` when nothing more can be received, with the reason if it is
    /// not the usual. `http` and `websocket` are what scopes have in common; `copied` names dicts in them of which each request gets
    /// a copy. `eager`: `start` runs the application itself, not later from the loop.
    #[new]
    #[expect(clippy::too_many_arguments, reason = "all of it is fixed for the life of the channel")]
    fn new(
        fd: RawFd,
        event_loop: Py<PyAny>,
        start: Py<PyAny>,
        stop: Py<PyAny>,
        ended: Py<PyAny>,
        http: &Bound<'_, PyDict>,
        websocket: &Bound<'_, PyDict>,
        copied: Vec<Bound<'_, PyString>>,
        eager: bool,
    ) -> PyResult<Self> {
        let socket = fds::adopt(fd).map_err(|error| error::from_io(&error))?;
        Ok(Self {
            connection: Connection::new(socket),
            event_loop,
            start,
            stop,
            ended,
            scopes: Scopes::new(http, websocket, copied)?,
            eager,
            streams: HashMap::new(),
            stalled: VecDeque::new(),
            callbacks: None,
            flush_is_due: false,
            full: false,
            leaving: false,
            deaf: false,
            broken: false,
        })
    }

    /// Begins to take requests.
    fn open(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let event_loop = slf.try_borrow()?.event_loop.clone_ref(py).into_bound(py);
        let callbacks = Callbacks {
            call_soon: event_loop.getattr(intern!(py, "call_soon"))?.unbind(),
            create_future: event_loop.getattr(intern!(py, "create_future"))?.unbind(),
            flush: slf.getattr(intern!(py, "flush"))?.unbind(),
            writable: slf.getattr(intern!(py, "writable"))?.unbind(),
        };
        let fd = {
            let mut this = slf.try_borrow_mut()?;
            this.callbacks = Some(callbacks);
            this.fd()
        };
        event_loop.call_method1(intern!(py, "add_reader"), (fd, slf.getattr(intern!(py, "readable"))?)).map(drop)
    }

    /// Makes the agent send nothing more; what has arrived is served.
    fn shutdown(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let mut this = slf.try_borrow_mut()?;
        let _ = socket::shutdown(this.fd(), Shutdown::Read);
        this.leaving = true;
        let Some(callbacks) = &this.callbacks else { return Ok(()) };
        // The loop may have given the socket up: see `readable`.
        callbacks.call_soon.call1(py, (slf.getattr(intern!(py, "readable"))?,)).map(drop)
    }

    /// Sends what is left, waiting if need be, and drops the streams.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let mut this = slf.try_borrow_mut()?;
        this.stop_reading(py)?;
        this.stop_writing(py)?;
        this.callbacks = None;
        let streams = std::mem::take(&mut this.streams);
        let flushed = if this.broken { Ok(()) } else { sending::flush(py, &mut this.connection) };
        drop(this);
        drop(streams);
        // Nobody is left to be told that the agent has gone.
        flushed.or_else(|error| if error.is_instance_of::<Disconnected>(py) { Ok(()) } else { Err(error) })
    }

    /// Called by the event loop.
    fn readable(slf: &Bound<'_, Self>) -> PyResult<()> {
        loop {
            if slf.try_borrow()?.deaf {
                return Ok(());
            }
            let received = slf.try_borrow_mut()?.connection.receive(false);
            match received {
                Ok(0) => return Self::deafen(slf, None),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    return Ok(());
                }
                Err(error) => return Self::fail(slf, error::from_io(&error)),
            }
            let was_due = std::mem::replace(&mut slf.try_borrow_mut()?.flush_is_due, true);
            let dispatched = Self::dispatch(slf);
            if !was_due {
                Self::flush_after(slf)?;
            }
            match dispatched {
                // If the agent has died, the answer will tell; it costs less than to look again each time. But where
                // nothing will be answered, that must be seen now: libuv calls for an error once, and never again.
                Ok(true) if !slf.try_borrow()?.leaving => return Ok(()),
                Ok(_) => {}
                Err(error) => return Self::fail(slf, error),
            }
        }
    }

    /// Called by the event loop.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.try_borrow_mut()?.flush_is_due = false;
        Self::send_and_resume(slf)
    }

    /// Called by the event loop.
    fn writable(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.try_borrow_mut()?.stop_writing(slf.py())?;
        Self::send_and_resume(slf)
    }
}

/// What happens on the loop.
impl Channel {
    /// Serves all whole frames. Returns whether there were some that ask for an answer.
    fn dispatch(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let mut asked = false;
        loop {
            let mut this = slf.try_borrow_mut()?;
            let next = this.connection.next_frame().map_err(|error| error::from_protocol(&error))?;
            let Some((header, payload)) = next else { return Ok(asked) };
            asked |= matches!(header.kind, Kind::Request | Kind::Message);
            match header.kind {
                Kind::Request => {
                    let start = this.start.clone_ref(py);
                    let request = this.take_request(slf, &header, payload)?;
                    drop(this);
                    let stream = request.0.clone();
                    if let Err(error) = start.bind(py).call1(request) {
                        error.write_unraisable(py, Some(start.bind(py)));
                        stream.try_borrow_mut()?.give_up(py, INTERNAL_ERROR)?;
                    }
                }
                Kind::Window | Kind::Message | Kind::Cancel => {
                    let Some(stream) = this.streams.get(&header.stream) else { continue };
                    let stream = stream.bind(py).clone();
                    let stop = (header.kind == Kind::Cancel && header.aux == STOP).then(|| this.stop.clone_ref(py));
                    drop(this);
                    if let Some(stop) = stop {
                        let mut overdue = stream.try_borrow_mut()?;
                        overdue.lose(py)?;
                        overdue.give_up(py, INTERNAL_ERROR)?;
                        drop(overdue);
                        if let Err(error) = stop.bind(py).call1((stream,)) {
                            error.write_unraisable(py, Some(stop.bind(py)));
                        }
                        continue;
                    }
                    let mut stream = stream.try_borrow_mut()?;
                    match header.kind {
                        Kind::Window => stream.grant(py, header.value)?,
                        Kind::Cancel => stream.lose(py)?,
                        _ => {
                            stream.receive_message(py, &header, slf.try_borrow()?.connection.bytes(payload))?;
                            stream.after_message(py, header.aux == CLOSE)?;
                        }
                    }
                }
                _ => return Err(error::from_protocol(&ProtocolError::Unexpected("frame kind"))),
            }
        }
    }

    /// The arguments for `start`.
    fn take_request<'py>(
        &mut self,
        slf: &Bound<'py, Self>,
        header: &Header,
        payload: Range<usize>,
    ) -> PyResult<(Bound<'py, Stream>, Bound<'py, PyDict>, Option<RawFd>)> {
        let py = slf.py();
        let broken = |error: ProtocolError| error::from_protocol(&error);
        let file = match header.descriptors() {
            0 => None,
            _ => Some(self.connection.take_descriptor().map_err(broken)?),
        };
        let request = request::decode(header, self.connection.bytes(payload)).map_err(broken)?;
        let is_websocket = header.flags & UPGRADE != 0;
        let scope = self.scopes.build(py, &request, is_websocket)?;
        let role = if is_websocket {
            Role::WebSocket(Box::new(WebSocket::new()))
        } else {
            let body = match request.body {
                Body::Inline(bytes) => Some(PyBytes::new(py, bytes).unbind()),
                Body::Descriptor => None,
            };
            Role::Http(Http::new(request.line.method == b"HEAD", body))
        };
        let link = Link::new(slf.clone().unbind(), header.stream);
        let stream = Bound::new(py, Stream::new(link, role))?;
        if self.streams.insert(header.stream, stream.clone().unbind()).is_some() {
            return Err(broken(ProtocolError::Unexpected("stream number: it is in use")));
        }
        Ok((stream, scope, file.map(IntoRawFd::into_raw_fd)))
    }

    /// Sends what the requests of this turn were answered with, or has that done after their first steps.
    fn flush_after(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut this = slf.try_borrow_mut()?;
        if this.eager {
            drop(this);
            return Self::flush(slf);
        }
        this.call_flush_soon(slf.py())
    }

    /// Sends, and lets those go on who waited for that.
    fn send_and_resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let mut this = slf.try_borrow_mut()?;
        if let Err(error) = this.send(py) {
            drop(this);
            return Self::fail(slf, error);
        }
        // Those that find the channel full again are put at the end, so each gets its turn.
        let stalled = std::mem::take(&mut this.stalled);
        drop(this);
        for id in stalled {
            let stream = slf.try_borrow()?.streams.get(&id).map(|stream| stream.bind(py).clone());
            if let Some(stream) = stream {
                stream.try_borrow_mut()?.pump(py)?;
            }
        }
        Ok(())
    }

    /// Nothing more can be received.
    fn deafen(slf: &Bound<'_, Self>, error: Option<PyErr>) -> PyResult<()> {
        let py = slf.py();
        let ended = {
            let mut this = slf.try_borrow_mut()?;
            if this.deaf {
                return Ok(());
            }
            this.deaf = true;
            this.stop_reading(py)?;
            this.ended.clone_ref(py)
        };
        for stream in Self::all_streams(slf)? {
            stream.try_borrow_mut()?.deafen(py)?;
        }
        ended.call1(py, (error,)).map(drop)
    }

    /// Nothing can be sent either: the agent is gone, or can't be understood.
    fn fail(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        let py = slf.py();
        {
            let mut this = slf.try_borrow_mut()?;
            this.broken = true;
            this.stop_writing(py)?;
            let _ = socket::shutdown(this.fd(), Shutdown::Both);
        }
        for stream in Self::all_streams(slf)? {
            stream.try_borrow_mut()?.lose(py)?;
        }
        Self::deafen(slf, Some(error))
    }

    fn all_streams<'py>(slf: &Bound<'py, Self>) -> PyResult<Vec<Bound<'py, Stream>>> {
        Ok(slf.try_borrow()?.streams.values().map(|stream| stream.bind(slf.py()).clone()).collect())
    }
}

/// What streams use.
impl Channel {
    /// Where frames are appended.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Whether no credit can come any more, so that there is no waiting for it.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether a frame may be appended now. Else the stream will be pumped when it may.
    pub(crate) fn takes(&mut self, stream: u32) -> bool {
        if !self.full && self.connection.pending() < FLUSH_AT {
            return true;
        }
        if !self.stalled.contains(&stream) {
            self.stalled.push_back(stream);
        }
        false
    }

    /// To be called when something was appended.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn touch(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.flush_is_due || self.full || self.broken || self.connection.pending() == 0 {
            return Ok(());
        }
        self.call_flush_soon(py)
    }

    /// The stream has sent its last frame.
    pub(crate) fn forget(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// A future of the event loop, in the state in which a coroutine yields it to its task.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = match &self.callbacks {
            Some(callbacks) => callbacks.create_future.call0(py)?,
            None => self.event_loop.call_method0(py, intern!(py, "create_future"))?,
        };
        future.setattr(py, intern!(py, "_asyncio_future_blocking"), true)?;
        Ok(future)
    }

    fn fd(&self) -> RawFd {
        self.connection.as_fd().as_raw_fd()
    }

    fn call_flush_soon(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(callbacks) = &self.callbacks else { return Ok(()) };
        callbacks.call_soon.call1(py, (&callbacks.flush,))?;
        self.flush_is_due = true;
        Ok(())
    }

    /// Sends what the kernel takes, and has the rest sent when it takes more.
    fn send(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.full || self.broken || self.connection.pending() == 0 {
            return Ok(());
        }
        let flushed = self.connection.flush(&[], false).map_err(|error| error::from_io(&error))?;
        let (false, Some(callbacks)) = (flushed.all, &self.callbacks) else { return Ok(()) };
        self.event_loop.call_method1(py, intern!(py, "add_writer"), (self.fd(), &callbacks.writable))?;
        self.full = true;
        Ok(())
    }

    fn stop_reading(&mut self, py: Python<'_>) -> PyResult<()> {
        self.event_loop.call_method1(py, intern!(py, "remove_reader"), (self.fd(),)).map(drop)
    }

    fn stop_writing(&mut self, py: Python<'_>) -> PyResult<()> {
        if std::mem::take(&mut self.full) {
            self.event_loop.call_method1(py, intern!(py, "remove_writer"), (self.fd(),))?;
        }
        Ok(())
    }
}
