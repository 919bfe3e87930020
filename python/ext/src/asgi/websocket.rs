//! A websocket stream: what its application receives and may send.
//!
//! ```text
//!     Offered ── accept ──▶ Open ── close, or the client's end ──▶ Closed
//!        │ └─ close: 403 ──────────────────────────────────────────▶ ▲
//!        └─── http.response.start ──▶ Refused (Response) ── complete ┘
//! ```

use passenger_native::frame::{BINARY, CLOSE, Header, Kind, MORE, TEXT, UPGRADE};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::inbox::Inbox;
use super::link::{Link, disconnected};
use super::message::Message;
use super::outgoing::Part;
use super::response::{Response, out_of_order, unknown};
use crate::response::Head;
use crate::strings;

/// The client is gone, or was never let in (RFC 6455, 7.4.1).
pub(crate) const ABNORMAL: u16 = 1006;
/// Something unforeseen has kept the server from going on.
pub(crate) const INTERNAL_ERROR: u16 = 1011;
/// The worker is about to leave; another will serve.
const RESTARTING: u16 = 1012;
/// Longer reasons do not fit a close frame (RFC 6455, 5.5).
const MAX_REASON: usize = 123;

/// How far the conversation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Offered,
    Open,
    Refused,
    Closed,
}

/// One conversation.
pub(crate) struct WebSocket {
    phase: Phase,
    /// Whether the application has received `websocket.connect`, and whether the disconnect.
    greeted: bool,
    told: bool,
    pub(crate) inbox: Inbox,
    /// The refusal.
    pub(crate) response: Response,
}

impl WebSocket {
    /// A handshake.
    pub(crate) fn new() -> Self {
        let response = Response::new(false);
        Self { phase: Phase::Offered, greeted: false, told: false, inbox: Inbox::default(), response }
    }

    /// Whether the client has seen an answer to its handshake.
    pub(crate) fn is_begun(&self) -> bool {
        match self.phase {
            Phase::Offered => false,
            Phase::Refused => self.response.is_begun(),
            Phase::Open | Phase::Closed => true,
        }
    }

