//! The end of a server, by Ctrl-C, `passenger stop` or worse: requests finish, and nothing is left.

use nix::sys::signal::Signal;
use passenger_tests::command::{self, Finished};
use passenger_tests::{App, Language, Launch, Process, Request, Server, Status, ours_only, wait_until};
use rstest::rstest;

fn launch() -> Launch {
    Server::of(App::reference())
}

#[track_caller]
fn expect_that_nothing_runs(finished: &Finished) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("no running Passenger instance"), "{finished:?}");
}

#[rstest]
#[case::ctrl_c(Signal::SIGINT)]
#[case::sigterm(Signal::SIGTERM)]
fn a_signal_ends_everything_and_leaves_nothing(#[case] signal: Signal) {
    ours_only!("our command");
    let mut server = launch().max_pool_size(2).start();
    let background = Process(server.get("/background").number());
    assert_eq!(server.request(&Request::post("/echo", vec![b'x'; 5 << 20])).status, 200);
    let mut processes = server.process().descendants();
    assert!(processes.len() >= 2, "an agent or preloader and a worker, at least");
    processes.push(background);

    let status = server.end_with(signal);
    assert_eq!(status.code(), Some(0), "{status}: {}", server.log());
    for process in processes {
        process.wait_until_gone();
    }
    let instances = std::fs::read_dir(command::registry(server.app())).expect("the registry").count();
    assert_eq!(instances, 0, "an instance directory is left");
    let pid_files = std::fs::read_dir(server.app().root().join("tmp/pids")).map_or(0, Iterator::count);
    assert_eq!(pid_files, 0, "a pid file is left");
}

#[rstest]
fn a_signal_lets_the_running_requests_finish() {
    ours_only!("our command");
    let mut server = launch().start();
    let mut connection = server.connect();
    connection.send(Request::get("/wait/last").to_bytes());
    server.app().worker_at_gate("last");
    let mut idle = server.connect();
    assert_eq!(idle.request(&Request::get("/static.txt")).status, 200);
    server.process().signal(Signal::SIGTERM);
    // An idle connection closes at once: nothing is to come on it.
    idle.expect_close();
    server.app().open_gate("last");
    let response = connection.receive();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Connection"), Some("close"));
    connection.expect_close();
    assert_eq!(server.end_with(Signal::SIGTERM).code(), Some(0));
}

/// Kills watchdog and agent so quickly that neither can replace the other.
fn kill_all(server: &mut Server) {
    let agent = Status::of(server).agent();
    server.process().stop();
    agent.signal(Signal::SIGKILL);
    server.end_with(Signal::SIGKILL);
}

#[rstest]
fn nothing_outlives_a_server_that_was_killed() {
    ours_only!("our command");
    let mut server = launch().max_pool_size(2).start();
    server.get("/hello");
    let processes = server.process().descendants();
    assert!(!processes.is_empty());
    kill_all(&mut server);
    for process in processes {
        process.wait_until_gone();
    }
}

#[rstest]
fn a_server_that_was_killed_is_no_obstacle_to_the_next() {
    ours_only!("our command");
    let mut killed = launch().start();
    kill_all(&mut killed);
    expect_that_nothing_runs(&killed.run_passenger(["status"]));
    let registry = command::registry(killed.app());
    let next = launch().argument("--instance-registry-dir").argument(registry.to_str().expect("UTF-8")).start();
    assert_eq!(next.get("/hello").status, 200);
    assert_eq!(std::fs::read_dir(registry).expect("the registry").count(), 1, "the dead instance is still there");
}

/// A server in the background; it ends with this.
struct Daemon(Process);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGTERM);
        self.0.wait_until_gone();
    }
}

/// Starts a daemon and returns it with what `passenger start` has printed.
fn daemonize(app: &App, arguments: &[&str]) -> (Daemon, Finished) {
    let pid_file = app.root().join("daemon.pid");
    let (root, pid_file) = (app.root().to_str().expect("UTF-8"), pid_file.to_str().expect("UTF-8"));
    let fixed = ["start", root, "--daemonize", "--address", "127.0.0.1", "--port", "0", "--pid-file", pid_file];
    let finished = command::run_passenger(&command::registry(app), [&fixed, arguments].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    (Daemon(Process(app.read("daemon.pid").trim().parse().expect("a process id"))), finished)
}

#[rstest]
fn a_daemon_serves_in_the_background_until_it_is_stopped() {
    ours_only!("our command");
    let app = App::reference();
    let registry = command::registry(&app);
    let (daemon, finished) = daemonize(&app, &["--log-file", app.root().join("daemon.log").to_str().expect("UTF-8")]);
    assert!(daemon.0.is_alive());
    let status = command::run_passenger(&registry, ["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    let address = status["instances"][0]["addresses"][0].as_str().expect("an address").to_owned();
    assert!(finished.stdout.contains(&address), "{finished:?}");
    let mut connection = passenger_tests::Connection::tcp(address.parse().expect("an address"));
    assert_eq!(connection.request(&Request::get("/log/in-the-background")).status, 200);
    wait_until("the log file is written", || app.read("daemon.log").contains("in-the-background"));

    let processes = [daemon.0.descendants(), vec![daemon.0]].concat();
    let stopped = command::run_passenger(&registry, ["stop"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let left: Vec<_> = processes.iter().filter(|process| process.is_alive()).map(|left| left.command_line()).collect();
    assert!(left.is_empty(), "stopped, but {left:?}");
    assert!(!app.has("daemon.pid"));
    expect_that_nothing_runs(&command::run_passenger(&registry, ["stop"]));
}

#[rstest]
fn a_daemon_that_cannot_start_says_so_before_it_goes_into_the_background() {
    ours_only!("our command");
    let app = App::started_by(Language::current().startup_file(), &Language::current().raising("broken on purpose"));
    let root = app.root().to_str().expect("UTF-8");
    let finished = command::run_passenger(&command::registry(&app), ["start", root, "--port", "0", "--daemonize"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let printed = finished.stdout + &finished.stderr;
    assert!(printed.contains("broken on purpose"), "{printed}");
}

#[rstest]
fn one_of_several_instances_is_stopped_by_its_port() {
    ours_only!("our command");
    let first = launch().start();
    let registry = command::registry(first.app());
    let registry = registry.to_str().expect("UTF-8");
    let mut second = launch().argument("--instance-registry-dir").argument(registry).start();
    let ambiguous = first.run_passenger(["stop"]);
    assert_eq!(ambiguous.code, Some(1));
    assert!(ambiguous.stderr.contains("--port"), "{ambiguous:?}");
    let stopped = first.run_passenger(["stop", "--port", &second.port().to_string()]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(second.end_with(Signal::SIGTERM).code(), Some(0));
    assert_eq!(first.get("/hello").status, 200);
}
