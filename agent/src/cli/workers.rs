//! Finding the worker that a command means.

use super::failure::Failure;
use super::select::{self, describe, harmless};
use crate::admin::client;
use crate::instance::Instance;
use crate::pool::snapshot::InstanceStatus;
use clap::{Arg, ArgMatches};

const PID: &str = "PID";

/// The argument that names a worker by its process id.
pub(super) fn pid_argument(help: &'static str) -> Arg {
    Arg::new(PID).help(help).value_parser(clap::value_parser!(i32).range(1..))
}

/// The process id that was typed.
pub(super) fn pid(matches: &ArgMatches) -> Option<i32> {
    matches.get_one(PID).copied()
}

/// The instances that `command` is for: the one of the worker that was named, else all.
pub(super) fn instances(matches: &ArgMatches, command: &str) -> Result<Vec<Instance>, Failure> {
    let mut instances = select::instances(matches, command)?;
    let Some(pid) = pid(matches) else { return Ok(instances) };
    let mut others = Vec::new();
    let mut failures = Vec::new();
    instances.retain(|instance| match client::status(&instance.admin_socket()) {
        Ok(status) => {
            others.push(named(&status));
            has(&status, pid)
        }
        Err(reason) => {
            failures.push(format!("; the instance ({}) {reason}", describe(instance)));
            false
        }
    });
    if instances.is_empty() {
        let others = others.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
        let others = if others.is_empty() { "there are none".to_owned() } else { format!("there are {others}") };
        let failures = failures.concat();
        return Err(Failure::failed(harmless(&format!("no worker has the process id {pid}; {others}{failures}"))));
    }
    Ok(instances)
}

fn has(status: &InstanceStatus, pid: i32) -> bool {
    status.groups.iter().flat_map(|group| &group.workers).any(|worker| i32::try_from(worker.pid) == Ok(pid))
}

/// Its workers, each with the name of its application.
fn named(status: &InstanceStatus) -> Vec<String> {
    let of = |worker: u32, name: &str| format!("{worker} ({name})");
    let groups = status.groups.iter();
    groups.flat_map(|group| group.workers.iter().map(|worker| of(worker.pid, &group.name))).collect()
}
