//! Everything that is left to chance in a world comes from here, so that its seed decides it.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

/// A source of chance.
pub struct Chance(RefCell<fastrand::Rng>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(RefCell::new(fastrand::Rng::with_seed(seed)))
    }

    pub fn within(&self, range: Range<u64>) -> u64 {
        self.0.borrow_mut().u64(range)
    }

    pub fn size(&self, range: Range<usize>) -> usize {
        self.0.borrow_mut().usize(range)
    }

    /// True once in so many times; never for 0.
    pub fn one_in(&self, times: u64) -> bool {
        times > 0 && self.within(0..times) == 0
    }

    pub fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    pub fn pick<T: Clone>(&self, among: &[T]) -> Option<T> {
        if among.is_empty() { None } else { Some(among[self.size(0..among.len())].clone()) }
    }
}
