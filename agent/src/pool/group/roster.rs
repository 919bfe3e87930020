//! The workers that serve, ordered for those who look for one. Nothing here takes longer than the logarithm of their number.
//!
//! A slot tells when what it has to do changes (`Slot::changed`), and is ranked anew. That time passes changes ranks, too, as
//! nobody is put behind a request that is late: a slot that has become late is found so when it is its turn, and is out of the
//! running until it changes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use super::tournament::Tournament;
use crate::pool::load::{Shortness, Vacancy};
use crate::pool::slot::{CROWDED, Slot};
use crate::pool::worker::Worker;

/// Things by numbers that are used again.
struct Places<T> {
    taken: Vec<Option<T>>,
    free: Vec<usize>,
}

/// The workers that serve.
pub struct Roster {
    workers: Places<Rc<Worker>>,
    slots: Places<Rc<Slot>>,
    /// Workers that can serve a request at once: the least busy, then the warmest.
    vacant: Tournament<Vacancy>,
    /// Slots behind whose requests one waits least.
    shortest: Tournament<Reverse<u32>>,
    /// Slots that are awake and will be done by about the time an idle one would have woken up; the one with the most to
    /// do, so that few workers are woken up. For each [`Shortness`].
    awake: [Tournament<u32>; 2],
    /// Where each worker is, by its number for sticky sessions.
    numbers: HashMap<u32, usize>,
    multiplexed: usize,
    /// How many requests a worker serves at most at the same time; 0 for any number.
    most: usize,
}

impl Roster {
    /// Without workers. Each may have `most` requests at the same time; 0 for any number.
    pub fn new(most: usize) -> Self {
        Self {
            workers: Places::default(),
            slots: Places::default(),
            vacant: Tournament::default(),
            shortest: Tournament::default(),
            awake: Default::default(),
            numbers: HashMap::new(),
            multiplexed: 0,
            most,
        }
    }

    /// Each worker may have `most` requests at the same time from now on.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
        let workers: Vec<_> = self.workers.taken.iter().flatten().cloned().collect();
        for worker in workers {
            for slot in worker.slots() {
                self.rank(&worker, slot);
            }
        }
    }

    /// A worker serves from now on.
    pub fn enter(&mut self, worker: &Rc<Worker>) {
        self.multiplexed += usize::from(worker.is_multiplexed());
        let place = self.workers.take(Rc::clone(worker));
        worker.place().set(Some(place));
        self.numbers.insert(worker.number(), place);
        for slot in worker.slots() {
            slot.place().set(Some(self.slots.take(Rc::clone(slot))));
            self.rank(worker, slot);
        }
    }

    /// A worker serves no longer, if it ever did.
    pub fn leave(&mut self, worker: &Worker) {
        let Some(place) = worker.place().take() else { return };
        self.multiplexed -= usize::from(worker.is_multiplexed());
        self.numbers.remove(&worker.number());
        self.workers.give_back(place);
        self.vacant.set(place, None);
        for place in worker.slots().iter().filter_map(|slot| slot.place().take()) {
            self.slots.give_back(place);
            self.shortest.set(place, None);
            self.awake.iter_mut().for_each(|awake| awake.set(place, None));
        }
    }

    /// Something has changed in a slot of a worker.
    pub fn rank(&mut self, worker: &Worker, slot: &Slot) {
        if let (Some(worker_at), Some(slot_at)) = (worker.place().get(), slot.place().get()) {
            self.vacant.set(worker_at, worker.vacancy(self.most));
            let outlook = slot.outlook();
            self.shortest.set(slot_at, outlook.wait.map(Reverse));
            for (awake, wait) in self.awake.iter_mut().zip(outlook.brief) {
                awake.set(slot_at, wait);
            }
        }
    }

    /// Whether the worker with this number serves.
    pub fn has(&self, number: u32) -> bool {
        self.numbers.contains_key(&number)
    }

    /// A slot of the worker with this number, if it can serve a request at once.
    pub fn vacancy_of(&self, number: u32) -> Option<&Rc<Slot>> {
        let worker = self.workers.get(*self.numbers.get(&number)?)?;
        worker.vacancy(self.most).and_then(|_| worker.free_slot())
    }

    /// A slot of the best worker that can serve a request at once.
    pub fn vacancy(&self) -> Option<&Rc<Slot>> {
        self.workers.get(self.vacant.best()?)?.free_slot()
    }

    /// Where a short request is done soonest without waking a worker.
    pub fn awake(&mut self, shortness: Shortness) -> Option<&Rc<Slot>> {
        let (slots, most) = (&self.slots, self.most);
        let may_join = |slot: &Slot| slot.is_prompt() && slot.worker().is_some_and(|worker| !worker.is_full(most));
        first(&mut self.awake[shortness as usize], slots, may_join)
    }

    /// Where a short request waits least behind others.
    pub fn shortest_wait(&mut self) -> Option<&Rc<Slot>> {
        first(&mut self.shortest, &self.slots, |slot| !slot.is_late())
    }

    /// Whether every worker has so much to do that another should be started, although none has to wait.
    pub fn is_crowded(&self) -> bool {
        self.multiplexed > 0 && self.vacancy().map_or(self.most > CROWDED, |slot| slot.is_crowded())
    }

    /// Whether the workers serve many requests at the same time, as far as there are any.
    pub fn is_multiplexed(&self) -> bool {
        self.multiplexed > 0
    }
}

/// The best slot for which this still holds; the others are out of the running until they change.
fn first<'s, R: Ord + Copy>(
    tournament: &mut Tournament<R>,
    slots: &'s Places<Rc<Slot>>,
    holds: impl Fn(&Slot) -> bool,
) -> Option<&'s Rc<Slot>> {
    loop {
        let place = tournament.best()?;
        match slots.get(place) {
            Some(slot) if holds(slot) => return Some(slot),
            _ => tournament.set(place, None),
        }
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { taken: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    fn take(&mut self, thing: T) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.taken.push(None);
            self.taken.len() - 1
        });
        self.taken[place] = Some(thing);
        place
    }

    fn give_back(&mut self, place: usize) {
        self.taken[place] = None;
        self.free.push(place);
    }

    fn get(&self, place: usize) -> Option<&T> {
        self.taken.get(place)?.as_ref()
    }
}
