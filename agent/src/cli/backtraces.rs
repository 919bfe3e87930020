//! `passenger backtraces`

use super::failure::Failure;
use super::select::{self, describe, harmless};
use super::{print, workers};
use crate::admin::api;
use crate::admin::client;
use clap::{ArgMatches, Command};

pub(super) const NAME: &str = "backtraces";

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Have workers write to the log what their threads are doing; they go on serving")
        .arg(workers::pid_argument("The process id of one worker [default: all]"))
        .args(select::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let pid = workers::pid(matches);
    for instance in workers::instances(matches, NAME)? {
        let failed = |reason| Failure::failed(harmless(&format!("the instance ({}) {reason}", describe(&instance))));
        let pids = client::workers(&instance.admin_socket(), &api::Command::Backtraces(pid)).map_err(failed)?;
        let pids: Vec<String> = pids.iter().map(i32::to_string).collect();
        let done =
            if pids.is_empty() { "there are no workers".to_owned() } else { format!("asked {}", pids.join(", ")) };
        print(&harmless(&format!("{}: {done}; see its log\n", describe(&instance))))?;
    }
    Ok(())
}
