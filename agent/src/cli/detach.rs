//! `passenger detach`

use super::failure::Failure;
use super::select::{self, describe, harmless};
use super::{print, workers};
use crate::admin::api;
use crate::admin::client;
use crate::sys::process::pidfd;
use clap::{ArgMatches, Command};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

pub(super) const NAME: &str = "detach";

/// How often the user hears that it is not over yet.
const NEWS: Duration = Duration::from_secs(5);

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Have one worker take no more requests, and end when it has answered those it has")
        .after_help(
            "Waits until the worker has left; Ctrl-C ends the waiting only. Another worker takes its place if one is \
             needed. The process ids are in `passenger status`.",
        )
        .arg(workers::pid_argument("The worker's process id").required(true))
        .args(select::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let pid = workers::pid(matches).unwrap_or_default();
    // One process is a worker of one instance.
    for instance in workers::instances(matches, NAME)? {
        let failed = |reason| Failure::failed(harmless(&format!("the instance ({}) {reason}", describe(&instance))));
        // Before it is asked to leave, as the number may be another's afterwards.
        let process = pidfd(Pid::from_raw(pid));
        let socket = instance.admin_socket();
        client::workers(&socket, &api::Command::Detach(pid)).map_err(failed)?;
        print(&format!("Worker {pid} takes no more requests.\n"))?;
        match process {
            Ok(process) => wait(&process, pid, &socket)?,
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => {}
            Err(error) => return Err(Failure::failed(format!("cannot wait for worker {pid}: {error}"))),
        }
        print(&format!("Worker {pid} has left.\n"))?;
    }
    Ok(())
}

fn wait(process: &OwnedFd, pid: i32, socket: &Path) -> Result<(), Failure> {
    let timeout = PollTimeout::try_from(NEWS).unwrap_or(PollTimeout::ZERO);
    loop {
        match poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => print(&progress(socket, pid))?,
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::failed(format!("cannot wait for worker {pid}: {errno}"))),
        }
    }
}

/// What it is waited for.
fn progress(socket: &Path, pid: i32) -> String {
    let status = client::status(socket).ok();
    let workers = status.iter().flat_map(|status| &status.groups).flat_map(|group| &group.workers);
    match workers.into_iter().find(|worker| i32::try_from(worker.pid) == Ok(pid)).map(|worker| worker.sessions) {
        Some(0) => "it is ending\n".to_owned(),
        Some(1) => "still serving 1 request\n".to_owned(),
        Some(sessions) => format!("still serving {sessions} requests\n"),
        None => "it has not ended yet\n".to_owned(),
    }
}
