//! Starting a server: ours, or the one that `PASSENGER_UNDER_TEST` names.

use crate::command::{self, registry};
use crate::guarded::GuardedProcess;
use crate::server::{Address, read};
use crate::{App, Server, UnderTest, wait_for};
use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// A server that is about to be started.
pub struct Launch {
    app: App,
    environment: String,
    max_pool_size: u32,
    threads: u32,
    socket: Option<PathBuf>,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    command: Option<Command>,
}

impl Launch {
    pub(crate) fn of(app: App) -> Self {
        Self {
            app,
            environment: "development".to_owned(),
            max_pool_size: 1,
            threads: 1,
            socket: None,
            arguments: Vec::new(),
            variables: Vec::new(),
            command: None,
        }
    }

    /// The application's environment; `development` if nothing is said.
    pub fn environment(mut self, environment: &str) -> Self {
        self.environment = environment.to_owned();
        self
    }

    /// How many workers there may be; 1 if nothing is said.
    pub fn max_pool_size(mut self, workers: u32) -> Self {
        self.max_pool_size = workers;
        self
    }

    /// How many threads a worker has; 1 if nothing is said.
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// Listens on this Unix socket instead of a TCP port.
    pub fn socket(mut self, path: PathBuf) -> Self {
        self.socket = Some(path);
        self
    }

    /// Starts the server by this command, whose arguments say everything, in the application's directory.
    pub fn by(mut self, command: Command) -> Self {
        self.command = Some(command);
        self
    }

    /// An argument for `passenger start` of ours; other servers do not get it.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Has each worker serve one request at a time, even where it could serve many.
    pub fn one_request_at_a_time(self) -> Self {
        self.threads(1).argument("--force-max-concurrent-requests-per-process=1")
    }

    /// An environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server and waits until it says that it is ready.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|failure| panic!("the server did not start: {failure:#?}"))
    }

    /// The same, for a server that is expected to give up.
    pub fn start_in_vain(self) -> Failure {
        match self.try_start() {
            Err(failure) => failure,
            Ok(server) => panic!("the server should not have started: {}", server.log()),
        }
    }

    fn try_start(mut self) -> Result<Server, Failure> {
        let log = self.app.scratch().join("server.log");
        let output = OpenOptions::new().create(true).append(true).open(&log).expect("the log file");
        let mut command = match self.command.take() {
            Some(mut command) => {
                command.current_dir(self.app.root());
                command
            }
            None => self.usual_command(),
        };
        command
            .envs(self.variables)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log file again"))
            .stderr(output);
        let mut process = GuardedProcess::spawn(&mut command, self.app.scratch());
        let ready = wait_for("the server is ready or gives up", || {
            let ended = process.status();
            match (find_address(&read(&log), self.socket.as_ref()), ended) {
                (Some(address), None) => Some(Ok(address)),
                (_, Some(status)) => Some(Err(status)),
                (None, None) => None,
            }
        });
        match ready {
            Ok(address) => Ok(Server::new(process, address, log, self.app)),
            Err(status) => Err(Failure { status, output: read(&log), _app: self.app }),
        }
    }

    fn usual_command(&self) -> Command {
        let mut command = match UnderTest::current() {
            UnderTest::Ours => self.ours(),
            UnderTest::Puma => self.puma(),
            UnderTest::Passenger6 => self.passenger6(),
        };
        command::without_foreign_settings(&mut command);
        command
    }

    fn ours(&self) -> Command {
        let mut command = command::passenger(&registry(&self.app));
        command
            .arg("start")
            .arg(self.app.root())
            .args(["--environment", &self.environment])
            .args(["--max-pool-size", &self.max_pool_size.to_string(), "--threads", &self.threads.to_string()])
            .args(&self.arguments);
        match &self.socket {
            Some(path) => command.arg("--socket").arg(path),
            None => command.args(["--address", "127.0.0.1", "--port", "0"]),
        };
        command
    }

    fn puma(&self) -> Command {
        let mut command = Command::new("puma");
        command
            .current_dir(self.app.root())
            .args(["--bind", "tcp://127.0.0.1:0", "--early-hints", "--environment", &self.environment])
            .args(["--threads", &format!("{0}:{0}", self.threads)]);
        if self.max_pool_size > 1 {
            command.args(["--workers", &self.max_pool_size.to_string()]);
        }
        command
    }

    fn passenger6(&self) -> Command {
        // It does not take port 0.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let mut command = Command::new("/usr/bin/passenger");
        command
            .args(["start", "--engine", "builtin", "--address", "127.0.0.1", "--port", &free.port().to_string()])
            .args(["--environment", &self.environment, "--max-pool-size", &self.max_pool_size.to_string()])
            .args(["--disable-anonymous-telemetry", "--disable-security-update-check", "--log-file", "/dev/stdout"])
            .arg("--instance-registry-dir")
            .arg(registry(&self.app))
            .arg(self.app.root());
        command
    }
}

/// What a server that did not start left behind.
#[derive(Debug)]
pub struct Failure {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub output: String,
    _app: App,
}

/// Finds `http://127.0.0.1:PORT`, or the socket, in what the server has printed, once the line is complete.
fn find_address(printed: &str, socket: Option<&PathBuf>) -> Option<Address> {
    if let Some(path) = socket {
        let line = printed.lines().find(|line| line.contains(&*path.to_string_lossy()));
        return line.map(|_| Address::Unix(path.clone()));
    }
    printed.split("http://127.0.0.1:").skip(1).find_map(|behind| {
        let end = behind.find(|character: char| !character.is_ascii_digit())?;
        // 0 is what it was asked for, and not where it listens.
        let port = behind[..end].parse().ok().filter(|port| *port != 0)?;
        Some(Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port))))
    })
}
