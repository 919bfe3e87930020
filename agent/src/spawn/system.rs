//! What starting and ending processes asks of the operating system, so that tests can be one.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};

use crate::sys;

/// What the operating system does with processes. The simulation of the pool has its own.
pub trait System {
    /// See [`sys::process::start`].
    ///
    /// # Errors
    /// When it can't be forked or executed.
    fn start(&self, command: &mut Command, control: OwnedFd, output: OwnedFd) -> io::Result<Pid>;

    /// A descriptor that becomes readable when the process ends.
    ///
    /// # Errors
    /// `ESRCH` when it is already gone and reaped.
    fn watch(&self, pid: Pid) -> io::Result<OwnedFd>;

    /// Whether `pid` is what `parent` has forked, and runs as `user`, if that is given.
    ///
    /// # Errors
    /// `ESRCH` when there is no such process any more.
    fn is_from(&self, pid: Pid, parent: Pid, user: Option<Uid>) -> io::Result<bool>;

    /// Sends a signal to every process of a group.
    fn signal_group(&self, leader: Pid, signal: Signal);
}

/// The real one.
pub struct Kernel;

impl System for Kernel {
    fn start(&self, command: &mut Command, control: OwnedFd, output: OwnedFd) -> io::Result<Pid> {
        sys::process::start(command, control, output)
    }

    fn watch(&self, pid: Pid) -> io::Result<OwnedFd> {
        sys::process::pidfd(pid)
    }

    fn is_from(&self, pid: Pid, parent: Pid, user: Option<Uid>) -> io::Result<bool> {
        sys::kin::is_from(pid, parent, user)
    }

    fn signal_group(&self, leader: Pid, signal: Signal) {
        sys::process::signal_group(leader, signal);
    }
}
