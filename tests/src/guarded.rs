//! A process that does not outlive its test, whatever ends that: a failed expectation, SIGKILL, or a static that Rust never drops.

use crate::command::ended_within;
use crate::{PATIENCE, Process};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long the process may take to end before its group is killed.
const END_PATIENCE: Duration = Duration::from_secs(15);

/// A shell waits at a pipe, which closes with the test process. Then it does what `Drop` could not, and deletes the scenario's directory.
const GUARD: &str = r#"
read -r verdict
[ "$verdict" = over ] && exit
kill -TERM "$1" 2>/dev/null
for _ in $(seq 150); do
  grep -q "^State:.[^ZX]" "/proc/$1/status" 2>/dev/null || break
  sleep 0.1
done
kill -KILL -- "-$1" 2>/dev/null
for _ in 1 2 3; do
  for process in $(grep -lsaF -- "$2" /proc/[0-9]*/cmdline); do
    process=${process%/cmdline}
    process=${process#/proc/}
    [ "$process" = "$$" ] || kill -KILL "$process" 2>/dev/null
  done
done
rm -rf -- "$2"
"#;

/// A process, the leader of its own group, with a guard.
pub struct GuardedProcess {
    directory: PathBuf,
    child: Child,
    guard: Child,
    status: Option<ExitStatus>,
}

impl GuardedProcess {
    /// Starts the command; `directory` is deleted should the test process be killed.
    pub fn spawn(command: &mut Command, directory: &Path) -> Self {
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let guard = Command::new("sh")
            .args(["-c", GUARD, "passenger-test-guard", &child.id().to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        Self { directory: directory.to_owned(), child, guard, status: None }
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.wait(Duration::ZERO)
    }

    /// Sends it a signal and waits for its end; fails if that does not come.
    pub fn end_with(&mut self, signal: Signal) -> ExitStatus {
        self.process().signal(signal);
        self.wait(PATIENCE).unwrap_or_else(|| panic!("{signal} did not end {}", self.process().command_line()))
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = ended_within(&mut self.child, patience);
        }
        self.status
    }
}

impl Drop for GuardedProcess {
    fn drop(&mut self) {
        if self.status().is_none() {
            self.process().signal(Signal::SIGTERM);
        }
        let ends_by_itself = self.wait(END_PATIENCE).is_some();
        if !ends_by_itself {
            let _ = killpg(Pid::from_raw(self.process().0), Signal::SIGKILL);
            let _ = self.child.wait();
        }
        // An agent whose watchdog was killed has another one.
        while let Some(left) = Process::running_in(&self.directory) {
            left.signal(Signal::SIGKILL);
        }
        if let Some(mut pipe) = self.guard.stdin.take() {
            let _ = pipe.write_all(b"over\n");
        }
        let _ = self.guard.wait();
        assert!(
            ends_by_itself || std::thread::panicking(),
            "the server did not end within {END_PATIENCE:?} of SIGTERM"
        );
    }
}
