//! How long to wait before an agent that died is replaced: not at all, unless its successors keep dying.

use std::time::Duration;

/// An agent that lived for less died young.
const YOUNG: Duration = Duration::from_secs(10);
/// So many may die young one after the other before the next has to wait.
const FORGIVEN: u32 = 2;
const LONGEST: Duration = Duration::from_secs(30);

/// Counts agents that died young.
#[derive(Debug, Default)]
pub struct Backoff {
    young: u32,
}

impl Backoff {
    /// How long the one after an agent that lived for `lived` has to wait.
    pub fn after(&mut self, lived: Duration) -> Duration {
        self.young = if lived < YOUNG { self.young.saturating_add(1) } else { 0 };
        match self.young.checked_sub(FORGIVEN + 1) {
            None => Duration::ZERO,
            Some(doublings) => Duration::from_secs(1 << doublings.min(5)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_that_keep_dying_have_to_wait() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> =
            [1, 1, 1, 1, 1, 60, 1].map(|lived| backoff.after(Duration::from_secs(lived)).as_secs()).into();
        assert_eq!(waits, [0, 0, 1, 2, 4, 0, 0]);
        assert_eq!((0..100).map(|_| backoff.after(Duration::ZERO)).last(), Some(LONGEST));
    }
}
