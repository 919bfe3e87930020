//! The requests on a channel of a worker that serves many at the same time (docs/protocol.md, Multiplexing).

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{self, CLOSE, Header, Kind, UPGRADE};
use tokio::time::Instant;

use super::credit::{Inflow, Outflow};
use super::ordered::PROMPT;
use super::reading::deliver;
use crate::pool::exchange::Exchange;
use crate::pool::inbox::Inbox;
use crate::pool::load::{Outlook, Shortness};
use crate::pool::session::{Ending, Event};

/// A stream's number is where its entry is, in the lower bits, and how often that place was used before, in the others:
/// so it is found at once, and not taken for one that was there earlier.
const PLACE_BITS: u32 = 20;
const PLACES: usize = 1 << PLACE_BITS;

/// A request may join short ones that take up to this long, in microseconds: that is more than where requests are answered
/// one after the other, because what was measured holds the wait for those that were served in the same turn.
const SHARED_MICROS: u32 = 70;

/// How far an answer has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its head has not come.
    Asked,
    /// Its body comes.
    Answering,
    /// It has become a WebSocket.
    WebSocket,
}

/// A request and its answer.
struct Stream {
    exchange: Rc<Exchange>,
    phase: Phase,
    /// The worker may have read the request.
    sent: bool,
    /// The agent has said its last word on it: a close or a Cancel.
    finished: bool,
    /// When it was given up, because it takes too long.
    given_up: Option<Instant>,
    /// It is known to be short.
    short: bool,
    inflow: Inflow,
    outflow: Outflow,
}

/// A place for a stream.
#[derive(Default)]
struct Place {
    uses: u32,
    stream: Option<Stream>,
}

/// All streams of a channel.
#[derive(Default)]
pub struct Streams {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Those whose request has not begun to leave.
    unsent: Vec<u32>,
    taken: usize,
    websockets: usize,
    /// Requests that are known to be short, the longest that one of them may take in microseconds, and since when none
    /// of them was answered.
    short: usize,
    longest: u32,
    quiet_since: Option<Instant>,
    /// No credit can be given any more, so none is asked for.
    deaf: bool,
}

/// What came of a frame from the worker.
#[derive(Default)]
pub struct Taken {
    /// It was the last of this exchange.
    pub ended: Option<Rc<Exchange>>,
    /// The worker gets this credit for its stream, in bytes.
    pub credit: Option<u32>,
    /// A request has become a WebSocket, which counts no more.
    pub accepted: bool,
}

impl Streams {
    /// How many requests wait for an answer or get one, without WebSockets.
    pub fn requests(&self) -> usize {
        self.taken - self.websockets
    }

    /// How many WebSockets are open.
    pub fn websockets(&self) -> usize {
        self.websockets
    }

    /// Whether there is a number left for another.
    pub fn has_place(&self) -> bool {
        self.taken < PLACES
    }

    /// How long a short request would wait here, if all that are here will be done soon.
    pub fn outlook(&self) -> Outlook {
        let all_short = self.short > 0 && self.short == self.requests();
        let brief = Shortness::ALL.map(|shortness| {
            (all_short && self.longest < shortness.patience().max(SHARED_MICROS)).then_some(self.longest)
        });
        Outlook { wait: None, brief }
    }

    /// Whether the worker has answered or begun so lately that it is still awake.
    pub fn is_prompt(&self) -> bool {
        self.quiet_since.is_some_and(|since| since.elapsed() < PROMPT)
    }

