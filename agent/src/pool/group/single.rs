//! What people ask of single workers.

use std::rc::Rc;

use nix::sys::signal::Signal;

use super::Group;
use crate::pool::worker::Worker;

impl Group {
    /// The process ids of its workers, those that leave included.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.workers().iter().map(|worker| worker.pid()).collect()
    }

    /// Has the worker with this process id take no more requests and leave when it is done. False if it has none.
    pub fn detach(&self, pid: i32) -> bool {
        let Some(worker) = self.workers().into_iter().find(|worker| worker.pid() == pid) else { return false };
        if worker.is_serving() {
            tracing::info!("worker {pid} is detached; it takes no more requests");
            self.retire(&worker);
            self.keep_up(false);
        }
        true
    }

    /// Has the worker with this process id print what it is doing. False if it has none.
    pub fn print_backtraces(&self, pid: i32) -> bool {
        let worker = self.workers().into_iter().find(|worker| worker.pid() == pid);
        worker.is_some_and(|worker| worker.signal(Signal::SIGQUIT))
    }

    /// Has all workers print what they are doing.
    pub fn print_all_backtraces(&self) {
        for worker in self.workers() {
            worker.signal(Signal::SIGQUIT);
        }
    }

    fn workers(&self) -> Vec<Rc<Worker>> {
        let state = self.state.borrow();
        state.serving.iter().chain(&state.leaving).cloned().collect()
    }
}
