//! What comes from a worker.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;

use bytes::Bytes;
use nix::sys::socket::Shutdown;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{Header, Kind};
use passenger_native::response::FileRange;

use super::streams::Taken;
use super::{InFlight, Slot};
use crate::pool::exchange::Exchange;
use crate::pool::inbox::{Inbox, Received};
use crate::pool::session::{Ending, Event};
use crate::sys;

impl Slot {
    /// Reads answers until the channel ends, which is how a worker's end is noticed first.
    pub async fn run(self: Rc<Self>) {
        let result = self.read_answers().await;
        let unread = match result {
            Ok(()) => self.reset.get(),
            // The kernel says so when the worker closed its end with bytes in it that it had not read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => true,
            Err(error) => {
                let pid = self.worker().map_or(0, |worker| worker.pid());
                tracing::error!("worker {pid} broke the protocol: {error}; it is replaced");
                false
            }
        };
        self.closed.set(true);
        self.shut_down(Shutdown::Both);
        match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(queue) => queue.lose(unread),
            InFlight::Multiplexed(streams) => {
                streams.lose(if unread { self.outlet.borrow().last_request() } else { None });
            }
        }
        self.changed();
        if let Some(worker) = self.worker() {
            worker.slot_closed();
        }
    }

    async fn read_answers(self: &Rc<Self>) -> io::Result<()> {
        let mut inbox = Inbox::new();
        loop {
            let mut guard = self.channel.readable().await?;
            match inbox.receive(self.channel.as_fd()) {
                Ok(Received::Closed) => return Ok(()),
                Ok(Received::All) => guard.clear_ready(),
                Ok(Received::More) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    guard.clear_ready();
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            drop(guard);
            while let Some((header, payload)) = inbox.next_frame()? {
                self.take(header, payload, &mut inbox)?;
            }
            let front = match &*self.in_flight.borrow() {
                InFlight::Ordered(queue) => queue.front(),
                // Credit holds back what must be held back, each stream by itself.
                InFlight::Multiplexed(_) => None,
            };
            if let Some(exchange) = front {
                exchange.room().await;
            }
        }
    }

    fn take(self: &Rc<Self>, header: Header, payload: Bytes, inbox: &mut Inbox) -> Result<(), ProtocolError> {
        let taken = match &mut *self.in_flight.borrow_mut() {
            InFlight::Ordered(queue) => Taken { ended: queue.take(header, payload, inbox)?, ..Taken::default() },
            InFlight::Multiplexed(streams) => {
                streams.take(header, payload, inbox, || sys::socket::is_deaf(&self.channel))?
            }
        };
        self.give_credit(header.stream, taken.credit);
        match (taken.ended, self.worker()) {
            (Some(exchange), Some(worker)) => worker.answered(self, exchange.request(), header.value),
            (None, Some(worker)) if taken.accepted => {
                self.changed();
                worker.has_place();
            }
            _ => {}
        }
        Ok(())
    }
}

/// Gives a frame of an ordinary answer to whoever waits for it.
pub(super) fn deliver(
    exchange: &Rc<Exchange>,
    header: Header,
    payload: Bytes,
    inbox: &mut Inbox,
) -> Result<(), ProtocolError> {
    let is_end = header.is_end();
    match header.kind {
        Kind::Informational if !is_end => exchange.say(Event::Interim(header, payload)),
        Kind::Response => exchange.say(Event::Head { frame: header, payload }),
        Kind::Data => exchange.push(payload),
        Kind::File if is_end => {
            let range = FileRange::decode(&payload)?;
            exchange.say(Event::File(inbox.take_descriptor()?, range));
        }
        Kind::Upgrade if is_end => exchange.say(Event::Upgrade(inbox.take_descriptor()?)),
        Kind::Cancel if is_end => {}
        _ => return Err(ProtocolError::Unexpected("frame")),
    }
    if is_end {
        exchange.end(if header.kind == Kind::Cancel { Ending::Cancelled } else { Ending::Complete });
    }
    Ok(())
}
