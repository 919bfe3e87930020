//! `memory_limit`: a worker that has become too large is replaced.
//!
//! What counts is private memory: pages that no other process has, which is what becomes free when the worker ends. What it
//! shares with its preloader would not.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Group;
use crate::pool::snapshot::private_memory;
use crate::pool::worker::Worker;

/// How often workers are looked at…
const INTERVAL: Duration = Duration::from_secs(5);
/// …and how long there is for each at least, as the kernel goes through all memory of a process to tell.
const EACH: Duration = Duration::from_millis(200);

const MEGABYTE: u64 = 1 << 20;

impl Group {
    /// Looks after the memory of the workers for as long as there are some, if there is a limit.
    pub(super) fn watch_memory(&self) {
        if self.config().limits.memory.is_none() || self.memory_watched.replace(true) {
            return;
        }
        self.in_background(async move |group| {
            loop {
                let count = u32::try_from(group.state.borrow().serving.len()).unwrap_or(u32::MAX);
                let limit = group.config().limits.memory;
                let Some(limit) = limit.filter(|_| count > 0) else { break };
                sleep(INTERVAL.max(EACH.saturating_mul(count))).await;
                if let Some((worker, memory)) = group.largest().await.filter(|(_, memory)| *memory > limit) {
                    group.is_too_large(&worker, memory, limit);
                }
            }
            group.memory_watched.set(false);
        });
    }

    /// The worker with the most private memory, and how much that is in bytes.
    async fn largest(&self) -> Option<(Rc<Worker>, u64)> {
        let workers = self.state.borrow().serving.clone();
        let pids: Vec<_> = workers.iter().map(|worker| worker.pid().unsigned_abs()).collect();
        let measure = move || pids.into_iter().map(|pid| private_memory(pid).unwrap_or(0)).collect::<Vec<_>>();
        let sizes = spawn_blocking(measure).await.ok()?;
        workers.into_iter().zip(sizes).max_by_key(|(_, memory)| *memory)
    }

    fn is_too_large(&self, worker: &Rc<Worker>, memory: u64, limit: u64) {
        let (name, pid, handled) = (self.app().name.clone(), worker.pid(), worker.handled());
        let (memory, limit) = (memory / MEGABYTE, limit / MEGABYTE);
        if handled == 0 {
            // Another would be as large.
            tracing::warn!(
                "{name}: worker {pid} has {memory} MB of memory to itself before its first request; \
                 memory_limit ({limit} MB) is too low for this application"
            );
        } else if self.replace(worker) {
            tracing::info!(
                "{name}: worker {pid} has {memory} MB of memory to itself after {handled} requests, which is more than \
                 memory_limit ({limit} MB); it is replaced"
            );
        }
    }
}
