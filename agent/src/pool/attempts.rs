//! How often a request is given to a worker.

use super::session::Ending;

/// How often it may be given to one that is lost before it answers.
const LIMIT: u32 = 3;

/// What has become of a request up to now.
pub struct Attempts {
    lost: u32,
    /// It may be begun a second time.
    may_begin_again: bool,
}

impl Attempts {
    /// None yet. `is_repeatable` says that the method is safe (RFC 9110, 9.2.1), so that a worker may begin with the request
    /// after another may have.
    #[must_use]
    pub fn new(is_repeatable: bool) -> Self {
        Self { lost: 0, may_begin_again: is_repeatable }
    }

    /// Whether a request that ended like this, without any answer, is given to the pool again: if a worker died that had
    /// not begun with it, and once more if that may have begun.
    pub fn goes_on(&mut self, ending: &Ending) -> bool {
        let Ending::Lost { repeatable } = *ending else { return matches!(ending, Ending::Moved) };
        self.lost += 1;
        (repeatable || std::mem::take(&mut self.may_begin_again)) && self.lost < LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNREAD: Ending = Ending::Lost { repeatable: true };
    const BEGUN: Ending = Ending::Lost { repeatable: false };

    #[test]
    fn what_was_not_begun_is_tried_three_times() {
        let mut attempts = Attempts::new(false);
        assert_eq!([UNREAD, UNREAD, UNREAD].map(|ending| attempts.goes_on(&ending)), [true, true, false]);
    }

    #[test]
    fn what_may_have_begun_is_begun_once_more_if_it_is_safe() {
        let mut attempts = Attempts::new(true);
        assert_eq!([BEGUN, BEGUN].map(|ending| attempts.goes_on(&ending)), [true, false]);
        assert!(!Attempts::new(false).goes_on(&BEGUN));
    }

    #[test]
    fn a_move_is_not_counted() {
        let mut attempts = Attempts::new(false);
        assert!((0..9).all(|_| attempts.goes_on(&Ending::Moved)));
        assert!(attempts.goes_on(&UNREAD) && !attempts.goes_on(&Ending::QueueFull));
    }
}
