//! The requests on a channel of a worker that answers one after the other.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{Header, Kind};
use tokio::time::Instant;

use super::reading::deliver;
use crate::pool::exchange::Exchange;
use crate::pool::inbox::Inbox;
use crate::pool::load::{Outlook, Shortness};
use crate::pool::session::Ending;

/// Requests are queued ahead while the last of them would wait less than this, in microseconds…
const AHEAD_MICROS: u32 = 1000;
/// …and while there are fewer than this.
const AHEAD_COUNT: usize = 32;
/// Nothing is put behind a request that was expected to be short and has been served for longer than this.
const LATE: Duration = Duration::from_millis(5);
/// What stands behind one that is served for longer than this goes to another slot.
pub const STUCK: Duration = Duration::from_millis(20);
/// Nobody joins a worker that has not answered for longer than this.
pub const PROMPT: Duration = Duration::from_millis(1);

struct Entry {
    stream: u32,
    exchange: Rc<Exchange>,
    /// How long it will probably take in microseconds, when it is known to be short.
    expected: Option<u32>,
    /// Some of its frame may be in the channel.
    sent: bool,
}

/// The request that is being served, and those that were sent behind it.
#[derive(Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
    /// Since when the first of them is at the front, and whether its body is on its way.
    front_since: Option<Instant>,
    /// When the first was given up, because it takes too long.
    given_up: Option<Instant>,
    streaming: bool,
    /// A task looks after those that stand behind the first.
    watched: bool,
    last_stream: u32,
    /// How long those will take whose time is known, in microseconds, and how many others there are.
    expected: u32,
    unknown: usize,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How long a request that is put behind the others would wait, if none of them may take long.
    pub fn outlook(&self) -> Outlook {
        let count = self.entries.len();
        let may_join = count > 0 && count < AHEAD_COUNT && self.unknown == 0 && self.expected < AHEAD_MICROS;
        if !may_join {
            return Outlook::default();
        }
        let brief = Shortness::ALL.map(|shortness| (self.expected < shortness.patience()).then_some(self.expected));
        Outlook { wait: Some(self.expected), brief }
    }

    /// Whether the worker has begun with the first so lately that it is still awake and will be done soon.
    pub fn is_prompt(&self) -> bool {
        !self.streaming && self.front_since.is_some_and(|since| since.elapsed() < PROMPT)
    }

    /// Whether the first takes long after all, so that nobody should be put behind it.
    pub fn is_late(&self) -> bool {
        self.streaming || self.front_since.is_some_and(|since| since.elapsed() > LATE)
    }

    /// Adds a request at the end; returns its stream's number.
    pub fn push(&mut self, exchange: Rc<Exchange>, expected: Option<u32>) -> u32 {
        self.last_stream = self.last_stream.wrapping_add(1);
        if self.entries.is_empty() {
            self.front_since = Some(Instant::now());
        }
        let entry = Entry { stream: self.last_stream, exchange, expected, sent: false };
        self.count(&entry);
        self.entries.push_back(entry);
        self.last_stream
    }

    fn count(&mut self, entry: &Entry) {
        // It can't outgrow the number: only short requests stand behind others, and not many.
        self.expected = self.expected.saturating_add(entry.expected.unwrap_or_default());
        self.unknown += usize::from(entry.expected.is_none());
    }

    fn discount(&mut self, entry: &Entry) {
        self.expected = self.expected.saturating_sub(entry.expected.unwrap_or_default());
        self.unknown -= usize::from(entry.expected.is_none());
    }

    /// Whether a task must begin to look after those that stand behind the first.
    pub fn needs_watch(&mut self) -> bool {
        self.entries.len() > 1 && !std::mem::replace(&mut self.watched, true)
    }

    /// Whether there is still something to look after; if not, the watch ends.
    pub fn goes_on_watching(&mut self) -> bool {
        self.watched = self.entries.len() > 1;
        self.watched
    }

    /// Those that stand behind a request which takes long after all.
    pub fn stuck(&self) -> Vec<Rc<Exchange>> {
        if self.front_since.is_none_or(|since| since.elapsed() < STUCK) {
            return Vec::new();
        }
        self.behind()
    }

    pub fn contains(&self, stream: u32) -> bool {
        self.entries.iter().any(|entry| entry.stream == stream)
    }

    /// Notes that everything has gone out at least in part; returns how many requests were among it.
    pub fn mark_sent(&mut self) -> usize {
        // Backwards, as those at the front were sent in earlier turns.
        let unsent = self.entries.iter_mut().rev().take_while(|entry| !entry.sent);
        unsent.map(|entry| entry.sent = true).count()
    }

    /// Takes those off of which no byte has gone out.
    pub fn take_unsent(&mut self) -> Vec<Rc<Exchange>> {
        let sent = self.entries.iter().take_while(|entry| entry.sent).count();
        let unsent = self.entries.split_off(sent);
        unsent.iter().for_each(|entry| self.discount(entry));
        unsent.into_iter().map(|entry| entry.exchange).collect()
    }

    /// Takes a frame from the worker; returns the exchange if that was its last.
    ///
    /// # Errors
    /// A frame that does not belong to the request that is being served, or makes no sense.
    pub fn take(
        &mut self,
        header: Header,
        payload: Bytes,
        inbox: &mut Inbox,
    ) -> Result<Option<Rc<Exchange>>, ProtocolError> {
        let front = self.entries.front().filter(|entry| entry.stream == header.stream);
        let front = front.ok_or(ProtocolError::Unexpected("answer to a request that is not being served"))?;
        deliver(&front.exchange, header, payload, inbox)?;
        if !header.is_end() {
            self.streaming |= header.kind == Kind::Response;
            return Ok(None);
        }
        let front = self.entries.pop_front();
        front.iter().for_each(|entry| self.discount(entry));
        self.front_since = if self.entries.is_empty() { None } else { Some(Instant::now()) };
        self.streaming = false;
        self.given_up = None;
        Ok(front.map(|entry| entry.exchange))
    }

    /// The stream of the request that is being served.
    pub fn front_stream(&self) -> Option<u32> {
        self.entries.front().map(|entry| entry.stream)
    }

    /// Those behind the one that is being served.
    pub fn behind(&self) -> Vec<Rc<Exchange>> {
        self.entries.iter().skip(1).map(|entry| Rc::clone(&entry.exchange)).collect()
    }

    /// Since when the first is being served.
    pub fn running_since(&self) -> Option<Instant> {
        self.front_since
    }

    /// Gives the first up if it has been served since `time` or longer, once.
    pub fn give_up_since(&mut self, time: Instant) -> Option<Rc<Exchange>> {
        let is_late = self.front_since.is_some_and(|since| since <= time) && self.given_up.is_none();
        let late = self.front().filter(|_| is_late)?;
        self.given_up = Some(Instant::now());
        Some(late)
    }

    /// When the first was given up, if it is still there.
    pub fn given_up_since(&self) -> Option<Instant> {
        self.given_up
    }

    /// The exchange that is being served.
    pub fn front(&self) -> Option<Rc<Exchange>> {
        self.entries.front().map(|entry| Rc::clone(&entry.exchange))
    }

    /// Tells everybody that the worker is gone. `unread` says that it left something in the channel that it had not read.
    pub fn lose(&mut self, unread: bool) {
        let last = self.entries.len().saturating_sub(1);
        let lost = std::mem::take(self);
        // Nothing will tell any more that the worker has ended what was given up.
        self.given_up = lost.given_up;
        for (index, entry) in lost.entries.into_iter().enumerate() {
            // Frames are read in order: if something was unread, then the end of the last one was. Only safe requests
            // are queued behind others.
            let unseen = !entry.sent || (unread && index == last);
            entry.exchange.end(Ending::Lost { repeatable: unseen || index > 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use passenger_native::frame::{END, header};
    use rstest::rstest;

    use super::*;
    use crate::pool::exchange::Request;

    fn queue(expected: &[Option<u32>]) -> Queue {
        let mut queue = Queue::default();
        for &expected in expected {
            let request = Request {
                frame: Vec::new(),
                body: None,
                is_safe: true,
                is_websocket: false,
                is_health_check: false,
                route: 1,
            };
            queue.push(Exchange::new(Rc::new(request), Path::new("/tmp").into()), expected);
        }
        queue
    }

    #[rstest]
    #[case::nobody_to_wait_for(&[], None, [None, None])]
    #[case::done_before_another_would_wake_up(&[Some(10), Some(15)], Some(25), [Some(25), Some(25)])]
    #[case::not_worth_waking_another_for_tiny_ones(&[Some(10), Some(20)], Some(30), [Some(30), None])]
    #[case::done_soon(&[Some(100)], Some(100), [None, None])]
    #[case::too_long(&[Some(1000)], None, [None, None])]
    #[case::nobody_knows_how_long(&[Some(1), None], None, [None, None])]
    fn a_short_request_waits_behind_short_ones(
        #[case] ahead: &[Option<u32>],
        #[case] wait: Option<u32>,
        #[case] brief: [Option<u32>; 2],
    ) {
        assert_eq!(queue(ahead).outlook(), Outlook { wait, brief });
    }

    #[test]
    fn only_the_first_is_given_up_and_once() {
        let mut queue = queue(&[Some(5), Some(5), Some(5)]);
        let now = Instant::now();
        assert!(queue.give_up_since(now - LATE).is_none(), "it has not been running for that long");
        let first = queue.front().unwrap();
        assert!(queue.give_up_since(now).is_some_and(|late| Rc::ptr_eq(&late, &first)));
        assert!(queue.give_up_since(now).is_none() && queue.given_up_since().is_some());
        let end = Header { flags: passenger_native::frame::END, ..passenger_native::frame::header(Kind::Cancel, 1) };
        queue.take(end, Bytes::new(), &mut Inbox::new()).unwrap();
        assert_eq!(queue.given_up_since(), None);
        assert!(queue.give_up_since(now).is_none(), "the time in the queue does not count");
        assert!(queue.give_up_since(Instant::now()).is_some());
        queue.lose(false);
        assert!(queue.len() == 0 && queue.given_up_since().is_some(), "the channel has ended, the request has not");
    }

    #[test]
    fn nobody_waits_behind_one_that_is_late() {
        let mut queue = queue(&[Some(5)]);
        assert!(queue.is_prompt() && !queue.is_late());
        queue.front_since = Instant::now().checked_sub(PROMPT * 2);
        assert!(!queue.is_prompt() && !queue.is_late());
        queue.front_since = Instant::now().checked_sub(LATE * 2);
        assert!(queue.is_late());
    }

    #[test]
    fn what_is_answered_or_taken_off_is_not_waited_for() {
        let mut queue = queue(&[None, Some(20), Some(10)]);
        let end = Header { aux: 200, flags: END, ..header(Kind::Response, 1) };
        queue.take(end, Bytes::from_static(&[0; 4]), &mut Inbox::new()).unwrap();
        assert_eq!(queue.outlook().wait, Some(30));
        queue.mark_sent();
        queue.push(Rc::clone(&queue.entries[0].exchange), None);
        assert_eq!(queue.outlook().wait, None);
        assert_eq!(queue.take_unsent().len(), 1);
        assert_eq!(queue.outlook().wait, Some(30));
    }
}
