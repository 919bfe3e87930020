//! A WebSocket between a client and a multiplexed worker.
//!
//! ```text
//!   client ──bytes──▶ codec ──messages──▶ session ──frames──▶ worker
//!          ◀─────────       ◀────────────         ◀──────────
//!
//!          client or worker closes, nonsense, the server ends           both have closed, or time is up
//!   Open ───────────────────────────────────────────────────▶ Closing ─────────────────────────────────▶ over
//! ```
//! Neither direction waits for the other. Everything that has arrived is passed on at once: messages for the worker
//! leave with those of other clients at the end of the turn, messages for the client leave in one write.

mod codec;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use passenger_native::frame::{self, CLOSE, Header, MORE};
use passenger_native::response;
use tokio::time::{Instant, Sleep, sleep};

use super::handshake::Handshake;
use crate::http::connection::Connection;
use crate::pool::session::{Ending, Event, Session};
use codec::{Codec, Said, Wire};

/// Messages for the client are taken until this many bytes wait for it.
const ENOUGH: usize = 256 * 1024;
/// Answers to this many pings may wait for a client that does not read.
const PINGS: usize = 64;
/// What is read at once from a client that sends little, and from one that sends much.
const LITTLE: usize = 8 * 1024;
const MUCH: usize = 64 * 1024;
/// A client from which nothing was heard for this long is asked whether it is there. After as long again it is not.
const PULSE: Duration = Duration::from_secs(20);
/// How long a client may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(5);
/// What a client is told when the server ends: "going away" (RFC 6455, 7.4.1).
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// Puts the answer to an accepted handshake into the connection's output.
///
/// # Errors
/// What is wrong with the application's answer.
pub fn accept(
    connection: &mut Connection,
    handshake: Option<&Handshake>,
    frame: &Header,
    payload: &[u8],
) -> Result<(), String> {
    let Some(Handshake::Valid(offer)) = handshake else { return Err("the client did not ask for one".to_owned()) };
    let answer = response::decode(frame, payload).map_err(|error| error.to_string())?;
    offer.accept(&mut connection.output, &answer.headers)
}

/// Leads a conversation to its end; the handshake's answer is in the connection's output.
///
/// # Errors
/// When the client's connection broke, or the worker has given the conversation up.
pub async fn run(connection: &mut Connection, session: Session) -> io::Result<()> {
    let mut conversation = Conversation {
        connection,
        session,
        codec: Codec::new(),
        upwards: None,
        written: 0,
        owed: 0,
        pings: 0,
        room: LITTLE,
        phase: Phase::Open,
        worker_is_done: false,
        timer: Box::pin(sleep(PULSE)),
        heard: true,
        asked: false,
        full: false,
    };
    poll_fn(|cx| conversation.poll(cx)).await?;
    if conversation.phase == Phase::Nonsense {
        // It may still be sending; it must not lose what it was told to a reset.
        conversation.connection.linger().await;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Messages go both ways.
    Open,
    /// One side has closed; the other's close is waited for.
    Closing,
    /// The client broke the protocol and has been told so.
    Nonsense,
    /// Both sides have closed.
    Closed,
}

struct Conversation<'c> {
    connection: &'c mut Connection,
    session: Session,
    codec: Codec,
    /// A message that is on its way to the worker, and whether it is text or binary.
    upwards: Option<(u16, Bytes)>,
    /// How much of the connection's output the client has.
    written: usize,
    /// How many bytes of messages are in the output: credit for the worker when it has been written.
    owed: usize,
    /// How many pings were answered since the output was last empty.
    pings: usize,
    room: usize,
    phase: Phase,
    /// The worker has said its last word.
    worker_is_done: bool,
    /// The pulse, or the end of a farewell.
    timer: Pin<Box<Sleep>>,
    /// Whether the client gave a sign of life since the timer began to run, and whether it was asked for one.
    heard: bool,
    asked: bool,
    /// The system took no more bytes for the client the last time.
    full: bool,
}

