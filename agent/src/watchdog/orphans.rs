//! What agents leave behind.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends the processes that became children of this one when their agent ended, with everything in their process groups.
pub fn end() {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for pid in children() {
            sys::process::signal_group(pid, Signal::SIGKILL);
        }
        // Others may become children of this process when those are gone.
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(_) => return,
            Ok(WaitStatus::StillAlive) if Instant::now() > deadline => return,
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(10)),
            Ok(_) => {}
        }
    }
}

fn children() -> Vec<Pid> {
    let list = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok().map(Pid::from_raw)).collect()
}
