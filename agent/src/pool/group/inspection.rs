//! What a group looks like from inside, for the simulation.

use std::rc::Rc;

use super::Group;
use crate::pool::worker::Worker;

/// The parts of a group's state over which there are invariants.
pub struct Inspection {
    pub serving: Vec<Rc<Worker>>,
    pub leaving: Vec<Rc<Worker>>,
    /// Workers that are being started.
    pub coming: usize,
    /// A rolling restart is under way.
    pub rolls: bool,
    /// Those of them that will take the place of others, or will be started to.
    pub replacing: usize,
    /// Requests that wait and whose client does, too.
    pub waiting: usize,
    /// No worker is started for a while, as the last one failed to.
    pub holds_off: bool,
    pub closing: bool,
}

impl Inspection {
    /// How many workers there are or will be when everybody who takes another's place has done so.
    pub fn staying(&self) -> usize {
        self.serving.len() + self.coming.saturating_sub(self.replacing)
    }
}

impl Group {
    /// Takes a look.
    pub fn inspect(&self) -> Inspection {
        let state = self.state.borrow();
        Inspection {
            serving: state.serving.clone(),
            leaving: state.leaving.clone(),
            coming: state.spawning,
            rolls: state.roll.is_some(),
            replacing: state.roll.as_ref().map_or(0, |roll| roll.coming),
            waiting: state.queue.count(),
            holds_off: state.failure.as_ref().is_some_and(super::Failure::holds),
            closing: state.closing,
        }
    }
}
