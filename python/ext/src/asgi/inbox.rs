//! What a WebSocket's client has said and the application has not received.

use std::collections::VecDeque;

use passenger_native::error::ProtocolError;
use passenger_native::frame::{CLOSE, HEADER_LEN, Header, INITIAL_WINDOW, MORE, TEXT};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// The code of a close frame without one (RFC 6455, 7.4.1).
const NO_CODE: u16 = 1005;

/// Messages in order, and the end of the conversation behind them.
#[derive(Default)]
pub(crate) struct Inbox {
    messages: VecDeque<Received>,
    /// The parts of a message whose last has not come, and the credit that they have taken.
    partial: Vec<u8>,
    held: u32,
    end: Option<End>,
    /// Credit that is to be given back to the agent.
    owed: u32,
}

struct Received {
    content: Content,
    /// Credit that it has taken, and that is given back when the application has it.
    charge: u32,
}

enum Content {
    Text(Py<PyString>),
    Binary(Py<PyBytes>),
}

/// Why nothing more comes.
pub(crate) struct End {
    /// As in RFC 6455, 7.4.
    pub(crate) code: u16,
    /// What the client said to it.
    pub(crate) reason: String,
}

impl Inbox {
    /// Takes in a Message frame. What comes after the end is dropped.
    ///
    /// # Errors
    /// Text that is not UTF-8, or a close that is malformed: the agent has to check both.
    pub(crate) fn receive(&mut self, py: Python<'_>, header: &Header, payload: &[u8]) -> Result<(), ProtocolError> {
        if self.end.is_some() {
            return Ok(());
        }
        if header.aux == CLOSE {
            self.end = Some(End::parse(payload)?);
            return Ok(());
        }
        let charge = HEADER_LEN as u32 + header.length;
        if header.flags & MORE != 0 {
            self.partial.extend_from_slice(payload);
            self.held = self.held.saturating_add(charge);
            self.release();
            return Ok(());
        }
        let charge = charge.saturating_add(std::mem::take(&mut self.held));
        let joined = std::mem::take(&mut self.partial);
        let bytes = if joined.is_empty() { payload } else { &[&joined, payload].concat() };
        let content = if header.aux == TEXT {
            let text = std::str::from_utf8(bytes).map_err(|_| ProtocolError::Invalid("text message"))?;
            Content::Text(PyString::new(py, text).unbind())
        } else {
            Content::Binary(PyBytes::new(py, bytes).unbind())
        };
        self.messages.push_back(Received { content, charge });
        Ok(())
    }

    /// A message may be longer than all credit together, so what its parts have taken is given back before it is whole;
    /// but only when it is the next that the application waits for.
    fn release(&mut self) {
        if self.messages.is_empty() {
            self.owed = self.owed.saturating_add(std::mem::take(&mut self.held));
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, code: u16, reason: &str) {
        self.end.get_or_insert_with(|| End { code, reason: reason.to_owned() });
    }

    /// Drops what was not received.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }

    /// The `websocket.receive` message for the next message, or the `websocket.disconnect` after the last.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn poll<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let message = PyDict::new(py);
        let name = intern!(py, "type");
        if let Some(Received { content, charge }) = self.messages.pop_front() {
            self.owed = self.owed.saturating_add(charge);
            self.release();
            message.set_item(name, intern!(py, "websocket.receive"))?;
            match content {
                Content::Text(text) => message.set_item(intern!(py, "text"), text)?,
                Content::Binary(bytes) => message.set_item(intern!(py, "bytes"), bytes)?,
            }
        } else if let Some(end) = &self.end {
            message.set_item(name, intern!(py, "websocket.disconnect"))?;
            message.set_item(intern!(py, "code"), end.code)?;
            message.set_item(intern!(py, "reason"), &end.reason)?;
        } else {
            return Ok(None);
        }
        Ok(Some(message.into_any()))
    }

    /// Whether the next thing to receive is the end.
    pub(crate) fn is_drained(&self) -> bool {
        self.messages.is_empty() && self.has_ended()
    }

    /// Whether nothing more comes, received or not.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Credit for a Window frame, once there is enough of it.
    pub(crate) fn take_credit(&mut self) -> Option<u32> {
        if self.owed < INITIAL_WINDOW / 2 || self.has_ended() {
            return None;
        }
        Some(std::mem::take(&mut self.owed))
    }
}

impl End {
    /// The payload of a close frame (RFC 6455, 5.5.1).
    fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        match payload {
            [] => Ok(Self { code: NO_CODE, reason: String::new() }),
            [high, low, reason @ ..] => {
                let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::Invalid("reason of a close"))?;
                Ok(Self { code: u16::from_be_bytes([*high, *low]), reason: reason.to_owned() })
            }
            _ => Err(ProtocolError::Truncated("the code of a close")),
        }
    }
}
