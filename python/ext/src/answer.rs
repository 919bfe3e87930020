//! Answering the request at hand. Whatever these functions raise, they leave whole frames in the output, and say in
//! `answer` what was written.

use std::os::fd::OwnedFd;

use passenger_native::connection::Connection;
use passenger_native::frame::{Header, Kind};
use passenger_native::response::FileRange;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::exchange::{Answer, Exchange};
use crate::response::{Head, HeadWriter, ONE_FRAME, check_status, is_bodiless};
use crate::sending;

/// An answer that took fewer microseconds waits for the next one, if that request is already here…
const QUICK: u32 = 50;
/// …and fewer bytes than this wait.
const COALESCED: usize = 64 * 1024;

/// What becomes of the rest of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It may follow.
    Wanted,
    /// It would not be sent: there is no body to this answer, or all that was announced has been sent.
    Surplus,
    /// The client is gone, and the answer was given up.
    Unwanted,
}

impl Exchange {
    /// Begins the answer, or replaces what was started; nothing is sent yet.
    ///
    /// # Errors
    /// `RuntimeError` when the head was sent; `ValueError` for a status or a header that can't be; what `add` raises.
    /// The answer has not begun then.
    pub(crate) fn start(&mut self, status: u16, add: impl FnOnce(&mut HeadWriter<'_>) -> PyResult<()>) -> PyResult<()> {
        if !matches!(self.answer, Answer::Nothing | Answer::Started) {
            return Err(PyRuntimeError::new_err("the response has begun, so its status and headers are settled"));
        }
        self.answer = Answer::Nothing;
        self.head.fill(check_status(status)?, add)?;
        self.left = self.head.length;
        self.answer = Answer::Started;
        Ok(())
    }

    /// Answers with a whole body. Returns false if it has to be sent part by part: because the head was sent or misses,
    /// the body has another length than was announced, or is too long for a frame.
    ///
    /// # Errors
    /// `Disconnected`; what signal handlers raise.
    pub(crate) fn respond(&mut self, py: Python<'_>, parts: &[Bound<'_, PyBytes>]) -> PyResult<bool> {
        if self.answer != Answer::Started {
            return Ok(false);
        }
        if self.is_bodiless() {
            let header = self.end_with_head(0);
            self.flush_unless_quick(py, header)?;
            return Ok(true);
        }
        let total = parts.iter().map(|part| part.as_bytes().len()).sum::<usize>();
        if self.left.is_some_and(|left| left != total as u64) {
            return Ok(false);
        }
        if total > ONE_FRAME {
            // In several frames the length can't be seen from the first, so it is said.
            if self.left.is_none() {
                self.head.announce(total as u64);
                self.left = self.head.length;
            }
            return Ok(false);
        }
        let header = self.end_with_head(total);
        if let [part] = parts
            && total >= sending::LARGE
        {
            sending::flush_with(py, &mut self.connection, part.as_bytes())?;
            return Ok(true);
        }
        for part in parts {
            self.connection.output().extend_from_slice(part.as_bytes());
        }
        self.flush_unless_quick(py, header)?;
        Ok(true)
    }

    /// Sends a part of the body, at once, and before it the head if that is still here.
    ///
    /// # Errors
    /// `RuntimeError` before `start`; `Disconnected`; what signal handlers raise.
    pub(crate) fn write(&mut self, py: Python<'_>, part: &[u8]) -> PyResult<Rest> {
        match self.answer {
            _ if part.is_empty() => return Ok(Rest::Wanted),
            Answer::Nothing => return Err(not_started()),
            Answer::Ended => return Ok(Rest::Surplus),
            Answer::Started if self.is_bodiless() => {
                self.end_with_head(0);
                self.flush(py)?;
                return Ok(Rest::Surplus);
            }
            Answer::Started => {}
            Answer::Begun => {
                self.look()?;
                if self.is_cancelled() {
                    self.cancel(py)?;
                    return Ok(Rest::Unwanted);
                }
            }
        }
        let allowed = self.left.map_or(part.len(), |left| part.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        self.write_allowed(py, &part[..allowed])?;
        Ok(if allowed < part.len() { Rest::Surplus } else { Rest::Wanted })
    }

    fn write_allowed(&mut self, py: Python<'_>, part: &[u8]) -> PyResult<()> {
        let is_last = self.left == Some(part.len() as u64);
        self.left = self.left.map(|left| left - part.len() as u64);
        if self.answer == Answer::Started {
            if part.len() <= ONE_FRAME {
                if is_last {
                    self.end_with_head(part.len());
                } else {
                    self.begin_with_head(part.len());
                }
                return sending::send_tail(py, &mut self.connection, part);
            }
            self.begin_with_head(0);
        }
        let header = if is_last { self.end(Kind::Data) } else { self.header(Kind::Data) };
        if is_last {
            self.answer = Answer::Ended;
        }
        sending::send_data(py, &mut self.connection, part, header)
    }

    /// The body is complete.
    ///
    /// # Errors
    /// `RuntimeError` when it can't be: `start` was not called, or more was announced; `Disconnected`; what signal
    /// handlers raise.
    pub(crate) fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.answer {
            Answer::Ended => return Ok(()),
            Answer::Nothing => return Err(not_started()),
            Answer::Started if self.is_bodiless() => {
                self.end_with_head(0);
            }
            Answer::Started | Answer::Begun if self.left.is_some_and(|left| left > 0) => return Err(self.too_short()),
            Answer::Started => {
                self.end_with_head(0);
            }
            Answer::Begun => {
                let frame = self.end(Kind::Data).encode();
                self.connection.output().extend_from_slice(&frame);
                self.answer = Answer::Ended;
            }
        }
        self.flush(py)
    }

