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

use std::collections::VecDeque;
use std::rc::Rc;

use tokio::time::Instant;

use crate::pool::exchange::Exchange;

struct Waiting {
    exchange: Rc<Exchange>,
    /// Since when, if it matters.
    since: Option<Instant>,
}

/// A queue.
#[derive(Default)]
pub(super) struct Queue {
    urgent: VecDeque<Rc<Exchange>>,
    waiting: VecDeque<Waiting>,
}

impl Queue {
    /// Whether there is nobody, not even one whose client has left.
    pub fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.waiting.is_empty()
    }

    /// Whether anybody still waits.
    pub fn is_wanted(&self) -> bool {
        self.count() > 0 || self.urgent.iter().any(|exchange| !exchange.is_abandoned())
    }

    /// How many there are, also of those whose client has left.
    pub fn len(&self) -> usize {
        self.urgent.len() + self.waiting.len()
    }

    /// How many wait, without health checks and those whose client has left.
    pub fn count(&self) -> usize {
        self.waiting.iter().filter(|waiting| !waiting.exchange.is_abandoned()).count()
    }

    /// Whether nobody else may wait, if `most` may; 0 for any number. Clients that left while they waited do not count.
    pub fn is_full(&mut self, most: usize) -> bool {
        if most == 0 || self.waiting.len() < most {
            return false;
        }
        self.waiting.retain(|waiting| !waiting.exchange.is_abandoned());
        self.waiting.len() >= most
    }

    /// Adds a request; `since` is when it came, if that matters.
    pub fn push(&mut self, exchange: Rc<Exchange>, since: Option<Instant>) {
        if exchange.request().is_health_check {
            self.urgent.push_back(exchange);
        } else {
            self.waiting.push_back(Waiting { exchange, since });
        }
    }

    /// Who is next. Those whose client has left are dropped.
    pub fn front(&mut self) -> Option<&Rc<Exchange>> {
        while self.urgent.front().is_some_and(|exchange| exchange.is_abandoned()) {
            self.urgent.pop_front();
        }
        self.drop_abandoned();
        self.urgent.front().or_else(|| self.waiting.front().map(|waiting| &waiting.exchange))
    }

    /// Takes [`Self::front`].
    pub fn pop_front(&mut self) -> Option<Rc<Exchange>> {
        self.urgent.pop_front().or_else(|| self.waiting.pop_front().map(|waiting| waiting.exchange))
    }

    /// Takes everybody.
    pub fn take_all(&mut self) -> Vec<Rc<Exchange>> {
        self.urgent.drain(..).chain(self.waiting.drain(..).map(|waiting| waiting.exchange)).collect()
    }

    /// Since when the one waits that has waited longest.
    pub fn oldest(&mut self) -> Option<Instant> {
        self.drop_abandoned();
        self.waiting.front().and_then(|waiting| waiting.since)
    }

    /// Takes those that came at `time` or before.
    pub fn take_until(&mut self, time: Instant) -> Vec<Rc<Exchange>> {
        let late = self.waiting.iter().take_while(|waiting| waiting.since.is_some_and(|since| since <= time)).count();
        self.waiting.drain(..late).map(|waiting| waiting.exchange).collect()
    }

    fn drop_abandoned(&mut self) {
        while self.waiting.front().is_some_and(|waiting| waiting.exchange.is_abandoned()) {
            self.waiting.pop_front();
        }
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
        queue.push(abandoned(), None);
        queue.push(Rc::clone(&first), None);
        queue.push(Rc::clone(&check), None);
        assert_eq!(queue.count(), 1);
        assert!(!queue.is_full(2) && queue.is_full(1));
        assert!(queue.front().is_some_and(|front| Rc::ptr_eq(front, &check)));
        assert!(queue.pop_front().is_some_and(|front| Rc::ptr_eq(&front, &check)));
        assert!(queue.pop_front().is_some_and(|front| Rc::ptr_eq(&front, &first)));
        assert!(queue.is_empty());
    }

    #[test]
    fn those_that_waited_too_long_are_at_the_front() {
        let mut queue = Queue::default();
        let start = Instant::now();
        queue.push(abandoned(), Some(start));
        for second in 1..=3 {
            queue.push(exchange(false), Some(start + Duration::from_secs(second)));
        }
        assert_eq!(queue.oldest(), Some(start + Duration::from_secs(1)), "one whose client has left waits no more");
        assert_eq!(queue.take_until(start + Duration::from_secs(2)).len(), 2);
        assert_eq!((queue.count(), queue.oldest()), (1, Some(start + Duration::from_secs(3))));
    }
}