impl Conversation<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase == Phase::Open && self.connection.is_closing(cx) {
            self.close(&GOING_AWAY);
            self.session.close(&GOING_AWAY);
        }
        if self.look_at_the_clock(cx)? {
            return Poll::Ready(Ok(()));
        }
        loop {
            let more = self.take_from_worker(cx)?;
            let all_written = self.write(cx)?;
            if more && all_written {
                continue;
            }
            if self.is_over() {
                return if all_written { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            self.take_from_client(cx)?;
            if !all_written || (self.connection.output.is_empty() && !self.is_over()) {
                return Poll::Pending;
            }
        }
    }

    /// Whether the client has nothing more to say.
    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Nonsense)
    }

    /// Puts what the worker says into the output; returns whether there may be more.
    fn take_from_worker(&mut self, cx: &Context<'_>) -> io::Result<bool> {
        while !self.worker_is_done {
            if self.connection.output.len() >= ENOUGH {
                return Ok(true);
            }
            match self.session.poll_next(cx) {
                Poll::Ready(Event::Message(Header { aux: CLOSE, .. }, payload)) => self.close(&payload),
                Poll::Ready(Event::Message(header, payload)) => {
                    self.owed += frame::HEADER_LEN + payload.len();
                    let (codec, wire) = self.codec();
                    codec.write(wire, header.aux, payload, header.flags & MORE != 0);
                }
                Poll::Ready(Event::End(Ending::Complete)) => self.worker_is_done = true,
                // The worker was told how the client closed, and need not say more.
                Poll::Ready(Event::End(_)) if self.phase != Phase::Open => self.worker_is_done = true,
                Poll::Ready(event) => {
                    let reason = format!("a WebSocket was cut off: {event:?}");
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason));
                }
                Poll::Pending => break,
            }
        }
        Ok(false)
    }

    /// Writes the output; returns whether all of it is with the client.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while self.written < self.connection.output.len() {
            let rest = &self.connection.output[self.written..];
            match self.connection.socket.poll_write(cx, rest)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(length) => {
                    self.written += length;
                    // What fits into the system's buffers says nothing, but a client that makes room in them is alive.
                    self.heard |= std::mem::take(&mut self.full);
                }
                Poll::Pending => {
                    self.full = true;
                    return Ok(false);
                }
            }
        }
        self.written = 0;
        self.pings = 0;
        self.connection.output.clear();
        if self.owed > 0 {
            self.session.written(std::mem::take(&mut self.owed));
        }
        Ok(true)
    }

    /// Passes on what the client says, as far as the worker takes it.
    fn take_from_client(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.pass_upwards(cx) && self.pings < PINGS {
            let (codec, wire) = self.codec();
            let Some(said) = codec.next(wire) else {
                if self.read(cx)? {
                    continue;
                }
                return Ok(());
            };
            match said {
                Said::Message(kind, payload) if self.phase == Phase::Open => self.upwards = Some((kind, payload)),
                Said::Message(..) => {}
                Said::Ping => self.pings += 1,
                Said::Pong => {}
                Said::Close(payload) => {
                    self.session.close(&payload);
                    self.begin_farewell(Phase::Closing);
                }
                Said::Everything => {
                    self.phase = Phase::Closed;
                    return Ok(());
                }
                Said::Nonsense(payload) => {
                    self.session.close(&payload);
                    self.begin_farewell(Phase::Nonsense);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Sends the rest of a message to the worker; returns whether nothing is left of it.
    fn pass_upwards(&mut self, cx: &Context<'_>) -> bool {
        while let Some((kind, rest)) = &mut self.upwards {
            if self.session.poll_clear(cx).is_pending() {
                return false;
            }
            rest.advance(self.session.send(*kind, rest));
            if rest.is_empty() {
                self.upwards = None;
            }
        }
        true
    }

    /// Reads from the client; returns whether there is something new.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        match self.connection.poll_receive(cx, self.room)? {
            Poll::Ready(0) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a WebSocket client left without a close"))
            }
            Poll::Ready(length) => {
                self.room = if length < self.room { LITTLE } else { MUCH };
                self.heard = true;
                Ok(true)
            }
            Poll::Pending => Ok(false),
        }
    }

    fn codec(&mut self) -> (&mut Codec, Wire<'_>) {
        let Connection { input, output, .. } = &mut *self.connection;
        (&mut self.codec, Wire { input, output })
    }

    /// Tells the client that the conversation is over.
    fn close(&mut self, payload: &[u8]) {
        let (codec, wire) = self.codec();
        if let Err(mistake) = codec.close(wire, payload) {
            tracing::error!("the application closed a WebSocket in a way that can't be sent: {mistake}");
        }
        if self.phase == Phase::Open {
            self.begin_farewell(Phase::Closing);
        }
    }

    fn begin_farewell(&mut self, phase: Phase) {
        if self.phase == Phase::Open {
            self.upwards = None;
            self.timer.as_mut().reset(Instant::now() + FAREWELL);
        }
        self.phase = phase;
    }

    /// Returns whether a farewell has taken long enough.
    fn look_at_the_clock(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.phase != Phase::Open {
                return Ok(true);
            }
            // Nor can one be heard to which nobody listens because of what it has said before.
            self.heard |= self.upwards.is_some() || self.pings >= PINGS;
            if !self.heard && self.asked {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a WebSocket client gave no sign of life"));
            }
            self.asked = !self.heard;
            self.heard = false;
            if self.asked {
                self.connection.release_buffers();
                let (codec, wire) = self.codec();
                codec.ping(wire);
            }
            self.timer.as_mut().reset(Instant::now() + PULSE);
        }
        Ok(false)
    }
}
