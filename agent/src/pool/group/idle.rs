//! Ending what has had nothing to do for long: workers beyond those that are kept, and the preloader.
//!
//! Nobody looks at a clock for a request. While there is something that could end, the group looks at it now and then, and
//! remembers since when a worker has been as it is; so what is idle ends up to a tenth of the time later than it might.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Group;

/// How often is looked, at most and at least.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

impl Group {
    /// Sees to it that what is idle for long ends, from now on and for as long as there is something.
    pub(super) fn watch_idleness(&self) {
        if self.watches_idleness.replace(true) {
            return;
        }
        self.in_background(async move |group| {
            while let Some(pause) = group.pause() {
                sleep(pause).await;
                // While a new version is tried, nothing could bring back what there is of the one before.
                if !group.state.borrow().tries_new_version() {
                    group.end_idle_workers();
                    group.end_idle_preloader();
                }
            }
            group.watches_idleness.set(false);
        });
    }

    /// How long until the next look; `None` when there is nothing that could end. It may be a worker that comes meanwhile, so
    /// the shorter of both times counts.
    fn pause(&self) -> Option<Duration> {
        let (state, config) = (self.state.borrow(), self.config());
        let may_sleep = config.idle_time.is_some() && state.serving.len() > config.min_workers;
        let may_forget = config.preloader_idle_time.is_some() && state.spawner.is_loaded();
        if state.closing || !(may_sleep || may_forget) {
            return None;
        }
        let shorter = config.idle_time.into_iter().chain(config.preloader_idle_time).min()?;
        Some((shorter / 10).clamp(SHORTEST, LONGEST))
    }

    /// The coldest first, so that the warmest keep the work.
    fn end_idle_workers(&self) {
        let Some(limit) = self.config().idle_time else { return };
        let (state, now) = (self.state.borrow(), Instant::now());
        let spare = state.serving.len().saturating_sub(self.config().min_workers);
        let is_over = |since: Instant| now.duration_since(since) >= limit;
        let mut idle: Vec<_> =
            state.serving.iter().filter(|worker| worker.idle_since(now).is_some_and(is_over)).cloned().collect();
        drop(state);
        idle.sort_by_key(|worker| worker.last_used());
        for worker in idle.iter().take(spare) {
            let (pid, seconds) = (worker.pid(), limit.as_secs());
            tracing::info!("worker {pid} of {} ends: it has been idle for {seconds} s", self.app().name);
            self.retire(worker);
        }
    }

    fn end_idle_preloader(&self) {
        let Some(limit) = self.config().preloader_idle_time else { return };
        let spawner = std::rc::Rc::clone(&self.state.borrow().spawner);
        if let Some(pid) = spawner.end_idle_preloader(limit) {
            let (name, seconds) = (self.app().name.clone(), limit.as_secs());
            tracing::info!("preloader {pid} of {name} ends: it has not forked for {seconds} s");
        }
    }
}
