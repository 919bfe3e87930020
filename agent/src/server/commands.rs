//! What commands have a running instance do.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use super::apps::Apps;
use crate::admin::api::{Command, Outcome};
use crate::pool::capacity::Capacity;
use crate::pool::group::Group;
use crate::pool::snapshot::InstanceStatus;

/// Does what commands ask for.
pub struct Desk {
    /// The instance's environment, which a reload may change.
    pub environment: Rc<RefCell<String>>,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// What it serves.
    pub apps: Rc<Apps>,
    /// How many workers there may be.
    pub capacity: Rc<Capacity>,
    /// When it began.
    pub started: Instant,
}

impl Desk {
    /// Does what was asked for.
    pub async fn obey(&self, command: Command) -> Outcome {
        match command {
            Command::Status => Outcome::Status(self.status().await),
            Command::Restart(app) => self.apps.restart(&app).map_or_else(Outcome::Error, |()| Outcome::Restarting),
            Command::Detach(pid) => self.to_workers(Some(pid), Group::detach),
            Command::Backtraces(pid) => self.to_workers(pid, Group::print_backtraces),
        }
    }

    async fn status(&self) -> InstanceStatus {
        let groups = self.apps.status().await;
        InstanceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            environment: self.environment.borrow().clone(),
            addresses: self.addresses.clone(),
            uptime_seconds: self.started.elapsed().as_secs(),
            max_pool_size: self.capacity.limit(),
            max_pool_size_reason: self.capacity.reason(),
            groups,
        }
    }

    /// Does something to one worker, or to all.
    fn to_workers(&self, pid: Option<i32>, action: impl Fn(&Group, i32) -> bool) -> Outcome {
        let groups = self.apps.groups();
        let all = || groups.iter().flat_map(|group| group.pids().into_iter().map(move |pid| (group, pid)));
        let wanted = all().filter(|(_, worker)| pid.is_none_or(|pid| pid == *worker));
        let done: Vec<i32> = wanted.filter(|(group, pid)| action(group, *pid)).map(|(_, pid)| pid).collect();
        match (pid, done.is_empty()) {
            (Some(pid), true) => Outcome::Error(format!("there is no worker {pid}")),
            _ => Outcome::Workers(done),
        }
    }
}
