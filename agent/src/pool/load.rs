//! How much there is to do where, and what that means for the next request.

use std::cmp::Reverse;

/// What a slot or a worker has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Slots with requests.
    pub busy: usize,
    /// Requests, without WebSockets.
    pub requests: usize,
    /// WebSockets, of which most do nothing most of the time.
    pub websockets: usize,
}

impl Load {
    /// This load, with `now` instead of `before` in one of the slots.
    #[must_use]
    pub fn with(self, before: Self, now: Self) -> Self {
        Self {
            busy: self.busy + now.busy - before.busy,
            requests: self.requests + now.requests - before.requests,
            websockets: self.websockets + now.websockets - before.websockets,
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// How good a worker that can serve a request at once would be for it: the less it has to do, the better, and of equals
/// the warmest, which is the one that has answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vacancy {
    /// Requests that it would share the worker with.
    pub requests: Reverse<usize>,
    /// There should not be many more WebSockets in one worker than in others.
    pub websockets: Reverse<usize>,
    /// When it last answered, by the pool's clock.
    pub last_used: u64,
}

/// How long a request would wait in a slot behind those that are there, in microseconds, as long as the first of them is
/// not late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When there is no free slot. `None`: it must not be put there.
    pub wait: Option<u32>,
    /// Rather than waking an idle worker: for a tiny request and for another short one ([`Shortness`]).
    pub brief: [Option<u32>; 2],
}

/// How short a request is that is known to be short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortness {
    /// It is not worth waking a worker for it.
    Tiny,
    /// It takes longer than that.
    Short,
}

/// An idle worker needs about as long as this to wake up, in microseconds; so who waits less behind others need not wake
/// one…
const WAKE_UP_MICROS: u32 = 30;
/// …and requests that take less than this are not worth it, unless they had to wait longer than that.
const TINY_MICROS: u32 = 10;
const TINY_WAIT_MICROS: u32 = 100;

impl Shortness {
    /// All of them, as in [`Outlook::brief`].
    pub const ALL: [Self; 2] = [Self::Tiny, Self::Short];

    /// Of a request that takes `expected` microseconds.
    #[must_use]
    pub const fn of(expected: u32) -> Self {
        if expected < TINY_MICROS { Self::Tiny } else { Self::Short }
    }

    /// How long it may wait instead of waking an idle worker, in microseconds.
    #[must_use]
    pub const fn patience(self) -> u32 {
        match self {
            Self::Tiny => TINY_WAIT_MICROS,
            Self::Short => WAKE_UP_MICROS,
        }
    }
}
