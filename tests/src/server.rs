//! A server with one application, in the foreground of its own process group, logging to a file.
//!
//! It ends with its last owner; one in a static (rstest's `#[once]`) ends with the test process.

use crate::command::{self, Finished, registry};
use crate::guarded::GuardedProcess;
use crate::{App, Connection, Launch, Process, Request, Response, wait_until};
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Where a server listens.
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A running server.
pub struct Server {
    process: GuardedProcess,
    address: Address,
    log: PathBuf,
    app: App,
}

impl Server {
    /// A server for this application, to be started.
    pub fn of(app: App) -> Launch {
        Launch::of(app)
    }

    pub(crate) fn new(process: GuardedProcess, address: Address, log: PathBuf, app: App) -> Self {
        Self { process, address, log, app }
    }

    /// The TCP port that it listens on.
    pub fn port(&self) -> u16 {
        match &self.address {
            Address::Tcp(address) => address.port(),
            Address::Unix(path) => panic!("it listens on {}", path.display()),
        }
    }

    /// The application that it serves.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Waits until it has printed this.
    pub fn wait_for_log(&self, text: &str) {
        wait_until(&format!("the log has {text:?}"), || self.log().contains(text));
    }

    /// Its first process: of ours the watchdog.
    pub fn process(&self) -> Process {
        self.process.process()
    }

    /// Opens a connection.
    pub fn connect(&self) -> Connection {
        match &self.address {
            Address::Tcp(address) => Connection::tcp(*address),
            Address::Unix(path) => Connection::unix(path),
        }
    }

    /// Sends one request over a connection of its own.
    pub fn request(&self, request: &Request) -> Response {
        self.connect().request(request)
    }

    /// GETs a path over a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.request(&Request::get(path))
    }

    /// Runs `passenger ARGUMENTS` where it finds this server.
    pub fn run_passenger(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
        command::run_passenger(&registry(&self.app), arguments)
    }

    /// Where it registers itself.
    pub fn registry(&self) -> PathBuf {
        registry(&self.app)
    }

    /// Sends a signal to its first process and waits until that has ended. The application's directory stays until this is dropped.
    pub fn end_with(&mut self, signal: Signal) -> ExitStatus {
        self.process.end_with(signal)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}", self.log());
        }
    }
}

pub(crate) fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).expect("the log")).into_owned()
}
