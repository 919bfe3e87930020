//! Operating system processes: who is whose child, who is alive, signals. And waiting, since both take time.

use crate::PATIENCE;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A process, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process(pub i32);

impl Process {
    /// Whether it runs: neither gone, nor a zombie, nor on the way there, without a program any more.
    pub fn is_alive(self) -> bool {
        self.stat().is_some_and(|(state, _)| state != 'Z' && state != 'X') && !self.command_line().is_empty()
    }

    /// A living watchdog or agent of an instance whose directory is in this one.
    pub fn running_in(directory: &Path) -> Option<Self> {
        let directory = directory.to_string_lossy();
        let is_it =
            |line: &str| line.contains(&*directory) && (line.contains(" agent ") || line.contains(" watchdog "));
        everybody().into_iter().find(|process| is_it(&process.command_line()))
    }

    /// Its living children.
    pub fn children(self) -> Vec<Self> {
        everybody().into_iter().filter(|process| process.parent() == Some(self) && process.is_alive()).collect()
    }

    /// Its living children, theirs, and so on.
    pub fn descendants(self) -> Vec<Self> {
        let mut found = self.children();
        let mut next = 0;
        while next < found.len() {
            found.extend(found[next].children());
            next += 1;
        }
        found
    }

    /// Sends it a signal; it may be gone already.
    pub fn signal(self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.0), signal);
    }

    /// Stops it, and waits until all its threads have: one that was in the kernel may go on for a moment.
    pub fn stop(self) {
        self.signal(Signal::SIGSTOP);
        let is_stopped = |thread: Self| thread.stat().is_none_or(|(state, _)| state == 'T');
        wait_until("the process has stopped", || self.threads().into_iter().all(is_stopped));
    }

    /// Waits until it is gone.
    pub fn wait_until_gone(self) {
        wait_until(&format!("process {} ({}) ends", self.0, self.command_line()), || !self.is_alive());
    }

    /// Its program and arguments, for messages.
    pub fn command_line(self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.0)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
    }

    fn threads(self) -> Vec<Self> {
        numbers_in(&format!("/proc/{}/task", self.0))
    }

    fn parent(self) -> Option<Self> {
        self.stat().map(|(_, parent)| parent)
    }

    /// State and parent, from the part of `/proc/PID/stat` behind the name, which may hold anything.
    fn stat(self) -> Option<(char, Self)> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        Some((fields.next()?.chars().next()?, Self(fields.next()?.parse().ok()?)))
    }
}

fn everybody() -> Vec<Process> {
    numbers_in("/proc")
}

fn numbers_in(directory: &str) -> Vec<Process> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Process)).collect()
}

/// Waits until the condition holds; `what` names it should it never do.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits until there is a value; `what` names it should there never be one.
pub fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
