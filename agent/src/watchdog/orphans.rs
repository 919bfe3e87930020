//! What agents leave behind.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid, getpgrp};

use crate::sys;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends the processes that became children of this one when their agent ended, with everything in their process groups.
pub fn end() {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for pid in children() {
            // Some have a group of their own, others are in that of a worker which is gone.
            let group = getpgid(Some(pid)).ok().filter(|group| *group != getpgrp());
            sys::process::signal_group(group.unwrap_or(pid), Signal::SIGKILL);
            let _ = kill(pid, Signal::SIGKILL);
        }
        // Others may become children of this process when those are gone.
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(_) => return,
            Ok(WaitStatus::StillAlive) if Instant::now() > deadline => return,
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(10)),
            Ok(_) if Instant::now() > deadline => return,
            Ok(_) => {}
        }
    }
}

fn children() -> Vec<Pid> {
    let list = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok().map(Pid::from_raw)).collect()
}
