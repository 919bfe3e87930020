//! How processes ended. Some are the agent's children, others a preloader's, which tells of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use super::system::{Kernel, System};
use crate::sys;

/// The kernel's and a preloader's word can come a little after a channel has closed.
const PATIENCE: Duration = Duration::from_millis(500);

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// Nobody has told.
    Unknown,
}

impl Exit {
    /// Whether it said that all was well.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            Self::Unknown => f.write_str("ended"),
        }
    }
}

/// Collects children, so that none stays behind as a zombie, and keeps the ends that somebody will ask for.
pub struct Reaper {
    system: Box<dyn System>,
    awaited: RefCell<HashMap<i32, Option<Exit>>>,
    news: Notify,
}

impl Default for Reaper {
    fn default() -> Self {
        Self::of(Box::new(Kernel))
    }
}

impl Reaper {
    /// One for the processes of `system`.
    #[must_use]
    pub fn of(system: Box<dyn System>) -> Self {
        Self { system, awaited: RefCell::default(), news: Notify::new() }
    }

    /// Where its processes are.
    pub(super) fn system(&self) -> &dyn System {
        &*self.system
    }

    /// Somebody will ask how this process ended.
    pub(super) fn expect(&self, pid: i32) {
        self.awaited.borrow_mut().insert(pid, None);
    }

    /// A process has ended.
    pub(crate) fn ended(&self, pid: i32, exit: Exit) {
        if let Some(entry) = self.awaited.borrow_mut().get_mut(&pid) {
            *entry = Some(exit);
            self.news.notify_waiters();
        }
    }

    /// How an expected process ended, asked once. `None` when nobody knows.
    pub async fn exit_of(&self, pid: i32) -> Option<Exit> {
        let known = async {
            loop {
                let news = self.news.notified();
                if let Some(Some(exit)) = self.awaited.borrow().get(&pid) {
                    return *exit;
                }
                news.await;
            }
        };
        let exit = timeout(PATIENCE, known).await.ok();
        self.awaited.borrow_mut().remove(&pid);
        exit
    }

    /// Begins to listen for children that end; must be called before the first is started.
    ///
    /// # Errors
    /// When the signal can't be listened to.
    pub fn listen() -> std::io::Result<SignalStream> {
        signal(SignalKind::child())
    }

    /// Collects children whenever `children` has one to tell of.
    pub async fn run(&self, mut children: SignalStream) {
        loop {
            while let Some(status) = sys::process::reap() {
                match status {
                    WaitStatus::Exited(pid, code) => self.ended(pid.as_raw(), Exit::Code(code)),
                    WaitStatus::Signaled(pid, signal, _) => self.ended(pid.as_raw(), Exit::Signal(signal as i32)),
                    _ => {}
                }
            }
            if children.recv().await.is_none() {
                return;
            }
        }
    }
}
