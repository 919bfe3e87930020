//! Requests that have been running for too long (`pool/group/request_time.rs`).

use std::rc::Rc;

use passenger_native::frame::{self, Header, Kind, STOP};
use tokio::time::Instant;

use super::{InFlight, Slot};
use crate::pool::exchange::Exchange;

impl Slot {
    /// Since when the request has been running that has been running longest, without WebSockets.
    #[must_use]
    pub fn running_since(&self) -> Option<Instant> {
        match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => queue.running_since(),
            InFlight::Multiplexed(streams) => streams.running_since(),
        }
    }

    /// Gives up requests that have been running since `time` or longer, each once. A worker that can is told to stop them.
    pub(in crate::pool) fn give_up_since(self: &Rc<Self>, time: Instant) -> Vec<Rc<Exchange>> {
        let streams = match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(queue) => return queue.give_up_since(time).into_iter().collect(),
            InFlight::Multiplexed(streams) => streams.give_up_since(time),
        };
        let stop = |(stream, exchange)| {
            self.outlet.borrow_mut().push(Header { aux: STOP, ..frame::header(Kind::Cancel, stream) }, &[]);
            exchange
        };
        let exchanges: Vec<_> = streams.into_iter().map(stop).collect();
        if !exchanges.is_empty() {
            self.flush_later();
        }
        exchanges
    }

    /// Since when it has not ended a request that was given up.
    pub(in crate::pool) fn given_up_since(&self) -> Option<Instant> {
        match &*self.in_flight.borrow() {
            InFlight::Ordered(queue) => queue.given_up_since(),
            InFlight::Multiplexed(streams) => streams.given_up_since(),
        }
    }
}