    /// Whether it was accepted and neither side has ended it.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The next message for the application, if it need not wait for one.
    ///
    /// # Errors
    /// `RuntimeError` when it has received the disconnect: whoever asks again and again would never wait.
    pub(crate) fn poll<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.greeted {
            self.greeted = true;
            let message = PyDict::new(py);
            message.set_item(intern!(py, "type"), intern!(py, "websocket.connect"))?;
            return Ok(Some(message.into_any()));
        }
        if self.told {
            return Err(PyRuntimeError::new_err("receive() was called after 'websocket.disconnect' was received"));
        }
        self.told = self.inbox.is_drained();
        self.inbox.poll(py)
    }

    /// A message from the application.
    ///
    /// # Errors
    /// `RuntimeError` for one that may not come now; `TypeError` and `ValueError` for what can't be sent; `Disconnected`
    /// when the conversation is over.
    pub(crate) fn send(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        if link.is_lost() || self.phase == Phase::Closed || self.inbox.has_ended() {
            return Err(disconnected());
        }
        match (self.phase, message.name) {
            (Phase::Open, "websocket.send") => send(py, link, message),
            (Phase::Open, "websocket.close") => self.close(py, link, message),
            (Phase::Open, "websocket.accept") => Err(out_of_order(message, "the WebSocket was accepted before")),
            (Phase::Open, _) => Err(unknown(message, "'websocket.send' or 'websocket.close'")),
            (Phase::Offered, "websocket.accept") => self.accept(py, link, message),
            (Phase::Offered, "websocket.close") => self.refuse(py, link),
            (Phase::Offered, "websocket.http.response.start") => {
                self.response.start(py, message)?;
                self.phase = Phase::Refused;
                Ok(())
            }
            (Phase::Refused, "websocket.http.response.body") => {
                self.response.body(py, link, message)?;
                self.close_if_finished(link);
                Ok(())
            }
            (Phase::Refused, _) => Err(unknown(message, "'websocket.http.response.body'")),
            (_, "websocket.send") => Err(out_of_order(message, "the WebSocket was not accepted")),
            _ => Err(unknown(message, "'websocket.accept', 'websocket.close' or 'websocket.http.response.start'")),
        }
    }

    /// Nothing can be heard from the client any more.
    ///
    /// # Errors
    /// `Disconnected`.
    pub(crate) fn deafen(&mut self, py: Python<'_>, link: &mut Link) -> PyResult<()> {
        match self.phase {
            Phase::Open if !link.is_lost() && !self.inbox.has_ended() => self.end(py, link, RESTARTING, ""),
            Phase::Offered => {
                self.inbox.end(RESTARTING, "");
                Ok(())
            }
            Phase::Open | Phase::Refused | Phase::Closed => Ok(()),
        }
    }

    /// Ends an open conversation.
    ///
    /// # Errors
    /// `Disconnected`.
    pub(crate) fn end(&mut self, py: Python<'_>, link: &mut Link, code: u16, reason: &str) -> PyResult<()> {
        self.phase = Phase::Closed;
        self.inbox.clear();
        self.inbox.end(code, reason);
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        let header = Header { aux: CLOSE, ..link.end(Kind::Message) };
        let bytes = PyBytes::new(py, &payload).unbind();
        link.push(py, Part::Payload { header, more: 0, bytes, sent: 0 }, true)
    }

    fn accept(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        let subprotocol = message.text(intern!(py, "subprotocol"))?;
        let mut head = Head::default();
        head.fill(101, |writer| {
            message.headers(writer)?;
            match subprotocol.as_ref().map(strings::utf8) {
                None => Ok(()),
                Some(Some(name)) => writer.add(b"sec-websocket-protocol", name.as_bytes()),
                Some(None) => Err(PyValueError::new_err("the subprotocol has characters that can't be sent")),
            }
        })?;
        let header = Header { flags: UPGRADE, ..link.header(Kind::Response) };
        link.push(py, Part::Head { head, header, body: None }, false)?;
        self.phase = Phase::Open;
        Ok(())
    }

    /// Close before accept.
    fn refuse(&mut self, py: Python<'_>, link: &mut Link) -> PyResult<()> {
        let mut head = Head::default();
        head.fill(403, |_| Ok(()))?;
        link.push(py, Part::Head { head, header: link.end(Kind::Response), body: None }, true)?;
        self.close_if_finished(link);
        Ok(())
    }

    fn close(&mut self, py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
        let code = if message.has(intern!(py, "code"))? { message.number(intern!(py, "code"))? } else { 1000 };
        if !may_be_sent(code) {
            return Err(PyValueError::new_err(format!(
                "{code} can't be sent as the code of a close; 1000 to 1014 but 1004 to 1006, and 3000 to 4999 can"
            )));
        }
        let reason = message.text(intern!(py, "reason"))?;
        let reason = reason.as_ref().map_or(Some(""), strings::utf8).filter(|reason| reason.len() <= MAX_REASON);
        let reason = reason.ok_or_else(|| {
            PyValueError::new_err(format!("the reason of a close is UTF-8 text of at most {MAX_REASON} bytes"))
        })?;
        self.end(py, link, code, reason)
    }

    /// After a refusal the application is told that the client is not there.
    fn close_if_finished(&mut self, link: &Link) {
        if link.is_finished() {
            self.phase = Phase::Closed;
            self.inbox.end(ABNORMAL, "");
        }
    }
}

/// Which codes an endpoint may send (RFC 6455, 7.4; the registry of IANA).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn send(py: Python<'_>, link: &mut Link, message: &Message<'_, '_>) -> PyResult<()> {
    let (aux, bytes) = match message.bytes(intern!(py, "bytes"))? {
        Some(bytes) => (BINARY, bytes),
        None => {
            let text = message
                .text(intern!(py, "text"))?
                .ok_or_else(|| PyTypeError::new_err("'websocket.send' was sent without 'bytes' and without 'text'"))?;
            let text = strings::utf8(&text)
                .ok_or_else(|| PyValueError::new_err("the text of a message can't be sent: it has lone surrogates"))?;
            (TEXT, PyBytes::new(py, text.as_bytes()))
        }
    };
    let header = Header { aux, ..link.header(Kind::Message) };
    link.push(py, Part::Payload { header, more: MORE, bytes: bytes.unbind(), sent: 0 }, false)
}
