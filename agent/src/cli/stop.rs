//! `passenger stop`

use super::failure::Failure;
use super::select::{self, describe, harmless};
use super::{command_line, print};
use crate::instance::Instance;
use crate::sys::process::pidfd;
use clap::{ArgMatches, Command};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

pub(super) const NAME: &str = "stop";

/// How often the user hears that it is not over yet.
const NEWS: Duration = Duration::from_secs(5);

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Stop a running instance")
        .after_help("Without DIR and options: the only instance that runs, or the one of the working directory.")
        .arg(command_line::dir_argument("The directory of the application whose instance to stop"))
        .args(select::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let instance = choose(select::instances(matches, NAME)?)?;
    let shown = harmless(&describe(&instance));
    let Some(process) = signal(&instance, &shown)? else {
        return print(&format!("It has just stopped by itself ({shown}).\n"));
    };
    print(&format!("Stopping Passenger ({shown})...\n"))?;
    wait(&process, &shown)?;
    print("Stopped.\n")
}

/// The only one, or of several the one of the working directory.
fn choose(mut instances: Vec<Instance>) -> Result<Instance, Failure> {
    if instances.len() > 1
        && let Ok(here) = std::env::current_dir()
        && instances.iter().filter(|instance| instance.serves(&here)).count() == 1
    {
        instances.retain(|instance| instance.serves(&here));
    }
    match instances.len() {
        1 => Ok(instances.remove(0)),
        count => {
            let list: String = instances.iter().map(|instance| format!("\n  {}", describe(instance))).collect();
            let message = format!("{count} instances fit; choose one with --port, --pid-file or its DIR:{list}");
            Err(Failure::failed(harmless(&message)))
        }
    }
}

/// Asks the instance to end. Returns its process to wait for, or `None` when it has gone in the meantime.
fn signal(instance: &Instance, shown: &str) -> Result<Option<OwnedFd>, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("cannot stop Passenger ({shown}): {error}"));
    let pid =
        i32::try_from(instance.properties.pid).map(Pid::from_raw).map_err(|error| failed(io::Error::other(error)))?;
    let process = match pidfd(pid) {
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => return Ok(None),
        process => process.map_err(failed)?,
    };
    // Only a live instance still owns its process id. It holds its lock, so what was opened is its process.
    if !instance.is_alive() {
        return Ok(None);
    }
    match kill(pid, Signal::SIGTERM) {
        Err(Errno::ESRCH) => Ok(None),
        Err(errno) => Err(failed(errno.into())),
        Ok(()) => Ok(Some(process)),
    }
}

/// However long it gives its requests and workers (`shutdown_timeout`): it ends.
fn wait(process: &OwnedFd, shown: &str) -> Result<(), Failure> {
    let start = Instant::now();
    let news = PollTimeout::try_from(NEWS).unwrap_or(PollTimeout::MAX);
    loop {
        match poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], news) {
            Ok(0) => print(&format!("still finishing requests after {} s\n", start.elapsed().as_secs()))?,
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::failed(format!("cannot wait for Passenger ({shown}): {errno}"))),
        }
    }
}
