//! The requests of a group that wait for a worker: first come, first served, but for health checks.
//!
//! ```text
//!            health check: urgent ─┐
//!   push ──▶                       ├──▶ pop_front ──▶ a slot
//!            else:        waiting ─┘
//!                            └── waited too long: see `queue_time.rs`
//! ```
//! Whoever asks for an application's health wants to know whether it answers, and ends it when it does not. Traffic is
//! no reason for that: so health checks go to the front, are never refused because of the queue, and do not count in it.
//!
//! With sticky sessions a request may have to wait for one worker, in a line of its own, so that it holds nobody up who may go
//! anywhere. Between the two lines of a worker it goes by who came first.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::time::Instant;

use crate::pool::exchange::Exchange;

struct Waiting {
    exchange: Rc<Exchange>,
    /// The how manieth it was.
    number: u64,
    /// Since when, if it matters.
    since: Option<Instant>,
}

impl Waiting {
    fn is_abandoned(&self) -> bool {
        self.exchange.is_abandoned()
    }
}

fn drop_abandoned(line: &mut VecDeque<Waiting>) {
    while line.front().is_some_and(Waiting::is_abandoned) {
        line.pop_front();
    }
}

/// Where somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Urgent,
    /// For any worker.
    Any,
    /// For the worker with this number.
    For(u32),
}

/// A queue.
#[derive(Default)]
pub(super) struct Queue {
    urgent: VecDeque<Rc<Exchange>>,
    waiting: VecDeque<Waiting>,
    /// Those who wait for one worker, by its number; no line is empty.
    reserved: HashMap<u32, VecDeque<Waiting>>,
    reserved_count: usize,
    last: u64,
}

impl Queue {
    /// Whether there is nobody at all, not even one whose client has left.
    pub fn is_deserted(&self) -> bool {
        self.is_empty() && self.reserved.is_empty()
    }

