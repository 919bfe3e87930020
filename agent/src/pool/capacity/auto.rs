//! How large the pool may be where nobody says a number: by processors, and by the memory that workers turn out to need.
//!
//! Two workers a processor keep it busy while some of them wait for a database. Memory is looked at when a worker is to be
//! started: as many workers fit as there are, and as often as their average private memory goes into nine tenths of what is
//! available to this machine and control group. Workers that are too many then are not ended; there will just be no more.

use std::cell::{Cell, RefCell};
use std::num::NonZero;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Capacity;
use crate::pool::snapshot::private_memory;
use crate::sys;

const WORKERS_A_PROCESSOR: usize = 2;

/// How long a measurement holds.
const FRESH: Duration = Duration::from_secs(1);

/// How often memory is looked at while a group waits for some.
const RETRY: Duration = Duration::from_secs(5);

/// How many workers there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This many, at least one.
    Fixed(usize),
    /// As many as make sense on this machine.
    Auto,
}

/// What the last measurement said.
#[derive(Default)]
pub(super) struct Measured {
    at: Cell<Option<Instant>>,
    reason: RefCell<Option<String>>,
}

impl Measured {
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    pub(super) fn forget(&self) {
        self.at.set(None);
        self.reason.take();
    }
}

impl Size {
    /// The limit as long as nothing is known of the workers.
    pub(super) fn first_limit(self, measured: &Measured) -> usize {
        match self {
            Self::Fixed(limit) => limit.max(1),
            Self::Auto => {
                let (limit, reason) = limit(processors(), None, &[]);
                *measured.reason.borrow_mut() = Some(reason);
                limit
            }
        }
    }
}

impl Capacity {
    /// Whether the limit depends on the memory, and that was last looked at too long ago.
    pub(super) fn is_outdated(&self) -> bool {
        self.size.get() == Size::Auto && self.measured.at.get().is_none_or(|at| at.elapsed() >= FRESH)
    }

    /// Finds out how many workers there may be, if that is not known.
    pub(super) async fn measure(&self) {
        if !self.is_outdated() {
            return;
        }
        let pids: Vec<i32> = self.members().iter().flat_map(|group| group.pids()).collect();
        let measuring = tokio::task::spawn_blocking(move || {
            let private: Vec<u64> =
                pids.into_iter().filter_map(|pid| private_memory(pid.unsigned_abs()).ok()).collect();
            limit(processors(), sys::available_memory::available(), &private)
        });
        // It can only fail when the event loop ends.
        let Ok((limit, reason)) = measuring.await else { return };
        if self.size.get() != Size::Auto {
            return;
        }
        self.measured.at.set(Some(Instant::now()));
        if self.limit.replace(limit) != limit {
            tracing::info!("there may be {limit} workers now: {reason}");
            self.freed.notify_waiters();
        }
        *self.measured.reason.borrow_mut() = Some(reason);
    }

    /// Waits until there may be room for one that waits by itself; where that depends on memory, which others set free without
    /// a word, it is looked at now and then.
    pub(super) async fn wait_for_room(&self) {
        if self.size.get() == Size::Auto {
            let _ = timeout(RETRY, self.freed.notified()).await;
            self.measure().await;
        } else {
            self.freed.notified().await;
        }
    }

    /// Waits for news; while somebody waits for memory at most for [`RETRY`].
    pub(super) async fn wait_for_change(&self) {
        if self.size.get() == Size::Auto && !self.line.is_empty() {
            let _ = timeout(RETRY, self.changed.notified()).await;
        } else {
            self.changed.notified().await;
        }
    }
}

/// The processors that this process may use, its control group's quota considered.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// How many workers there may be, and why, where `available` bytes are left and the workers have `private` bytes each.
fn limit(processors: usize, available: Option<u64>, private: &[u64]) -> (usize, String) {
    let by_processors = processors * WORKERS_A_PROCESSOR;
    let used: u64 = private.iter().sum();
    if let Some(available) = available
        && used > 0
    {
        let each = (used / private.len() as u64).max(1);
        let more = usize::try_from(available / 10 * 9 / each).unwrap_or(usize::MAX);
        let by_memory = private.len().saturating_add(more).max(1);
        if by_memory < by_processors {
            let megabytes = |bytes: u64| bytes.div_ceil(1024 * 1024);
            let (available, each) = (megabytes(available), megabytes(each));
            return (by_memory, format!("{available} MB of memory are available, a worker takes {each} MB"));
        }
    }
    let s = if processors == 1 { "" } else { "s" };
    (by_processors, format!("{WORKERS_A_PROCESSOR} a processor, {processors} processor{s}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MB: u64 = 1024 * 1024;

    #[rstest]
    #[case::nothing_is_known(4, None, &[], 8)]
    #[case::no_worker_yet(1, Some(10 * MB), &[], 2)]
    #[case::plenty(4, Some(8192 * MB), &[100 * MB, 100 * MB], 8)]
    #[case::tight(4, Some(400 * MB), &[100 * MB, 100 * MB], 5)]
    #[case::none_left(4, Some(MB), &[100 * MB, 100 * MB], 2)]
    #[case::by_the_average(8, Some(1000 * MB), &[500 * MB, 50 * MB, 50 * MB], 7)]
    #[case::so_small_that_it_is_nothing(2, Some(0), &[1], 1)]
    fn as_many_as_fit(
        #[case] processors: usize,
        #[case] available: Option<u64>,
        #[case] private: &[u64],
        #[case] expected: usize,
    ) {
        assert_eq!(limit(processors, available, private).0, expected);
    }

    #[test]
    fn the_reason_is_the_tighter_bound() {
        assert_eq!(limit(2, None, &[]).1, "2 a processor, 2 processors");
        assert_eq!(limit(2, Some(50 * MB), &[100 * MB]).1, "50 MB of memory are available, a worker takes 100 MB");
    }
}
