//! `_native.AsgiStream`: one request or conversation, as the application's `receive` and `send` see it.

use passenger_native::error::ProtocolError;
use passenger_native::frame::{CLOSE, Header, Kind};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::awaitable::{self, Goal};
use super::http::Http;
use super::link::{Link, Waiters};
use super::message::{self, Message};
use super::outgoing::Part;
use super::websocket::{ABNORMAL, WebSocket};
use crate::error;
use crate::response::{Head, check_status};

/// One stream of a channel.
#[pyclass(module = "passenger._native", name = "AsgiStream")]
pub(crate) struct Stream {
    link: Link,
    receivers: Waiters,
    role: Role,
}

/// What the stream is for.
pub(crate) enum Role {
    /// A request.
    Http(Http),
    /// A conversation. Boxed, as most streams are the other.
    WebSocket(Box<WebSocket>),
}

#[pymethods]
impl Stream {
    /// ASGI's `receive`.
    fn receive(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        awaitable::wait(slf, Goal::Message)
    }

    /// ASGI's `send`. What is wrong with the message is raised at once; the result is to be awaited.
    fn send(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let (members, name) = message::open(message)?;
        let message = Message::new(members, &name);
        let Self { link, role, receivers } = &mut *slf.try_borrow_mut()?;
        match role {
            Role::Http(http) => http.send(py, link, &message)?,
            Role::WebSocket(websocket) => websocket.send(py, link, &message)?,
        }
        if link.is_finished() {
            receivers.wake(py)?;
        }
        sent(slf, link)
    }

    /// Waits until all that was sent has left the stream.
    fn drain(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        sent(slf, &slf.try_borrow()?.link)
    }

    /// Whether the last frame is out.
    #[getter]
    fn ended(&self) -> bool {
        self.link.has_ended()
    }

    /// Whether all was said, even if a part of it has to wait.
    #[getter]
    fn finished(&self) -> bool {
        self.link.is_finished()
    }

    /// Whether it is a WebSocket that the application has accepted and not closed.
    #[getter]
    fn open(&self) -> bool {
        matches!(&self.role, Role::WebSocket(websocket) if websocket.is_open())
    }

    /// Whether the client is gone.
    #[getter]
    fn lost(&self) -> bool {
        self.link.is_lost() || matches!(&self.role, Role::WebSocket(websocket) if websocket.inbox.has_ended())
    }

    /// Whether the client has seen a part of the answer.
    #[getter]
    fn begun(&self) -> bool {
        match &self.role {
            Role::Http(http) => http.response.is_begun(),
            Role::WebSocket(websocket) => websocket.is_begun(),
        }
    }

    /// Answers for the application, which has not begun to.
    fn answer(
        &mut self,
        py: Python<'_>,
        status: u16,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: Py<PyBytes>,
    ) -> PyResult<()> {
        let is_head = matches!(&self.role, Role::Http(http) if http.response.is_head());
        let mut head = Head::default();
        head.fill(check_status(status)?, |writer| {
            headers.iter().try_for_each(|(name, value)| writer.add(name, value))
        })?;
        let header = self.link.end(Kind::Response);
        self.link.push(py, Part::Head { head, header, body: (!is_head).then_some(body) }, true)?;
        self.receivers.wake(py)
    }

    /// Ends the stream for an application that does not: a conversation with `code`, an answer by cutting it off.
    pub(crate) fn give_up(&mut self, py: Python<'_>, code: u16) -> PyResult<()> {
        if self.link.is_finished() {
            return Ok(());
        }
        let Self { link, role, receivers } = self;
        match role {
            Role::WebSocket(websocket) if websocket.is_open() && !link.is_lost() => {
                websocket.end(py, link, code, "")?
            }
            _ => link.push_urgent(py, link.end(Kind::Cancel))?,
        }
        receivers.wake(py)
    }
}

/// What the channel calls.
impl Stream {
    /// The stream of a request that was just taken.
    pub(crate) fn new(link: Link, role: Role) -> Self {
        Self { link, receivers: Waiters::default(), role }
    }

    /// The agent gives credit.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn grant(&mut self, py: Python<'_>, credit: u32) -> PyResult<()> {
        self.link.grant(py, credit)
    }

    /// The channel takes frames again, or has become deaf.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn pump(&mut self, py: Python<'_>) -> PyResult<()> {
        self.link.pump(py)
    }

    /// The client's words. The channel is borrowed; [`Stream::after_message`] does what needs it.
    ///
    /// # Errors
    /// `OSError` when the agent breaks the protocol.
    pub(crate) fn receive_message(&mut self, py: Python<'_>, header: &Header, payload: &[u8]) -> PyResult<()> {
        let Role::WebSocket(websocket) = &mut self.role else {
            return Err(error::from_protocol(&ProtocolError::Unexpected("WebSocket message")));
        };
        websocket.inbox.receive(py, header, payload).map_err(|error| error::from_protocol(&error))
    }

    /// To be called after [`Stream::receive_message`]. `closed` says that it was the client's last.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn after_message(&mut self, py: Python<'_>, closed: bool) -> PyResult<()> {
        if closed {
            let end = Header { aux: CLOSE, ..self.link.end(Kind::Message) };
            self.link.drop_queue(py, end)?;
        }
        self.give_credit(py)?;
        self.receivers.wake(py)
    }

    /// The client is gone, or the agent is.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn lose(&mut self, py: Python<'_>) -> PyResult<()> {
        self.link.lose(py)?;
        if let Role::WebSocket(websocket) = &mut self.role {
            websocket.inbox.end(ABNORMAL, "");
        }
        self.receivers.wake(py)
    }

    /// Nothing can be heard from the agent any more: conversations end, answers go on.
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn deafen(&mut self, py: Python<'_>) -> PyResult<()> {
        let Self { link, role, receivers } = self;
        link.pump(py)?;
        if let Role::WebSocket(websocket) = role {
            websocket.deafen(py, link)?;
            receivers.wake(py)?;
        }
        Ok(())
    }
}

/// What the awaitables call.
impl Stream {
    /// The next message for the application.
    ///
    /// # Errors
    /// `RuntimeError` when there can't be one.
    pub(crate) fn poll_message<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &mut self.role {
            Role::Http(http) => http.poll(py, &self.link),
            Role::WebSocket(websocket) => {
                let message = websocket.poll(py)?;
                self.give_credit(py)?;
                Ok(message)
            }
        }
    }

    /// A future for [`Stream::poll_message`].
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn wait_for_message(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = self.link.future(py)?;
        self.receivers.add(py, &future)?;
        Ok(future)
    }

    /// Whether what was sent first is out.
    ///
    /// # Errors
    /// `Disconnected` when it never will be.
    pub(crate) fn poll_sent(&self, count: u64) -> PyResult<bool> {
        self.link.poll_sent(count)
    }

    /// A future for [`Stream::poll_sent`].
    ///
    /// # Errors
    /// What the event loop raises.
    pub(crate) fn wait_for_sent(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.link.wait(py)
    }

    fn give_credit(&mut self, py: Python<'_>) -> PyResult<()> {
        let Role::WebSocket(websocket) = &mut self.role else { return Ok(()) };
        let Some(value) = websocket.inbox.take_credit() else { return Ok(()) };
        let header = Header { value, ..self.link.header(Kind::Window) };
        self.link.push_urgent(py, header)
    }
}

fn sent(stream: &Bound<'_, Stream>, link: &Link) -> PyResult<Py<PyAny>> {
    match link.to_wait_for() {
        None => awaitable::done(stream.py()),
        Some(count) => awaitable::wait(stream, Goal::Sent(count)),
    }
}
