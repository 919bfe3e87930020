//! Limits of requests and workers that are off unless somebody sets them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long a request may wait in the queue.
    pub queue_time: Option<Duration>,
    /// How long a worker may take for a request.
    pub request_time: Option<Duration>,
    /// Up to this many requests more than `max_requests` before a worker is replaced.
    pub requests_jitter: u64,
    /// How much private memory a worker may have, in bytes.
    pub memory: Option<u64>,
}

impl Limits {
    /// After how many requests one worker is replaced, by chance between `most` and [`Self::requests_jitter`] more; 0 for
    /// never, if `most` is.
    #[must_use]
    pub fn lifetime(&self, most: u64) -> u64 {
        match self.requests_jitter {
            _ if most == 0 => 0,
            0 => most,
            // A hasher has new random keys each time.
            jitter => most + RandomState::new().build_hasher().finish() % (jitter + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_do_not_all_reach_the_same_number_of_requests() {
        let limits = Limits { requests_jitter: 50, ..Limits::default() };
        let lifetimes: Vec<_> = (0..100).map(|_| limits.lifetime(100)).collect();
        assert!(lifetimes.iter().all(|lifetime| (100..=150).contains(lifetime)), "{lifetimes:?}");
        assert!(lifetimes.iter().any(|lifetime| *lifetime != lifetimes[0]), "{lifetimes:?}");
        assert_eq!(limits.lifetime(0), 0, "no limit stays none");
        assert_eq!(Limits::default().lifetime(7), 7);
    }
}
