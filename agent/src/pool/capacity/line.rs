//! The groups that wait for a worker: those without any first, each line in turn.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use tokio::time::Instant;

use crate::pool::group::Group;

/// How badly a group needs a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Requests wait, and it has none.
    First,
    /// Requests wait for those that it has.
    More,
    /// Nobody waits; it has fewer than it should keep.
    Standby,
}

/// Whether a group is to stay in the first line; else it is told that it does not.
fn stays(group: &Weak<Group>) -> bool {
    group.upgrade().is_some_and(|group| {
        let waits = group.waits_for_first();
        group.in_first_line.set(waits);
        waits
    })
}

/// Both lines. A group notes itself where it stands, so that it need not be looked for.
#[derive(Default)]
pub(super) struct Line {
    /// With when each was told to wait.
    first: RefCell<VecDeque<(Weak<Group>, Instant)>>,
    others: RefCell<VecDeque<Weak<Group>>>,
}

impl Line {
    /// Puts a group at the end of its line; returns whether it was not there before.
    pub(super) fn join(&self, group: &Rc<Group>, need: Need) -> bool {
        if need == Need::First {
            let joins = !group.in_first_line.replace(true);
            if joins {
                self.first.borrow_mut().push_back((Rc::downgrade(group), Instant::now()));
            }
            joins
        } else {
            let joins = !group.in_second_line.replace(true);
            if joins {
                self.others.borrow_mut().push_back(Rc::downgrade(group));
            }
            joins
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.borrow().is_empty() && self.others.borrow().is_empty()
    }

    pub(super) fn first_is_empty(&self) -> bool {
        self.first.borrow().is_empty()
    }

    /// How many have none, also of those for whom nobody waits any more.
    pub(super) fn first_len(&self) -> usize {
        self.first.borrow().len()
    }

    /// How many have none, and requests wait for one. Others stand no longer there.
    pub(super) fn wanted_len(&self) -> usize {
        let mut first = self.first.borrow_mut();
        first.retain(|(group, _)| stays(group));
        first.len()
    }

    /// Since when the first in line waits. One for whom nobody waits any more stands no longer there.
    pub(super) fn first_since(&self) -> Option<Instant> {
        let mut first = self.first.borrow_mut();
        while let Some((group, since)) = first.front() {
            if stays(group) {
                return Some(*since);
            }
            first.pop_front();
        }
        None
    }

    /// Lets the first in line wait anew.
    pub(super) fn renew(&self) {
        if let Some((_, since)) = self.first.borrow_mut().front_mut() {
            *since = Instant::now();
        }
    }

    /// Whose turn it is, if it `fits`; of the second line only `with_others`.
    pub(super) fn next(&self, fits: impl Fn(&Group) -> bool, with_others: bool) -> Option<Rc<Group>> {
        if self.first_since().is_some() {
            let group = self.first.borrow().front()?.0.upgrade().filter(|group| fits(group))?;
            self.first.borrow_mut().pop_front();
            group.in_first_line.set(false);
            return Some(group);
        }
        let mut others = self.others.borrow_mut();
        while others.front().is_some_and(|group| group.strong_count() == 0) {
            others.pop_front();
        }
        let group = others.front()?.upgrade().filter(|group| with_others && fits(group))?;
        others.pop_front();
        group.in_second_line.set(false);
        Some(group)
    }
}
