//! Who has forked whom, and as which user processes run.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::unistd::{Pid, Uid, getpid};

/// How far a forked process can be from the one that was started: an interpreter that is a script may run the true one as
/// its child.
const GENERATIONS: usize = 8;

/// Whether `pid` descends from `parent`, or did until its parent died and it became this process's child, and whether all its
/// user ids are `user`'s.
///
/// # Errors
/// `ESRCH` when there is no such process any more.
pub fn is_from(pid: Pid, parent: Pid, user: Option<Uid>) -> io::Result<bool> {
    // 0 and negative ones stand for groups of processes, and 1 has no parent.
    if pid.as_raw() <= 1 || pid == parent || pid == getpid() {
        return Ok(false);
    }
    let process = Kin::of(pid)?;
    if user.is_some_and(|user| process.users.iter().any(|one| *one != user.as_raw())) {
        return Ok(false);
    }
    let mut ancestor = process.parent;
    if ancestor == getpid() {
        return Ok(true);
    }
    for _ in 0..GENERATIONS {
        if ancestor == parent {
            return Ok(true);
        }
        if ancestor.as_raw() <= 1 {
            break;
        }
        ancestor = Kin::of(ancestor)?.parent;
    }
    Ok(false)
}

/// What the system says of a process.
struct Kin {
    parent: Pid,
    /// The real, effective, saved and file system user.
    users: Vec<u32>,
}

impl Kin {
    fn of(pid: Pid) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Errno::ESRCH.into(),
            _ => error,
        })?;
        let numbers = |name: &str| -> Vec<u32> {
            // A process chooses its name, but a line break in it is escaped.
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().split_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        let (parents, users) = (numbers("PPid:"), numbers("Uid:"));
        match parents.first().and_then(|parent| i32::try_from(*parent).ok()) {
            Some(parent) if users.len() == 4 => Ok(Self { parent: Pid::from_raw(parent), users }),
            _ => Err(io::Error::other(format!("/proc/{pid}/status tells no parent and users"))),
        }
    }
}
