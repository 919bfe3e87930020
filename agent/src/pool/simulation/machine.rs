//! The operating system under a world, as far as processes go.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::rc::{Rc, Weak};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};

use super::life;
use super::process::{Parent, Process, Role, Version};
use super::world::World;
use crate::spawn::reaper::{Exit, Reaper};
use crate::spawn::system::System;

/// No process of this machine has a number like that, so that nobody is hit by a signal that gets out.
const FIRST: i32 = 1_000_000_001;

/// All processes that have not been reaped.
pub struct Machine {
    next: Cell<i32>,
    processes: RefCell<BTreeMap<i32, Rc<Process>>>,
}

impl Machine {
    pub fn new() -> Self {
        Self { next: Cell::new(FIRST), processes: RefCell::default() }
    }

    pub fn make(&self, version: &Rc<Version>) -> io::Result<Rc<Process>> {
        let pid = self.next.replace(self.next.get() + 1);
        let process = Process::new(pid, Rc::clone(version))?;
        self.processes.borrow_mut().insert(pid, Rc::clone(&process));
        Ok(process)
    }

    pub fn forget(&self, pid: i32) {
        self.processes.borrow_mut().remove(&pid);
    }

    /// Those that live, by their numbers.
    pub fn alive(&self) -> Vec<Rc<Process>> {
        self.processes.borrow().values().filter(|process| process.is_alive()).cloned().collect()
    }

    /// Those that live and do this.
    pub fn with_role(&self, role: Role) -> Vec<Rc<Process>> {
        self.alive().into_iter().filter(|process| process.role.get() == role).collect()
    }
}

/// What the spawner of one version sees of the machine.
pub struct Os {
    pub world: Rc<World>,
    pub version: Rc<Version>,
    pub reaper: Weak<Reaper>,
}

impl System for Os {
    fn start(&self, _: &mut Command, control: OwnedFd, output: OwnedFd) -> io::Result<Pid> {
        let (world, version) = (&self.world, &self.version);
        let process = world.machine.make(version)?;
        let pid = process.pid;
        world.trace.note(|| format!("process {pid} of app {} version {} starts", version.app, version.number));
        let body = life::exec(Rc::clone(world), Rc::clone(&process), self.reaper.clone(), control, output);
        process.run(Rc::clone(world), Parent::Agent(self.reaper.clone()), body);
        Ok(Pid::from_raw(pid))
    }

    fn watch(&self, pid: Pid) -> io::Result<OwnedFd> {
        let processes = self.world.machine.processes.borrow();
        processes.get(&pid.as_raw()).ok_or(Errno::ESRCH)?.watch()
    }

    fn is_from(&self, pid: Pid, _: Pid, _: Option<Uid>) -> io::Result<bool> {
        self.watch(pid).map(|_| true)
    }

    fn signal_group(&self, leader: Pid, signal: Signal) {
        if let Some(process) = self.world.machine.processes.borrow().get(&leader.as_raw()) {
            process.end(Exit::Signal(signal as i32));
        }
    }
}
