//! An agent as the watchdog sees it.
//!
//! ```text
//!   Starting ──Ready──▶ Serving ──asked to leave, or replaced──▶ Leaving ──▶ gone
//!       └────────────────── died ──────────────────────────────────────────▶ gone
//! ```

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::estate::Estate;
use super::link::{self, Heard, Word};
use crate::{server, sys};

/// Why an agent was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is the instance's first.
    Start,
    /// The one before it died.
    Death,
    /// It is to take the place of the one that serves.
    Upgrade,
}

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not said that it serves.
    Starting(Reason),
    /// It serves.
    Serving,
    /// It finishes what it has.
    Leaving,
}

/// An agent.
pub struct Agent {
    /// Its process.
    pub pid: Pid,
    /// What it is doing.
    pub phase: Phase,
    /// Since when it exists, or is known.
    pub since: Instant,
    /// Tells the end of one that is no child of this process.
    pidfd: Option<OwnedFd>,
    link: OwnedFd,
    is_linked: bool,
    asked: Option<Instant>,
}

impl Agent {
    /// Starts one. It gets a process group of its own: Ctrl-C is the watchdog's to hear.
    ///
    /// # Errors
    /// When the program can't be executed.
    pub fn start(program: &Path, estate: &Estate, reason: Reason) -> io::Result<Self> {
        let (link, theirs) = link::pair()?;
        let mut command = Command::new(program);
        command.arg(server::NAME).args(estate.arguments()).process_group(0);
        command.arg(format!("link={}", theirs.as_raw_fd()));
        let reason_told = match reason {
            Reason::Start => None,
            Reason::Death => Some(server::AFTER_DEATH),
            Reason::Upgrade => Some(server::UPGRADE),
        };
        command.args(reason_told.map(|reason| format!("{}={reason}", server::REASON)));
        sys::descriptor::pass_on(&mut command, estate.descriptors().chain([theirs.as_fd()]));
        let child = command.spawn()?;
        Ok(Self::new(Pid::from_raw(child.id() as i32), Phase::Starting(reason), None, link))
    }

    /// Takes charge of one that serves already, and that somebody else has started.
    ///
    /// # Errors
    /// When it is gone.
    pub fn adopt(pid: Pid, link: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(pid, Phase::Serving, Some(sys::process::pidfd(pid)?), link))
    }

    fn new(pid: Pid, phase: Phase, pidfd: Option<OwnedFd>, link: OwnedFd) -> Self {
        Self { pid, phase, since: Instant::now(), pidfd, link, is_linked: true, asked: None }
    }

    /// What to wait for: its words, and its end if that is told nowhere else.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let link = self.is_linked.then_some(self.link.as_fd());
        link.into_iter().chain(self.pidfd.as_ref().map(AsFd::as_fd))
    }

    /// Whether it is no child of this process and has ended, even if whose child it is does not collect it.
    pub fn has_gone(&self) -> bool {
        self.pidfd.as_ref().is_some_and(|pidfd| {
            let mut watched = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        })
    }

    /// What it says; `None` when that is nothing more for now.
    pub fn hear(&mut self) -> Option<Word> {
        loop {
            match link::hear(&self.link) {
                Heard::Word(Word::Pong) => {
                    self.asked = None;
                    return Some(Word::Pong);
                }
                Heard::Word(word) => return Some(word),
                Heard::Unknown => {}
                Heard::Nothing => return None,
                Heard::End => {
                    self.is_linked = false;
                    return None;
                }
            }
        }
    }

    /// Asks whether its event loop turns.
    pub fn ask(&mut self) {
        if self.asked.is_none() {
            self.asked = Some(Instant::now());
            link::say(&self.link, Word::Ping);
        }
    }

    /// Whether it has not answered for so long.
    pub fn hangs(&self, patience: Duration) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() > patience)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // One that is gone will be noticed.
        let _ = kill(self.pid, signal);
    }
}