    /// Whether there is nobody for whom any worker will do, not even one whose client has left.
    pub fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.waiting.is_empty()
    }

    /// Whether somebody waits for the worker with this number.
    pub fn has_for(&self, number: u32) -> bool {
        self.reserved.contains_key(&number)
    }

    /// Whether anybody still waits.
    pub fn is_wanted(&self) -> bool {
        self.lines().flatten().any(|waiting| !waiting.is_abandoned())
            || self.urgent.iter().any(|exchange| !exchange.is_abandoned())
    }

    /// How many there are for whom any worker will do, also of those whose client has left.
    pub fn len(&self) -> usize {
        self.urgent.len() + self.waiting.len()
    }

    /// How many wait, without health checks and those whose client has left.
    pub fn count(&self) -> usize {
        self.lines().flatten().filter(|waiting| !waiting.exchange.is_abandoned()).count()
    }

    /// Whether nobody else may wait, if `most` may; 0 for any number. Clients that left while they waited do not count.
    pub fn is_full(&mut self, most: usize) -> bool {
        if most == 0 || self.total() < most {
            return false;
        }
        for line in self.lines_mut() {
            line.retain(|waiting| !waiting.exchange.is_abandoned());
        }
        self.tidy();
        self.total() >= most
    }

    fn total(&self) -> usize {
        self.waiting.len() + self.reserved_count
    }

    fn lines(&self) -> impl Iterator<Item = &VecDeque<Waiting>> {
        std::iter::once(&self.waiting).chain(self.reserved.values())
    }

    fn lines_mut(&mut self) -> impl Iterator<Item = &mut VecDeque<Waiting>> {
        std::iter::once(&mut self.waiting).chain(self.reserved.values_mut())
    }

    /// Makes good what is said of reserved lines after some of them have changed.
    fn tidy(&mut self) {
        self.reserved.retain(|_, line| !line.is_empty());
        self.reserved_count = self.reserved.values().map(VecDeque::len).sum();
    }

    /// Adds a request; `since` is when it came, if that matters, and `reserved` the only worker that will do, if so.
    pub fn push(&mut self, exchange: Rc<Exchange>, since: Option<Instant>, reserved: Option<u32>) {
        self.last += 1;
        let waiting = Waiting { number: self.last, exchange, since };
        if let Some(number) = reserved {
            self.reserved.entry(number).or_default().push_back(waiting);
            self.reserved_count += 1;
        } else if waiting.exchange.request().is_health_check {
            self.urgent.push_back(waiting.exchange);
        } else {
            self.waiting.push_back(waiting);
        }
    }

    /// Who is next for the worker with this number, or for one of which nothing is known. Those whose client has left are
    /// dropped.
    pub fn front(&mut self, number: Option<u32>) -> Option<(Rc<Exchange>, Line)> {
        while self.urgent.front().is_some_and(|exchange| exchange.is_abandoned()) {
            self.urgent.pop_front();
        }
        drop_abandoned(&mut self.waiting);
        if let Some(number) = number {
            while self.reserved.get(&number).and_then(VecDeque::front).is_some_and(Waiting::is_abandoned) {
                self.pop_reserved(number);
            }
        }
        if let Some(exchange) = self.urgent.front() {
            return Some((Rc::clone(exchange), Line::Urgent));
        }
        let any = self.waiting.front().map(|waiting| (waiting, Line::Any));
        let own = number.and_then(|number| Some((self.reserved.get(&number)?.front()?, Line::For(number))));
        let (waiting, line) = any.into_iter().chain(own).min_by_key(|(waiting, _)| waiting.number)?;
        Some((Rc::clone(&waiting.exchange), line))
    }

    /// Takes the first of a line.
    pub fn pop_front(&mut self, line: Line) {
        match line {
            Line::Urgent => drop(self.urgent.pop_front()),
            Line::Any => drop(self.waiting.pop_front()),
            Line::For(number) => self.pop_reserved(number),
        }
    }

    fn pop_reserved(&mut self, number: u32) {
        if let Entry::Occupied(mut line) = self.reserved.entry(number) {
            self.reserved_count -= usize::from(line.get_mut().pop_front().is_some());
            if line.get().is_empty() {
                line.remove();
            }
        }
    }

    /// The worker with this number serves no longer: any will do for those who waited for it. Returns whether there are any.
    pub fn release(&mut self, number: u32) -> bool {
        let Some(line) = self.reserved.remove(&number) else { return false };
        self.reserved_count -= line.len();
        // Should it serve again, they must not wait for it at the front of those who may go anywhere.
        line.iter().for_each(|waiting| waiting.exchange.stick_to(Some(0)));
        self.waiting.extend(line);
        self.waiting.make_contiguous().sort_by_key(|waiting| waiting.number);
        true
    }

    /// Takes everybody.
    pub fn take_all(&mut self) -> Vec<Rc<Exchange>> {
        let reserved = std::mem::take(&mut self.reserved).into_values().flatten();
        self.reserved_count = 0;
        let mut waiting: Vec<_> = self.waiting.drain(..).chain(reserved).collect();
        waiting.sort_by_key(|waiting| waiting.number);
        self.urgent.drain(..).chain(waiting.into_iter().map(|waiting| waiting.exchange)).collect()
    }

    /// Has those count as waiting since `now` of whom nobody has noted since when they do.
    pub fn wait_since(&mut self, now: Instant) {
        for waiting in self.lines_mut().flatten() {
            waiting.since.get_or_insert(now);
        }
    }

    /// Since when the one waits that has waited longest.
    pub fn oldest(&mut self) -> Option<Instant> {
        self.lines_mut().for_each(drop_abandoned);
        self.tidy();
        self.lines().filter_map(|line| line.front()?.since).min()
    }

    /// Takes those that came at `time` or before.
    pub fn take_until(&mut self, time: Instant) -> Vec<Rc<Exchange>> {
        let mut taken = Vec::new();
        for line in self.lines_mut() {
            let late = line.iter().take_while(|waiting| waiting.since.is_some_and(|since| since <= time)).count();
            taken.extend(line.drain(..late).map(|waiting| waiting.exchange));
        }
        self.tidy();
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::pool::exchange::Request;
    use crate::pool::session::Session;

    fn exchange(is_health_check: bool) -> Rc<Exchange> {
        let request =
            Request { frame: Vec::new(), body: None, is_safe: true, route: 1, is_websocket: false, is_health_check };
        Exchange::new(Rc::new(request), Path::new("/tmp").into())
    }

    fn abandoned() -> Rc<Exchange> {
        let exchange = exchange(false);
        drop(Session::new(Rc::clone(&exchange)));
        exchange
    }

    #[test]
    fn health_checks_go_first_and_do_not_count() {
        let mut queue = Queue::default();
        let (first, check) = (exchange(false), exchange(true));
        queue.push(abandoned(), None, None);
        queue.push(Rc::clone(&first), None, None);
        queue.push(Rc::clone(&check), None, None);
        assert_eq!(queue.count(), 1);
        assert!(!queue.is_full(2) && queue.is_full(1));
        assert_eq!(lines(&mut queue, None, [&check, &first]), [Line::Urgent, Line::Any]);
        assert!(queue.is_empty());
    }

    #[test]
    fn those_that_waited_too_long_are_at_the_front() {
        let mut queue = Queue::default();
        let start = Instant::now();
        queue.push(abandoned(), Some(start), None);
        for second in 1..=3 {
            queue.push(exchange(false), Some(start + Duration::from_secs(second)), None);
        }
        assert_eq!(queue.oldest(), Some(start + Duration::from_secs(1)), "one whose client has left waits no more");
        assert_eq!(queue.take_until(start + Duration::from_secs(2)).len(), 2);
        assert_eq!((queue.count(), queue.oldest()), (1, Some(start + Duration::from_secs(3))));
    }

    #[test]
    fn who_waited_before_there_was_a_limit_waits_since_it_is_there() {
        let mut queue = Queue::default();
        let now = Instant::now();
        queue.push(exchange(false), None, None);
        queue.push(exchange(false), None, Some(7));
        assert_eq!((queue.oldest(), queue.take_until(now).len()), (None, 0));
        queue.wait_since(now);
        queue.push(exchange(false), Some(now + Duration::from_secs(1)), None);
        assert_eq!((queue.oldest(), queue.take_until(now).len()), (Some(now), 2));
    }

    /// Takes these, in this order; returns where they waited.
    fn lines<const N: usize>(queue: &mut Queue, number: Option<u32>, expected: [&Rc<Exchange>; N]) -> [Line; N] {
        expected.map(|expected| {
            let (front, line) = queue.front(number).expect("somebody waits");
            assert!(Rc::ptr_eq(&front, expected));
            queue.pop_front(line);
            line
        })
    }

    #[test]
    fn who_waits_for_one_worker_holds_nobody_up() {
        let mut queue = Queue::default();
        let [first, second, third] = [(); 3].map(|()| exchange(false));
        queue.push(Rc::clone(&first), None, Some(7));
        assert!(queue.is_empty() && !queue.is_deserted() && queue.has_for(7) && !queue.has_for(8));
        queue.push(Rc::clone(&second), None, None);
        queue.push(Rc::clone(&third), None, Some(7));
        assert_eq!((queue.count(), queue.is_full(3)), (3, true));
        assert!(queue.front(Some(8)).is_some_and(|(front, _)| Rc::ptr_eq(&front, &second)));
        assert_eq!(lines(&mut queue, Some(7), [&first, &second]), [Line::For(7), Line::Any]);
        assert!(queue.front(None).is_none());
        assert_eq!(lines(&mut queue, Some(7), [&third]), [Line::For(7)]);
        assert!(queue.is_deserted());
    }

    #[test]
    fn who_waits_for_a_worker_that_is_gone_keeps_the_place() {
        let mut queue = Queue::default();
        let [first, second, third] = [(); 3].map(|()| exchange(false));
        queue.push(Rc::clone(&first), None, None);
        queue.push(Rc::clone(&second), None, Some(7));
        queue.push(Rc::clone(&third), None, None);
        assert!(queue.release(7) && !queue.release(7));
        assert_eq!(lines(&mut queue, None, [&first, &second, &third]), [Line::Any; 3]);
    }
}
