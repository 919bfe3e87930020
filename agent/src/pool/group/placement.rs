//! Which slot a request goes to.

use std::rc::Rc;

use super::Group;
use crate::pool::exchange::Exchange;
use crate::pool::load::Shortness;
use crate::pool::slot::Slot;

/// Where a request goes.
pub(super) struct Placement {
    pub slot: Rc<Slot>,
    /// How long it will take in microseconds, if it is known to be short.
    pub expected: Option<u32>,
    /// Whether a further worker could serve it sooner.
    pub crowded: bool,
}

impl Group {
    /// A free slot of the least busy worker, of several the warmest. A short request rather goes behind others that will
    /// be done by about the time an idle worker would have woken up; or, when no slot is free, to where it waits least.
    pub(super) fn place(&self, exchange: &Exchange) -> Option<Placement> {
        let request = exchange.request();
        let expected = if request.is_safe { self.times.borrow().short(request.route) } else { None };
        let roster = &mut *self.roster.borrow_mut();
        if let Some(number) = exchange.sticks_to().filter(|number| roster.has(*number)) {
            let slot = Rc::clone(roster.vacancy_of(number)?);
            return Some(Placement { slot, expected, crowded: false });
        }
        let vacant = |free: Rc<Slot>| {
            let crowded = free.is_crowded();
            (free, crowded)
        };
        let (slot, crowded) = match (roster.vacancy().cloned(), expected) {
            (Some(free), Some(expected)) => match roster.awake(Shortness::of(expected)) {
                Some(awake) => (Rc::clone(awake), false),
                None => vacant(free),
            },
            (Some(free), None) => vacant(free),
            (None, Some(_)) => (Rc::clone(roster.shortest_wait()?), true),
            (None, None) => return None,
        };
        Some(Placement { slot, expected, crowded })
    }
}
