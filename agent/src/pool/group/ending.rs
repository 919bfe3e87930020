//! The end of a group.

use std::future::poll_fn;
use std::task::Poll;

use super::Group;
use crate::pool::session::Ending;

impl Group {
    /// Takes no more requests, refuses those that wait, asks all workers and preloaders to leave, and gives up what is being
    /// started.
    pub fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closing = true;
        let waiting = state.queue.take_all();
        state.give_up_roll();
        state.spawner.give_up();
        drop(state);
        for exchange in waiting {
            exchange.end(Ending::Closing);
        }
        self.retire_all();
    }

    /// Gives up the requests of workers that are to leave, so that these run their shutdown hooks and exit.
    pub fn cut_off(&self) {
        let leaving = self.state.borrow().leaving.clone();
        for worker in leaving {
            worker.cut_off();
        }
    }

    /// Whether requests wait for a worker.
    pub fn is_waited_for(&self) -> bool {
        self.state.borrow().queue.count() > 0
    }

    /// Whether it has been closed, and has no worker left.
    pub fn is_gone(&self) -> bool {
        let state = self.state.borrow();
        state.closing && state.serving.is_empty() && state.leaving.is_empty()
    }

    /// Waits until the last worker is gone.
    pub async fn empty(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.serving.is_empty() && state.leaving.is_empty() {
                return Poll::Ready(());
            }
            state.emptied = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends all workers at once.
    pub fn kill(&self) {
        let state = self.state.borrow();
        for worker in state.serving.iter().chain(&state.leaving) {
            worker.kill();
        }
    }
}
