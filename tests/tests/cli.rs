//! The `passenger` command: what it says, what it refuses and how, and that nothing is left when it ends.

use nix::sys::signal::Signal;
use passenger_tests::command::{self, Finished};
use passenger_tests::{App, Launch, Process, Request, Server, Status, ours_only, wait_until};
use rstest::rstest;
use std::net::TcpListener;

/// Runs `passenger ARGUMENTS`, where no instance runs.
fn passenger(arguments: &[&str]) -> Finished {
    let app = App::empty("nothing");
    command::run_passenger(&command::registry(&app), arguments)
}

/// Runs `passenger start`, which must refuse this application.
fn refused_start(app: &App, arguments: &[&str]) -> Finished {
    let root = app.root().to_str().expect("UTF-8");
    let arguments = [&["start", root, "--port", "0"], arguments].concat();
    command::run_passenger(&command::registry(app), arguments)
}

/// Expects that the command failed with this code and one line that has all these texts.
#[track_caller]
fn expect_refusal(finished: &Finished, code: i32, texts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
    for text in texts {
        assert!(finished.stderr.contains(text), "{text:?} is not in {}", finished.stderr);
    }
}

fn rack() -> Launch {
    Server::of(App::fixture("rack"))
}

#[rstest]
fn the_version_is_what_deployment_tools_look_for(#[values("version", "--version", "-v")] argument: &str) {
    ours_only!("our command");
    let finished = passenger(&[argument]);
    assert_eq!(finished.code, Some(0));
    let expected = concat!("Phusion Passenger(R) ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(finished.stdout.starts_with(expected), "{}", finished.stdout);
}

#[rstest]
#[case(&["help"], &["start", "stop", "status", "version"])]
#[case(&["--help"], &["start", "stop", "status", "version"])]
#[case(&["help", "start"], &["--port", "--max-pool-size", "--spawn-method", "[default: 3000]"])]
#[case(&["start", "--help"], &["--port", "--max-pool-size", "--spawn-method", "[default: 3000]"])]
fn help_tells_what_there_is(#[case] arguments: &[&str], #[case] expected: &[&str]) {
    ours_only!("our command");
    let finished = passenger(arguments);
    assert_eq!(finished.code, Some(0));
    for text in expected {
        assert!(finished.stdout.contains(text), "{text:?} is not in {}", finished.stdout);
    }
}

#[rstest]
#[case::an_unknown_command(&["strat"], &["strat", "start"])]
#[case::an_unknown_option(&["start", "--max-pool-sizes", "3"], &["--max-pool-sizes", "--max-pool-size"])]
#[case::a_missing_value(&["start", "--port"], &["--port"])]
#[case::no_number(&["start", "--max-pool-size", "many"], &["--max-pool-size", "many"])]
#[case::a_number_too_low(&["start", "--max-pool-size", "0"], &["--max-pool-size", "0", "1"])]
#[case::a_number_too_high(&["start", "--port", "65536"], &["--port", "65535"])]
#[case::an_unknown_choice(&["start", "--spawn-method", "clever"], &["--spawn-method", "clever", "smart", "direct"])]
#[case::two_directories(&["start", "a", "b"], &["b"])]
fn what_is_typed_wrongly_is_named(#[case] arguments: &[&str], #[case] texts: &[&str]) {
    ours_only!("our command");
    expect_refusal(&passenger(arguments), 2, texts);
}

#[rstest]
fn a_directory_without_an_application_is_named() {
    ours_only!("our command");
    let app = App::empty("nothing");
    let root = app.root().to_str().expect("UTF-8");
    expect_refusal(&refused_start(&app, &[]), 1, &[root, "config.ru"]);
}

#[rstest]
fn a_directory_that_does_not_exist_is_named() {
    ours_only!("our command");
    expect_refusal(&passenger(&["start", "/nowhere/at/all"]), 1, &["/nowhere/at/all"]);
}

#[rstest]
#[case::no_json("{ \"port\": 3000", &["Passengerfile.json:1:"])]
#[case::an_unknown_option("{\n  \"max_pool_sizes\": 3\n}", &["Passengerfile.json:2:", "max_pool_sizes", "max_pool_size"])]
#[case::a_bad_value("{ \"max_pool_size\": \"many\" }", &["Passengerfile.json", "max_pool_size", "many"])]
#[case::a_list("[]", &["Passengerfile.json"])]
fn a_passengerfile_that_cannot_be_used_is_named(#[case] contents: &str, #[case] texts: &[&str]) {
    ours_only!("our command");
    let app = App::fixture("rack");
    app.write("Passengerfile.json", contents);
    expect_refusal(&refused_start(&app, &[]), 1, texts);
}

#[rstest]
fn a_port_in_use_is_named() {
    ours_only!("our command");
    let occupant = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = occupant.local_addr().expect("an address").port().to_string();
    let refusal = refused_start(&App::fixture("rack"), &["--address", "127.0.0.1", "--port", &port]);
    expect_refusal(&refusal, 1, &[&port, "in use", "--port"]);
}

#[rstest]
fn options_come_from_the_passengerfile_and_the_environment_too() {
    ours_only!("our command");
    let app = App::fixture("rack");
    app.write("web/here.txt", "here\n");
    app.write("Passengerfile.json", "{ \"static_files_dir\": \"web\" }");
    let server = Server::of(app).variable("PASSENGER_MAX_REQUEST_QUEUE_SIZE", "7").start();
    assert_eq!(server.get("/here.txt").text(), "here\n");
    assert_eq!(Status::of(&server).group()["queue_max"], 7);
}

#[rstest]
fn start_tells_what_runs_where_and_how_to_stop_it() {
    ours_only!("our command");
    let server = rack().environment("production").start();
    let log = server.log();
    let address = format!("http://127.0.0.1:{}/", server.port());
    for text in [address.as_str(), server.app().root().to_str().expect("UTF-8"), "production", "Ctrl-C"] {
        assert!(log.contains(text), "{text:?} is not in {log}");
    }
}

#[rstest]
fn another_rackup_file_can_be_named() {
    ours_only!("our command");
    let app = App::of("raise \"the wrong file\"\n");
    app.write("other.ru", "run ->(_) { [200, {}, [\"the other file\"]] }\n");
    assert_eq!(Server::of(app).argument("--rackup").argument("other.ru").start().get("/").text(), "the other file");
}

#[rstest]
fn a_unix_socket_is_served_and_removed() {
    ours_only!("our command");
    let app = App::fixture("rack");
    let socket = app.scratch().join("app.sock");
    let mut server = Server::of(app).socket(socket.clone()).start();
    assert_eq!(server.get("/hello").text(), "Hello from Rack\n");
    let env = server.get("/env").json();
    assert_eq!((&env["SERVER_NAME"], &env["rack.url_scheme"]), (&"localhost".into(), &"http".into()));
    server.end_with(Signal::SIGTERM);
    assert!(!socket.exists());
}

#[rstest]
fn status_is_told_to_people_and_to_programs() {
    ours_only!("our command");
    let server = rack().max_pool_size(3).start();
    let worker = server.get("/pid").text().trim().to_owned();
    let table = server.run_passenger(["status"]);
    assert_eq!(table.code, Some(0));
    for text in [server.app().root().to_str().expect("UTF-8"), "PID", "HANDLED", "MEMORY", "MB", &worker] {
        assert!(table.stdout.contains(text), "{text:?} is not in {}", table.stdout);
    }
    let status = Status::of(&server);
    assert_eq!(status.instance()["max_pool_size"], 3);
    assert_eq!(status.instance()["addresses"][0], format!("127.0.0.1:{}", server.port()));
    assert_eq!(status.group()["workers"][0]["pid"].to_string(), worker);
    assert_eq!(status.group()["workers"][0]["handled"], 1);
    assert!(status.group()["workers"][0]["private_memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000));
}

#[rstest]
#[case("status")]
#[case("stop")]
fn that_nothing_runs_is_said(#[case] name: &str) {
    ours_only!("our command");
    expect_refusal(&passenger(&[name]), 1, &["no running Passenger instance"]);
}

#[rstest]
#[case::ctrl_c(Signal::SIGINT)]
#[case::sigterm(Signal::SIGTERM)]
fn a_signal_ends_everything_and_leaves_nothing(#[case] signal: Signal) {
    ours_only!("our command");
    let mut server = rack().max_pool_size(2).start();
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
    let mut server = rack().start();
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

#[rstest]
fn nothing_outlives_a_server_that_was_killed() {
    ours_only!("our command");
    let mut server = rack().max_pool_size(2).start();
    server.get("/hello");
    let processes = server.process().descendants();
    assert!(!processes.is_empty());
    server.end_with(Signal::SIGKILL);
    for process in processes {
        process.wait_until_gone();
    }
}

#[rstest]
fn a_server_that_was_killed_is_no_obstacle_to_the_next() {
    ours_only!("our command");
    let mut killed = rack().start();
    killed.end_with(Signal::SIGKILL);
    expect_refusal(&killed.run_passenger(["status"]), 1, &["no running Passenger instance"]);
    let registry = command::registry(killed.app());
    let next = rack().argument("--instance-registry-dir").argument(registry.to_str().expect("UTF-8")).start();
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
    let app = App::fixture("rack");
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
    expect_refusal(&command::run_passenger(&registry, ["stop"]), 1, &["no running Passenger instance"]);
}

#[rstest]
fn a_daemon_that_cannot_start_says_so_before_it_goes_into_the_background() {
    ours_only!("our command");
    let app = App::of("raise \"broken on purpose\"\n");
    let finished = refused_start(&app, &["--daemonize"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let printed = finished.stdout + &finished.stderr;
    assert!(printed.contains("broken on purpose"), "{printed}");
}

#[rstest]
fn one_of_several_instances_is_stopped_by_its_port() {
    ours_only!("our command");
    let first = rack().start();
    let registry = command::registry(first.app());
    let registry = registry.to_str().expect("UTF-8");
    let mut second = rack().argument("--instance-registry-dir").argument(registry).start();
    let ambiguous = first.run_passenger(["stop"]);
    assert_eq!(ambiguous.code, Some(1));
    assert!(ambiguous.stderr.contains("--port"), "{ambiguous:?}");
    let stopped = first.run_passenger(["stop", "--port", &second.port().to_string()]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(second.end_with(Signal::SIGTERM).code(), Some(0));
    assert_eq!(first.get("/hello").status, 200);
}

#[rstest]
fn start_serves_the_working_directory() {
    ours_only!("our command");
    let app = App::fixture("rack");
    let mut start = command::passenger(&command::registry(&app));
    start.args(["start", "--address", "127.0.0.1", "--port", "0"]);
    assert_eq!(Server::of(app).by(start).start().get("/hello").text(), "Hello from Rack\n");
}
