//! A worker's slot that serves many requests at the same time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use passenger_native::frame::INITIAL_WINDOW;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::crew::Crew;
use super::data::{Asked, Data, Frame};
use super::ordered::die;
use super::plan::{Fault, Plan};
use super::process::Process;
use super::world::World;

#[derive(Default)]
struct Stream {
    credit: i64,
    cancelled: bool,
}

struct Slot {
    world: Rc<World>,
    process: Rc<Process>,
    data: Rc<Data>,
    streams: RefCell<BTreeMap<u32, Stream>>,
    changed: Notify,
}

/// Serves until the channel ends; each request is one more job for the crew.
pub async fn serve(world: Rc<World>, process: Rc<Process>, data: Rc<Data>, crew: Weak<Crew>) {
    let slot = Rc::new(Slot { world, process, data, streams: RefCell::default(), changed: Notify::new() });
    while slot.data.receive().await {
        while let Some(frame) = slot.data.next() {
            let mut streams = slot.streams.borrow_mut();
            match frame {
                Frame::Request(asked) => {
                    let before =
                        streams.insert(asked.stream, Stream { credit: INITIAL_WINDOW.into(), cancelled: false });
                    let what = || format!("stream {}", asked.stream);
                    slot.world.trace.expect("a stream's number is used once at a time", before.is_none(), what);
                    drop(streams);
                    slot.world.begin(&slot.process, asked.id);
                    if let Some(crew) = crew.upgrade() {
                        crew.add(Rc::clone(&slot).answer(asked));
                    }
                    continue;
                }
                Frame::Cancel(number) => {
                    if let Some(stream) = streams.get_mut(&number) {
                        stream.cancelled = true;
                    }
                }
                Frame::Window(number, bytes) => {
                    if let Some(stream) = streams.get_mut(&number) {
                        stream.credit += i64::from(bytes);
                    }
                }
            }
            slot.changed.notify_waiters();
        }
    }
    slot.changed.notify_waiters();
}

impl Slot {
    async fn answer(self: Rc<Self>, asked: Asked) {
        let complete = self.try_answer(asked).await;
        self.streams.borrow_mut().remove(&asked.stream);
        if !complete {
            self.data.cancel(asked.stream);
        }
        self.world.finish(&self.process, asked.id, complete);
        self.data.flush().await;
    }

    /// Writes the answer; false when it is given up.
    async fn try_answer(&self, asked: Asked) -> bool {
        let plan = Plan::new(&self.world, &self.process.version, asked.route);
        let began = Instant::now();
        if plan.fault == Fault::DiesBefore {
            return die(&self.process).await;
        }
        if plan.fault == Fault::Hangs {
            return self.world.hang(&self.process, asked.id).await;
        }
        if !plan.service.is_zero() {
            sleep(plan.service).await;
        }
        if plan.fault == Fault::GivesUp || self.is_cancelled(asked.stream) {
            return false;
        }
        let mut from = 0;
        for (index, &length) in plan.body.iter().enumerate() {
            let is_last = index + 1 == plan.body.len();
            if index > 0 {
                sleep(plan.pause).await;
            }
            self.credit(asked.stream).await;
            if self.is_cancelled(asked.stream) || (is_last && plan.fault == Fault::GivesUpAmid) {
                return false;
            }
            if is_last && plan.fault == Fault::DiesAmid {
                return die(&self.process).await;
            }
            let micros = is_last.then(|| plan.measured(began.elapsed()));
            match index {
                0 => self.data.answer(asked, length, micros),
                _ => self.data.more(asked, from, length, micros),
            }
            if let Some(stream) = self.streams.borrow_mut().get_mut(&asked.stream) {
                stream.credit -= length as i64;
            }
            from += length;
            if !is_last {
                self.data.flush().await;
            }
        }
        if plan.fault == Fault::DiesAfter {
            self.world.ledger.answered(asked.id, self.process.pid);
            if self.world.chance.one_in(2) {
                self.data.flush().await;
            }
            return die(&self.process).await;
        }
        true
    }

    fn is_cancelled(&self, number: u32) -> bool {
        self.streams.borrow().get(&number).is_some_and(|stream| stream.cancelled)
    }

    /// Waits until more may be sent on a stream.
    async fn credit(&self, number: u32) {
        loop {
            let changed = self.changed.notified();
            let go = self.streams.borrow().get(&number).is_none_or(|stream| stream.credit > 0 || stream.cancelled);
            if go || self.data.ended.get() {
                return;
            }
            changed.await;
        }
    }
}
