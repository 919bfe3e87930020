//! The `passenger` command of this build.

use crate::{App, PATIENCE};
use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempfile;

/// Settings of whoever runs the tests that would change what a server does.
const FOREIGN_SETTINGS: &[&str] = &[
    "RAILS_ENV",
    "RACK_ENV",
    "PASSENGER_APP_ENV",
    "BUNDLE_GEMFILE",
    "RUBYOPT",
    "RUBYLIB",
    "GEM_HOME",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
];

/// `passenger`, with its Ruby and Python sides found in the repository and its instances in `registry`.
pub fn passenger(registry: &Path) -> Command {
    let mut command = Command::new(agent());
    without_foreign_settings(&mut command);
    command
        .env("PASSENGER_RUBY_LIBDIR", repository().join("ruby/lib"))
        .env("PASSENGER_RUBY_EXT", built_or("PASSENGER_RUBY_EXT", "libpassenger_ruby.so"))
        .env("PASSENGER_PYTHON_LIBDIR", repository().join("python"))
        .env("PASSENGER_PYTHON_EXT", built_or("PASSENGER_PYTHON_EXT", "lib_native.so"))
        .env("PASSENGER_INSTANCE_REGISTRY_DIR", registry)
        // The applications are in directories of whoever runs the tests: root's would run as a user who can't use them.
        .env("PASSENGER_USER_SWITCHING", "false");
    command
}

/// Runs `passenger ARGUMENTS` to its end.
pub fn run_passenger(registry: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
    run(passenger(registry).args(arguments))
}

/// Runs a command to its end; kills it and fails if that does not come.
pub fn run(command: &mut Command) -> Finished {
    // Files, because a daemon that keeps a pipe open would keep the reader waiting.
    let (mut stdout, mut stderr) = (tempfile().expect("a temporary file"), tempfile().expect("a temporary file"));
    let mut process = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().expect("the file again"))
        .stderr(stderr.try_clone().expect("the file again"))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Some(status) = ended_within(&mut process, PATIENCE) else {
        let _ = process.kill();
        let _ = process.wait();
        panic!("{command:?} did not end: {}{}", contents(&mut stdout), contents(&mut stderr));
    };
    Finished { code: status.code(), stdout: contents(&mut stdout), stderr: contents(&mut stderr) }
}

/// Waits until the process has ended, for so long.
pub(crate) fn ended_within(process: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = process.try_wait().expect("it is a child") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Where the server of this application registers itself.
pub fn registry(app: &App) -> PathBuf {
    let registry = app.scratch().join("instances");
    std::fs::create_dir_all(&registry).expect("the instance registry");
    registry
}

fn contents(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("what the command printed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes out of the command's environment what would change what a server does.
pub fn without_foreign_settings(command: &mut Command) {
    for name in FOREIGN_SETTINGS {
        command.env_remove(name);
    }
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

/// What a command left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// The agent's program: `PASSENGER_AGENT`, or the one built beside this test.
pub fn agent() -> PathBuf {
    built_or("PASSENGER_AGENT", "passenger-agent")
}

/// The file that this variable names, or the one built beside this test, in `target/PROFILE`; its executable is in `target/PROFILE/deps`.
fn built_or(variable: &str, file: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return PathBuf::from(path);
    }
    let executable = env::current_exe().expect("this test's executable");
    let profile = executable.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let path = profile.join(file);
    assert!(path.exists(), "{} is missing: build it with `cargo build --workspace` first", path.display());
    path
}
