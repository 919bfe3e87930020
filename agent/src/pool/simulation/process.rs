//! A process that is none: it has a number and channels, and ends like one.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};

use tokio::task::spawn_local;
use tokio::time::sleep;

use super::control::Control;
use super::world::World;
use crate::spawn::reaper::{Exit, Reaper};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It loads the application.
    Loading,
    Preloader,
    Worker,
}

/// Whom the system tells that a process has ended.
pub enum Parent {
    Agent(Weak<Reaper>),
    /// Its preloader, or the agent if that is gone.
    Preloader(Rc<Process>, Weak<Reaper>),
}

/// One version of an application, and what it is like.
#[derive(Debug)]
pub struct Version {
    pub app: usize,
    pub number: u32,
    /// It never starts.
    pub broken: bool,
    /// How long it takes to load, in milliseconds.
    pub boot: u64,
    /// One start, one request in so many goes wrong; 0 for none.
    pub boot_trouble: u64,
    pub trouble: u64,
    pub multiplexed: bool,
}

pub struct Process {
    pub pid: i32,
    pub version: Rc<Version>,
    pub role: Cell<Role>,
    /// Requests that it is serving.
    pub running: Cell<usize>,
    pub control: RefCell<Option<Rc<Control>>>,
    /// A worker that it has forked and not told of. If it dies now, nobody ever knows of that one.
    pub untold: RefCell<Option<Rc<Process>>>,
    fate: Cell<Option<Exit>>,
    fated: tokio::sync::Notify,
    /// It was asked to leave by somebody other than the agent.
    pub dismissed: tokio::sync::Notify,
    /// Readable when the other is closed, which is when it ends.
    watch: OwnedFd,
    life: RefCell<Option<OwnedFd>>,
}

impl Process {
    pub fn new(pid: i32, version: Rc<Version>) -> io::Result<Rc<Self>> {
        let (watch, life) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        Ok(Rc::new(Self {
            pid,
            version,
            role: Cell::new(Role::Loading),
            running: Cell::new(0),
            control: RefCell::default(),
            untold: RefCell::default(),
            fate: Cell::new(None),
            fated: tokio::sync::Notify::new(),
            dismissed: tokio::sync::Notify::new(),
            watch,
            life: RefCell::new(Some(life)),
        }))
    }

    pub fn is_alive(&self) -> bool {
        self.life.borrow().is_some()
    }

    /// Whether its end is certain.
    pub fn is_doomed(&self) -> bool {
        self.fate.get().is_some()
    }

    /// What the agent has for a pidfd.
    pub fn watch(&self) -> io::Result<OwnedFd> {
        self.watch.try_clone()
    }

    /// Ends it as soon as it gets to run.
    pub fn end(&self, exit: Exit) {
        if self.fate.get().is_none() {
            self.fate.set(Some(exit));
            self.fated.notify_one();
        }
    }

    async fn fate(&self) -> Exit {
        loop {
            if let Some(exit) = self.fate.get() {
                return exit;
            }
            self.fated.notified().await;
        }
    }

    /// Does what `body` does until that ends or the process is killed.
    pub fn run(self: Rc<Self>, world: Rc<World>, parent: Parent, body: impl Future<Output = Exit> + 'static) {
        spawn_local(async move {
            let exit = tokio::select! {
                biased;
                exit = self.fate() => exit,
                exit = body => exit,
            };
            // Its channels are closed now.
            self.fate.set(Some(exit));
            self.control.take();
            self.running.set(0);
            if let Some(child) = self.untold.take() {
                // A real one ends when it finds its channels closed, unless it hangs just then: that is not looked into here.
                child.end(exit);
            }
            world.trace.note(|| format!("{:?} {} {exit}", self.role.get(), self.pid));
            drop(self.life.take());
            if world.chance.one_in(3) {
                sleep(world.chance.millis(0..5)).await;
            }
            world.machine.forget(self.pid);
            match parent {
                Parent::Preloader(preloader, _) if preloader.is_alive() => {
                    if let Some(control) = &*preloader.control.borrow() {
                        control.tell_end(self.pid, exit);
                    }
                }
                Parent::Agent(reaper) | Parent::Preloader(_, reaper) => {
                    if let Some(reaper) = reaper.upgrade() {
                        reaper.ended(self.pid, exit);
                    }
                }
            }
        });
    }
}
