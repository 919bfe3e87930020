//! Which slot a request goes to.

use std::rc::Rc;

use super::{Group, State};
use crate::pool::exchange::Exchange;
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
    /// A free slot of the least busy worker. A short request rather goes behind others that will be done by about the time
    /// an idle worker would have woken up; or, when no slot is free, to where it waits least.
    pub(super) fn place(&self, state: &State, exchange: &Exchange) -> Option<Placement> {
        let request = exchange.request();
        let expected = if request.is_safe { self.times.borrow().short(request.route) } else { None };
        let most = self.config().max_concurrent_requests;
        let free = state.serving.iter().filter_map(|worker| worker.vacancy(most)).min_by_key(|(load, _)| *load);
        let slots = || state.serving.iter().flat_map(|worker| worker.slots());
        let (slot, crowded) = match (free, expected) {
            (Some((_, free)), Some(expected)) => {
                // The one with the most of them, so that few workers are woken up.
                let awake = slots()
                    .filter_map(|slot| Some((slot.brief_wait(expected, most)?, slot)))
                    .max_by_key(|(wait, _)| *wait);
                awake.map_or_else(|| (free, free.is_crowded()), |(_, slot)| (slot, false))
            }
            (Some((_, free)), None) => (free, free.is_crowded()),
            (None, Some(_)) => {
                let waits = slots().filter_map(|slot| Some((slot.wait_behind()?, slot)));
                (waits.min_by_key(|(wait, _)| *wait)?.1, true)
            }
            (None, None) => return None,
        };
        Some(Placement { slot: Rc::clone(slot), expected, crowded })
    }
}
