//! A worker as an operating system process.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::channel::Channel;
use super::reaper::{Exit, Reaper};
use crate::sys;
use crate::sys::user::Identity;

/// A process with the group it leads. Dropping it kills the group.
pub struct Process {
    /// Its id, and its group's.
    pub pid: Pid,
    /// As which user it was started; `None` is the agent's own.
    user: Option<Uid>,
    pidfd: AsyncFd<OwnedFd>,
    reaper: Rc<Reaper>,
    killed: Cell<bool>,
}

impl Process {
    /// Takes charge of a process that is still there.
    pub(super) fn new(pid: Pid, user: Option<&Identity>, reaper: &Rc<Reaper>) -> io::Result<Self> {
        Self::watched(pid, reaper.system().watch(pid)?, user.map(|user| user.uid), reaper)
    }

    /// Takes charge of a process that `parent` says to have forked. Whoever runs an application could otherwise have root
    /// kill anybody.
    pub(super) fn forked_by(parent: &Self, pid: i32) -> io::Result<Self> {
        let (system, pid) = (parent.reaper.system(), Pid::from_raw(pid));
        let pidfd = system.watch(pid)?;
        if !system.is_from(pid, parent.pid, parent.user)? {
            return Err(io::Error::other(format!(
                "process {} says that it has forked process {pid}, which is not its own",
                parent.pid
            )));
        }
        Self::watched(pid, pidfd, parent.user, &parent.reaper)
    }

    fn watched(pid: Pid, pidfd: OwnedFd, user: Option<Uid>, reaper: &Rc<Reaper>) -> io::Result<Self> {
        let pidfd = sys::watch::register(pidfd, Interest::READABLE)?;
        reaper.expect(pid.as_raw());
        Ok(Self { pid, user, pidfd, reaper: Rc::clone(reaper), killed: Cell::new(false) })
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        // An error means that the descriptor can't tell any more; the channels will.
        let _ = self.pidfd.readable().await;
    }

    /// How it ended, as a sentence's end: "was killed by SIGKILL".
    pub async fn exit(&self) -> Exit {
        self.reaper.exit_of(self.pid.as_raw()).await.unwrap_or(Exit::Unknown)
    }

    /// Sends a signal to it alone, not to its process group; false if it is gone.
    pub fn signal(&self, signal: Signal) -> bool {
        // The descriptor knows whether it is gone, while the number may be another's.
        sys::process::signal(self.pidfd.get_ref(), signal).is_ok()
    }

    /// Kills its process group, at most once: later the number may be another group's.
    pub fn kill(&self) {
        if !self.killed.replace(true) {
            self.reaper.system().signal_group(self.pid, Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A worker that has become a preloader.
pub struct Promoted {
    /// The process.
    pub process: Rc<Process>,
    /// Its control channel.
    pub control: Rc<Channel>,
}

/// A worker that is ready to serve.
pub struct WorkerProcess {
    /// The process.
    pub process: Process,
    /// Its control channel; closing it tells the process that the agent is gone.
    pub control: Channel,
    /// The agent's ends of its data channels, one a slot.
    pub channels: Vec<OwnedFd>,
    /// Each of its data channels carries many requests at the same time.
    pub multiplexed: bool,
}