    /// Adds a request; returns its stream's number. `expected` is how long it will take in microseconds, if it is known to
    /// be short.
    pub fn insert(&mut self, exchange: Rc<Exchange>, expected: Option<u32>) -> u32 {
        if let Some(expected) = expected {
            if self.short == 0 {
                self.quiet_since = Some(Instant::now());
                self.longest = 0;
            }
            self.short += 1;
            self.longest = self.longest.max(expected);
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[index as usize];
        place.uses = place.uses.wrapping_add(1);
        place.stream = Some(Stream {
            exchange,
            phase: Phase::Asked,
            sent: false,
            finished: false,
            given_up: None,
            short: expected.is_some(),
            inflow: Inflow::default(),
            outflow: Outflow::default(),
        });
        let number = place.uses << PLACE_BITS | index;
        self.taken += 1;
        self.unsent.push(number);
        number
    }

    fn get(&mut self, number: u32) -> Option<&mut Stream> {
        let place = self.places.get_mut(number as usize % PLACES)?;
        if place.uses << PLACE_BITS == number & !(PLACES as u32 - 1) { place.stream.as_mut() } else { None }
    }

    fn remove(&mut self, number: u32) -> Option<Rc<Exchange>> {
        let index = number % PLACES as u32;
        let stream = self.places.get_mut(index as usize)?.stream.take()?;
        self.free.push(index);
        self.taken -= 1;
        self.websockets -= usize::from(stream.phase == Phase::WebSocket);
        if stream.short {
            self.short -= 1;
            self.quiet_since = Some(Instant::now());
        }
        Some(stream.exchange)
    }

    /// Notes that everything has gone out at least in part; returns how many requests were among it.
    pub fn mark_sent(&mut self) -> usize {
        let mut unsent = std::mem::take(&mut self.unsent);
        let count = unsent.len();
        for number in unsent.drain(..) {
            if let Some(stream) = self.get(number) {
                stream.sent = true;
            }
        }
        self.unsent = unsent;
        count
    }

    /// Takes those off of which no byte has gone out.
    pub fn take_unsent(&mut self) -> Vec<Rc<Exchange>> {
        std::mem::take(&mut self.unsent).into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// The worker can be given no credit any more, and sends without.
    pub fn expect_no_credit(&mut self) {
        self.deaf = true;
    }

    /// Takes a frame from the worker. `is_deaf` is asked of one that sends without credit.
    ///
    /// # Errors
    /// A frame of a stream that is not there, out of its order, or beyond its credit.
    pub fn take(
        &mut self,
        header: Header,
        payload: Bytes,
        inbox: &mut Inbox,
        is_deaf: impl Fn() -> bool,
    ) -> Result<Taken, ProtocolError> {
        let deaf = self.deaf;
        let Some(stream) = self.get(header.stream) else {
            return match header.kind {
                Kind::Window => Ok(Taken::default()),
                _ => Err(ProtocolError::Unexpected("answer to a request that is not being served")),
            };
        };
        if header.kind == Kind::Window {
            stream.outflow.add(header.value);
            return Ok(Taken::default());
        }
        let (phase, is_end) = (stream.phase, header.is_end());
        let (mut disposed, mut accepted) = (0, false);
        match (phase, header.kind) {
            (Phase::Asked, Kind::Response) if header.aux == 101 => {
                stream.accept(&header, payload)?;
                self.short -= usize::from(std::mem::take(&mut stream.short));
                self.websockets += 1;
                accepted = true;
            }
            (Phase::Asked, Kind::Response) => {
                stream.phase = Phase::Answering;
                disposed = body_len(&payload)?;
                stream.inflow.take(disposed, || deaf || is_deaf())?;
                deliver(&stream.exchange, header, payload, inbox)?;
            }
            (Phase::Answering, Kind::Data) => {
                disposed = payload.len();
                stream.inflow.take(disposed, || deaf || is_deaf())?;
                deliver(&stream.exchange, header, payload, inbox)?;
            }
            (Phase::WebSocket, Kind::Message) if is_end == (header.aux == CLOSE) => {
                if header.aux != CLOSE {
                    stream.inflow.take(frame::HEADER_LEN + payload.len(), || deaf || is_deaf())?;
                }
                if stream.exchange.is_abandoned() {
                    disposed = frame::HEADER_LEN + payload.len();
                } else {
                    // Its bytes are disposed of when the client has them.
                    stream.exchange.say(Event::Message(header, payload));
                }
                if is_end {
                    stream.exchange.end(Ending::Complete);
                }
            }
            (Phase::Asked, Kind::Informational)
            | (Phase::Asked | Phase::Answering, Kind::Upgrade)
            | (Phase::Answering, Kind::File)
            | (_, Kind::Cancel) => deliver(&stream.exchange, header, payload, inbox)?,
            _ => return Err(ProtocolError::Unexpected("frame")),
        }
        if is_end {
            return Ok(Taken { ended: self.remove(header.stream), ..Taken::default() });
        }
        Ok(Taken { ended: None, credit: self.dispose_now(header.stream, disposed), accepted })
    }

    /// Bytes count as disposed of at once, unless more is buffered than should be: then when that has become less.
    fn dispose_now(&mut self, number: u32, bytes: usize) -> Option<u32> {
        let stream = self.get(number).filter(|_| bytes > 0)?;
        if stream.exchange.holds_back(bytes) { None } else { stream.inflow.dispose(bytes) }
    }

    /// Notes that bytes of a stream have been disposed of; returns the credit to give for them now.
    pub fn dispose(&mut self, number: u32, bytes: usize) -> Option<u32> {
        self.get(number)?.inflow.dispose(bytes)
    }

    /// Waits until a message may be sent; at once when its stream is gone, as then it has an ending to tell.
    pub fn poll_clear(&mut self, number: u32, choked: bool, cx: &Context<'_>) -> Poll<()> {
        self.get(number).map_or(Poll::Ready(()), |stream| stream.outflow.poll(choked, cx))
    }

    /// Takes bytes of a message off the credit; returns whether it may be sent at all.
    pub fn say(&mut self, number: u32, bytes: usize) -> bool {
        let stream = self.get(number).filter(|stream| !stream.finished);
        stream.map(|stream| stream.outflow.take(bytes)).is_some()
    }

    /// Nobody waits for what has come on a stream; returns the credit to give for all of it.
    pub fn dispose_all(&mut self, number: u32) -> Option<u32> {
        self.get(number)?.inflow.dispose_all()
    }

    /// Returns whether the agent may say its last word on a stream, which it does now.
    pub fn finish(&mut self, number: u32) -> bool {
        self.get(number).is_some_and(|stream| !std::mem::replace(&mut stream.finished, true))
    }

    fn requests_in_worker(&self) -> impl Iterator<Item = &Stream> {
        let all = self.places.iter().filter_map(|place| place.stream.as_ref());
        all.filter(|stream| stream.phase != Phase::WebSocket)
    }

    /// Since when the request is there that has been there longest.
    pub fn running_since(&self) -> Option<Instant> {
        self.requests_in_worker().filter_map(|stream| stream.exchange.began()).min()
    }

    /// Gives those up that have been there since `time` or longer, each once; the agent's last word on them is to be sent.
    pub fn give_up_since(&mut self, time: Instant) -> Vec<(u32, Rc<Exchange>)> {
        let mut late = Vec::new();
        for (index, place) in self.places.iter_mut().enumerate() {
            let Some(stream) = &mut place.stream else { continue };
            let is_late = stream.exchange.began().is_some_and(|began| began <= time) && stream.given_up.is_none();
            if is_late && stream.phase != Phase::WebSocket {
                stream.given_up = Some(Instant::now());
                stream.finished = true;
                late.push((place.uses << PLACE_BITS | index as u32, Rc::clone(&stream.exchange)));
            }
        }
        late
    }

    /// Since when the worker has not ended one that was given up.
    pub fn given_up_since(&self) -> Option<Instant> {
        self.requests_in_worker().filter_map(|stream| stream.given_up).min()
    }

    /// Has everybody look again who waits to send.
    pub fn wake_senders(&mut self) {
        for stream in self.places.iter_mut().filter_map(|place| place.stream.as_mut()) {
            stream.outflow.wake();
        }
    }

    /// All requests that have not become WebSockets, with their streams' numbers.
    pub fn all_requests(&self) -> Vec<(u32, Rc<Exchange>)> {
        let streams = self.places.iter().enumerate().filter_map(|(index, place)| {
            let stream = place.stream.as_ref().filter(|stream| stream.phase != Phase::WebSocket)?;
            Some((place.uses << PLACE_BITS | index as u32, Rc::clone(&stream.exchange)))
        });
        streams.collect()
    }

    /// Tells everybody that the worker is gone. It has not read the request of the stream `unread` to its end.
    pub fn lose(&mut self, unread: Option<u32>) {
        if let Some(stream) = unread.and_then(|number| self.get(number)) {
            stream.sent = false;
        }
        for place in std::mem::take(self).places {
            if let Some(stream) = place.stream {
                stream.exchange.end(Ending::Lost { repeatable: !stream.sent });
            }
        }
    }
}

impl Stream {
    /// The worker accepts a WebSocket handshake.
    fn accept(&mut self, header: &Header, payload: Bytes) -> Result<(), ProtocolError> {
        let is_handshake = self.exchange.request().is_websocket;
        if !is_handshake || header.flags & UPGRADE == 0 || header.is_end() || body_len(&payload)? > 0 {
            return Err(ProtocolError::Unexpected("switch of protocols"));
        }
        self.phase = Phase::WebSocket;
        self.exchange.say(Event::Accepted { frame: *header, payload });
        Ok(())
    }
}

/// The number of body bytes in the payload of a Response, which begins with the length of its header block.
fn body_len(payload: &[u8]) -> Result<usize, ProtocolError> {
    let truncated = ProtocolError::Truncated("the header block");
    let Some((length, rest)) = payload.split_first_chunk::<4>() else { return Err(truncated) };
    rest.len().checked_sub(u32::from_le_bytes(*length) as usize).ok_or(truncated)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use passenger_native::frame::{END, INITIAL_WINDOW, TEXT, header};

    use super::*;
    use crate::pool::exchange::Request;
    use crate::pool::session::Session;

    fn exchange(is_websocket: bool) -> (Rc<Exchange>, Session) {
        let request =
            Request { frame: Vec::new(), body: None, is_safe: true, route: 1, is_websocket, is_health_check: false };
        let exchange = Exchange::new(Rc::new(request), Path::new("/tmp").into());
        (Rc::clone(&exchange), Session::new(exchange))
    }

    fn take(streams: &mut Streams, header: Header, payload: &'static [u8]) -> Result<Taken, ProtocolError> {
        streams.take(header, Bytes::from_static(payload), &mut Inbox::new(), || false)
    }

    fn frame(kind: Kind, stream: u32, flags: u8, aux: u16) -> Header {
        Header { flags, aux, ..header(kind, stream) }
    }

    fn next(session: &mut Session) -> Event {
        match session.poll_next(&Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => panic!("there is nothing"),
        }
    }

    #[test]
    fn answers_come_in_any_order_and_find_their_requests() {
        let mut streams = Streams::default();
        let mut asked: Vec<_> = (0..100).map(|_| exchange(false)).collect();
        let numbers: Vec<_> = asked.iter().map(|(exchange, _)| streams.insert(Rc::clone(exchange), None)).collect();
        for &number in numbers.iter().rev() {
            assert!(take(&mut streams, frame(Kind::Response, number, 0, 200), &[0; 4]).unwrap().ended.is_none());
        }
        for (number, (exchange, session)) in numbers.iter().zip(&mut asked) {
            let ended = take(&mut streams, frame(Kind::Data, *number, END, 0), b"").unwrap().ended;
            assert!(ended.is_some_and(|ended| Rc::ptr_eq(&ended, exchange)));
            assert!(matches!(next(session), Event::Head { .. }));
            assert!(matches!(next(session), Event::End(Ending::Complete)));
        }
        assert_eq!((streams.requests(), streams.places.len()), (0, 100));
        let again = streams.insert(exchange(false).0, None);
        assert!(!numbers.contains(&again), "a place is used again, its number is not");
        assert_eq!(streams.places.len(), 100);
    }

    #[test]
    fn what_comes_for_a_stream_that_has_ended_is_an_error_unless_it_is_credit() {
        let mut streams = Streams::default();
        let number = streams.insert(exchange(false).0, None);
        take(&mut streams, frame(Kind::Cancel, number, END, 0), b"").unwrap();
        streams.insert(exchange(false).0, None);
        take(&mut streams, frame(Kind::Window, number, 0, 0), b"").unwrap();
        assert!(take(&mut streams, frame(Kind::Response, number, END, 200), &[0; 4]).is_err());
    }

    #[test]
    fn frames_out_of_order_are_errors() {
        let mut streams = Streams::default();
        let number = streams.insert(exchange(false).0, None);
        for wrong in [frame(Kind::Data, number, 0, 0), frame(Kind::Message, number, 0, TEXT)] {
            assert!(take(&mut streams, wrong, b"").is_err());
        }
        assert!(take(&mut streams, frame(Kind::Response, number, UPGRADE, 101), &[0; 4]).is_err(), "not a handshake");
        take(&mut streams, frame(Kind::Response, number, 0, 200), &[0; 4]).unwrap();
        assert!(take(&mut streams, frame(Kind::Response, number, 0, 200), &[0; 4]).is_err());
    }

    #[test]
    fn a_websocket_is_counted_apart_and_gets_its_credit_when_the_client_has_the_message() {
        const LARGE: &[u8] = &[b'x'; INITIAL_WINDOW as usize];
        let mut streams = Streams::default();
        let (asked, mut session) = exchange(true);
        let number = streams.insert(asked, None);
        assert_eq!((streams.requests(), streams.websockets()), (1, 0));
        take(&mut streams, frame(Kind::Response, number, UPGRADE, 101), &[0; 4]).unwrap();
        assert_eq!((streams.requests(), streams.websockets()), (0, 1));
        assert_eq!(take(&mut streams, frame(Kind::Message, number, 0, TEXT), LARGE).unwrap().credit, None);
        assert!(take(&mut streams, frame(Kind::Message, number, 0, TEXT), b"x").is_err(), "beyond its credit");
        assert_eq!(streams.dispose(number, LARGE.len()), Some(INITIAL_WINDOW));
        take(&mut streams, frame(Kind::Message, number, END, CLOSE), b"").unwrap();
        assert_eq!((streams.requests(), streams.websockets()), (0, 0));
        assert!(matches!(next(&mut session), Event::Accepted { .. }));
        assert!(matches!(next(&mut session), Event::Message(..)));
    }

    #[test]
    fn a_body_gets_its_credit_when_it_is_buffered() {
        const HALF: &[u8] = &[b'x'; INITIAL_WINDOW as usize / 2];
        let mut streams = Streams::default();
        let (asked, _session) = exchange(false);
        let number = streams.insert(asked, None);
        take(&mut streams, frame(Kind::Response, number, 0, 200), &[0; 4]).unwrap();
        let taken = take(&mut streams, frame(Kind::Data, number, 0, 0), HALF).unwrap();
        assert_eq!(taken.credit, Some(INITIAL_WINDOW / 2));
    }

    #[test]
    fn of_a_lost_worker_only_what_it_can_not_have_read_may_be_repeated() {
        let mut streams = Streams::default();
        let ((first, mut sent), (second, mut unread), (third, mut unsent)) =
            (exchange(false), exchange(false), exchange(false));
        streams.insert(first, None);
        let number = streams.insert(second, None);
        assert_eq!(streams.mark_sent(), 2);
        streams.insert(third, None);
        streams.lose(Some(number));
        assert!(matches!(next(&mut unread), Event::End(Ending::Lost { repeatable: true })));
        assert!(matches!(next(&mut sent), Event::End(Ending::Lost { repeatable: false })));
        assert!(matches!(next(&mut unsent), Event::End(Ending::Lost { repeatable: true })));
    }

    #[test]
    fn the_last_word_is_said_once() {
        let mut streams = Streams::default();
        let number = streams.insert(exchange(true).0, None);
        assert!(streams.say(number, 10));
        assert!(streams.finish(number));
        assert!(!streams.finish(number) && !streams.say(number, 10));
    }

    #[test]
    fn requests_are_given_up_once_and_websockets_never() {
        let mut streams = Streams::default();
        let [(early, _), (late, _), (socket, _)] = [exchange(false), exchange(false), exchange(true)];
        let start = Instant::now();
        let second = std::time::Duration::from_secs(1);
        for (asked, began) in [(&early, start), (&late, start + second), (&socket, start)] {
            asked.begin(began);
        }
        let number = streams.insert(Rc::clone(&early), None);
        streams.insert(late, None);
        let handshake = streams.insert(socket, None);
        take(&mut streams, frame(Kind::Response, handshake, UPGRADE, 101), &[0; 4]).unwrap();
        let given_up: Vec<_> = streams.give_up_since(start).into_iter().map(|(number, _)| number).collect();
        assert_eq!(given_up, [number]);
        assert!(streams.give_up_since(start).is_empty() && streams.given_up_since().is_some());
        assert!(!streams.finish(number), "the agent has said its last word");
        take(&mut streams, frame(Kind::Cancel, number, END, 0), b"").unwrap();
        assert_eq!(streams.given_up_since(), None);
    }

    #[test]
    fn a_short_request_joins_short_ones() {
        let mut streams = Streams::default();
        assert_eq!(streams.outlook(), Outlook::default(), "the worker sleeps");
        let first = streams.insert(exchange(false).0, Some(5));
        streams.insert(exchange(false).0, Some(12));
        assert_eq!(streams.outlook().brief, [Some(12); 2]);
        let long = streams.insert(exchange(false).0, None);
        assert_eq!(streams.outlook(), Outlook::default(), "one of them may take long");
        take(&mut streams, frame(Kind::Response, long, END, 200), &[0; 4]).unwrap();
        take(&mut streams, frame(Kind::Response, first, END, 200), &[0; 4]).unwrap();
        assert!(streams.outlook().brief == [Some(12); 2] && streams.is_prompt());
        streams.quiet_since = Instant::now().checked_sub(PROMPT * 2);
        assert!(!streams.is_prompt(), "it takes long already");
        streams.insert(exchange(false).0, Some(80));
        assert_eq!(streams.outlook().brief, [Some(80), None], "tiny ones wait longer");
    }
}
