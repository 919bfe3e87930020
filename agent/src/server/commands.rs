//! What commands have a running instance do.

use std::rc::Rc;

use crate::admin::api::{Command, Outcome};
use crate::pool::group::Group;
use crate::pool::snapshot::InstanceStatus;

/// Does what was asked for.
pub async fn obey(command: Command, groups: &[Rc<Group>], status: &impl AsyncFn() -> InstanceStatus) -> Outcome {
    match command {
        Command::Status => Outcome::Status(status().await),
        Command::Detach(pid) => to_workers(groups, Some(pid), Group::detach),
        Command::Backtraces(pid) => to_workers(groups, pid, Group::print_backtraces),
    }
}

/// Does something to one worker, or to all.
fn to_workers(groups: &[Rc<Group>], pid: Option<i32>, action: impl Fn(&Group, i32) -> bool) -> Outcome {
    let all = || groups.iter().flat_map(|group| group.pids().into_iter().map(move |pid| (group, pid)));
    let wanted = all().filter(|(_, worker)| pid.is_none_or(|pid| pid == *worker));
    let done: Vec<i32> = wanted.filter(|(group, pid)| action(group, *pid)).map(|(_, pid)| pid).collect();
    match (pid, done.is_empty()) {
        (Some(pid), true) => Outcome::Error(format!("there is no worker {pid}")),
        _ => Outcome::Workers(done),
    }
}
