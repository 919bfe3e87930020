//! A slot's end of its data channel, and how far the answer to the request at hand is.
//!
//! ```text
//!               next               start                  write
//!     Ended ─────────────▶ Nothing ──────▶ Started ─────────────────────▶ Begun
//!       ▲                  │  ▲ │          │  ▲ │                         │ ▲ │
//!       │                  └──┘ │          └──┘ │                         └─┘ │
//!       │                 inform│         start │                       write │
//!       └───────────────────────┴───────────────┴─────────────────────────────┘
//!        respond, write, file, finish, cancel: each sends the one frame with END
//! ```
//!
//! Answering is in `answer.rs`.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use passenger_native::connection::Connection;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{self, END, Header, Kind};
use pyo3::prelude::*;

use crate::response::Head;
use crate::{error, receiving};

/// How far the answer to the request at hand is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The application has said nothing.
    Nothing,
    /// It has called `start_response`; nothing has been sent.
    Started,
    /// The head has been sent.
    Begun,
    /// All has, or was given up.
    Ended,
}

/// One request after the other, and the answers to them.
pub(crate) struct Exchange {
    pub(crate) connection: Connection,
    pub(crate) answer: Answer,
    pub(crate) head: Head,
    /// Bytes that the announced length of the body still asks for.
    pub(crate) left: Option<u64>,
    pub(crate) is_head: bool,
    /// While requests are served: what `start_response` returns.
    pub(crate) write: Option<Py<PyAny>>,
    stream: u32,
    taken_at: Instant,
    /// Requests that the last read brought.
    batch: u32,
    /// Whether there are cancellations among the frames that wait.
    cancellations: bool,
}

impl Exchange {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            connection: Connection::new(socket),
            answer: Answer::Ended,
            head: Head::default(),
            left: None,
            is_head: false,
            write: None,
            stream: 0,
            taken_at: Instant::now(),
            batch: 0,
            cancellations: false,
        }
    }

    /// Takes the next request, waiting for one: its frame's header, and where in the connection its payload is. `None`
    /// when the agent has closed the channel, or this side has shut it down, and what had arrived is answered. A
    /// request that was left unanswered is given up.
    ///
    /// # Errors
    /// `Disconnected`; `OSError` if the agent breaks the protocol; what signal handlers raise.
    pub(crate) fn next(&mut self, py: Python<'_>) -> PyResult<Option<(Header, Range<usize>)>> {
        if self.answer != Answer::Ended {
            self.push_cancel();
        }
        loop {
            let next = self.connection.next_frame().map_err(|error| error::from_protocol(&error))?;
            let Some((header, payload)) = next else {
                let busy = std::mem::take(&mut self.batch) > 1;
                if receiving::fill(py, &mut self.connection, busy)? {
                    self.look_for_cancellations();
                    continue;
                }
                return Ok(None);
            };
            match header.kind {
                Kind::Request => {}
                // Late: the stream was answered.
                Kind::Cancel => continue,
                _ => return Err(error::from_protocol(&ProtocolError::Unexpected("frame kind"))),
            }
            self.batch += 1;
            self.taken_at = Instant::now();
            self.stream = header.stream;
            self.answer = Answer::Nothing;
            if self.is_cancelled() {
                self.push_cancel();
                continue;
            }
            return Ok(Some((header, payload)));
        }
    }

    /// Whether the agent has said that the client of the request at hand is gone.
    pub(crate) fn is_cancelled(&self) -> bool {
        let of_this = |header: Header| header.kind == Kind::Cancel && header.stream == self.stream;
        self.cancellations && self.connection.buffered().any(of_this)
    }

    /// Looks at what has arrived meanwhile.
    pub(crate) fn look(&mut self) -> PyResult<()> {
        receiving::look(&mut self.connection)?;
        self.look_for_cancellations();
        Ok(())
    }

    /// Done once a read, so that it need not be done for every request of a batch.
    fn look_for_cancellations(&mut self) {
        self.cancellations = self.connection.buffered().any(|header| header.kind == Kind::Cancel);
    }

    /// How long the request at hand has been worked on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.taken_at.elapsed()
    }

    /// The header of a frame within the answer.
    pub(crate) fn header(&self, kind: Kind) -> Header {
        frame::header(kind, self.stream)
    }

    /// The header of the frame that ends the answer.
    pub(crate) fn end(&self, kind: Kind) -> Header {
        let value = u32::try_from(self.elapsed().as_micros()).unwrap_or(u32::MAX);
        Header { flags: END, value, ..self.header(kind) }
    }

    /// Gives the answer up.
    pub(crate) fn push_cancel(&mut self) {
        let frame = self.end(Kind::Cancel).encode();
        self.connection.output().extend_from_slice(&frame);
        self.answer = Answer::Ended;
    }
}
