//! Credit: how much either side may send on one stream before the other has disposed of it (docs/protocol.md,
//! Multiplexing). It keeps a slow client from holding up the others on a channel.

use std::task::{Context, Poll, Waker};

use passenger_native::error::ProtocolError;
use passenger_native::frame::INITIAL_WINDOW;

/// Credit is given back in steps of at least this, in bytes.
const STEP: u32 = INITIAL_WINDOW / 2;

/// What the worker may send.
pub struct Inflow {
    /// Bytes; below zero by less than one frame.
    left: i64,
    /// Bytes that were disposed of and not given back yet.
    owed: u32,
}

impl Inflow {
    /// Takes the bytes of a frame off the credit.
    ///
    /// # Errors
    /// When the worker had none left, unless it `may_go_on` without.
    pub fn take(&mut self, bytes: usize, may_go_on: impl FnOnce() -> bool) -> Result<(), ProtocolError> {
        if self.left <= 0 && bytes > 0 && !may_go_on() {
            return Err(ProtocolError::Unexpected("frame beyond the credit of its stream"));
        }
        self.left -= bytes as i64;
        Ok(())
    }

    /// Notes that `bytes` have been disposed of; returns how much credit is due, if it is enough for a frame of its own.
    pub fn dispose(&mut self, bytes: usize) -> Option<u32> {
        self.owed = self.owed.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.owed < STEP {
            return None;
        }
        self.left += i64::from(self.owed);
        Some(std::mem::take(&mut self.owed))
    }

    /// Notes that everything has been disposed of; returns how much credit is due for it.
    pub fn dispose_all(&mut self) -> Option<u32> {
        let missing = u32::try_from(i64::from(INITIAL_WINDOW) - self.left).ok().filter(|missing| *missing > 0)?;
        *self = Self::default();
        Some(missing)
    }
}

impl Default for Inflow {
    fn default() -> Self {
        Self { left: i64::from(INITIAL_WINDOW), owed: 0 }
    }
}

/// What the agent may send.
pub struct Outflow {
    left: i64,
    waiting: Option<Waker>,
}

impl Outflow {
    /// Takes the bytes of a frame off the credit.
    pub fn take(&mut self, bytes: usize) {
        self.left -= bytes as i64;
    }

    /// The worker gives more.
    pub fn add(&mut self, bytes: u32) {
        self.left += i64::from(bytes);
        if self.left > 0 {
            self.wake();
        }
    }

    /// Waits until there is credit, and for `choked` to be over.
    pub fn poll(&mut self, choked: bool, cx: &Context<'_>) -> Poll<()> {
        if self.left > 0 && !choked {
            return Poll::Ready(());
        }
        self.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Has the waiting task look again.
    pub fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

impl Default for Outflow {
    fn default() -> Self {
        Self { left: i64::from(INITIAL_WINDOW), waiting: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: usize = INITIAL_WINDOW as usize;

    #[test]
    fn a_worker_may_overdraw_by_one_frame() {
        let mut inflow = Inflow::default();
        inflow.take(WINDOW - 1, || false).unwrap();
        inflow.take(1 << 20, || false).unwrap();
        inflow.take(0, || false).unwrap();
        inflow.take(1, || false).unwrap_err();
        assert_eq!(inflow.dispose(WINDOW - 1 + (1 << 20)), Some(INITIAL_WINDOW - 1 + (1 << 20)));
        inflow.take(WINDOW, || false).unwrap();
        inflow.take(1, || false).unwrap_err();
    }

    #[test]
    fn credit_is_given_back_in_large_steps() {
        let mut inflow = Inflow::default();
        assert_eq!(inflow.dispose(WINDOW / 2 - 1), None);
        assert_eq!(inflow.dispose(1), Some(STEP));
        assert_eq!(inflow.dispose(WINDOW), Some(INITIAL_WINDOW));
    }

    #[test]
    fn nothing_is_owed_for_what_nobody_waits_for() {
        let mut inflow = Inflow::default();
        assert_eq!(inflow.dispose_all(), None);
        inflow.take(WINDOW + 5, || false).unwrap();
        assert_eq!(inflow.dispose(10), None);
        assert_eq!(inflow.dispose_all(), Some(INITIAL_WINDOW + 5));
        inflow.take(WINDOW, || false).unwrap();
    }

    #[test]
    fn the_agent_waits_for_credit_and_for_room() {
        let mut outflow = Outflow::default();
        let cx = Context::from_waker(Waker::noop());
        assert!(outflow.poll(false, &cx).is_ready());
        assert!(outflow.poll(true, &cx).is_pending());
        outflow.take(WINDOW + 10);
        assert!(outflow.poll(false, &cx).is_pending());
        outflow.add(10);
        assert!(outflow.poll(false, &cx).is_pending());
        outflow.add(1);
        assert!(outflow.poll(false, &cx).is_ready());
    }
}