    /// The body is a part of a file. Returns false if it can't be sent so, because the head was sent or misses, there
    /// is no body, or more was announced.
    ///
    /// # Errors
    /// `Disconnected`; what signal handlers raise.
    pub(crate) fn send_file(&mut self, py: Python<'_>, file: OwnedFd, range: FileRange) -> PyResult<bool> {
        let length = self.left.unwrap_or(range.length);
        if self.answer != Answer::Started || self.is_bodiless() || length > range.length || length == 0 {
            return Ok(false);
        }
        if self.left.is_none() {
            self.head.announce(length);
        }
        self.begin_with_head(0);
        let range = FileRange { length, ..range }.encode();
        let header = Header { length: range.len() as u32, aux: 1, ..self.end(Kind::File) };
        self.connection.attach(file);
        self.connection.output().extend_from_slice(&header.encode());
        self.connection.output().extend_from_slice(&range);
        self.answer = Answer::Ended;
        self.flush(py)?;
        Ok(true)
    }

    /// Sends an interim response, at once; nothing once the response has begun.
    ///
    /// # Errors
    /// `Disconnected`; what signal handlers raise.
    pub(crate) fn inform(&mut self, py: Python<'_>, head: &Head) -> PyResult<()> {
        if !matches!(self.answer, Answer::Nothing | Answer::Started) {
            return Ok(());
        }
        let header = self.header(Kind::Informational);
        head.write(self.connection.output(), header, 0);
        self.flush(py)
    }

    /// Sends what was held back.
    ///
    /// # Errors
    /// `Disconnected`; what signal handlers raise.
    pub(crate) fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        sending::flush(py, &mut self.connection)
    }

    /// Gives an unfinished answer up: the agent sends an error, or cuts the client's connection if the response began.
    ///
    /// # Errors
    /// `Disconnected`; what signal handlers raise.
    pub(crate) fn cancel(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.answer == Answer::Ended {
            return Ok(());
        }
        self.push_cancel();
        self.flush(py)
    }

    fn is_bodiless(&self) -> bool {
        self.is_head || is_bodiless(self.head.status)
    }

    /// Writes the head and announces that `rest` bytes follow, which are all of the body.
    fn end_with_head(&mut self, rest: usize) -> Header {
        let header = self.end(Kind::Response);
        self.head.write(self.connection.output(), header, rest);
        self.answer = Answer::Ended;
        header
    }

    fn begin_with_head(&mut self, rest: usize) {
        let header = self.header(Kind::Response);
        self.head.write(self.connection.output(), header, rest);
        self.answer = Answer::Begun;
    }

    fn flush_unless_quick(&mut self, py: Python<'_>, last: Header) -> PyResult<()> {
        let next_is_here = |connection: &Connection| matches!(connection.peek(), Ok(Some(_)));
        if last.value < QUICK && self.connection.pending() < COALESCED && next_is_here(&self.connection) {
            return Ok(());
        }
        self.flush(py)
    }

    fn too_short(&self) -> PyErr {
        let announced = self.head.length.unwrap_or_default();
        let sent = announced - self.left.unwrap_or_default();
        PyRuntimeError::new_err(format!("the body ends after {sent} bytes; its Content-Length is {announced}"))
    }
}

fn not_started() -> PyErr {
    PyRuntimeError::new_err("the application has not called start_response")
}
