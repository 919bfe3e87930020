//! The `passenger` command: what it says, what it refuses and how.

use nix::sys::signal::Signal;
use passenger_tests::command::{self, Finished};
use passenger_tests::{App, Launch, Server, Status, ours_only};
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
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
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
fn start_serves_the_working_directory() {
    ours_only!("our command");
    let app = App::fixture("rack");
    let mut start = command::passenger(&command::registry(&app));
    start.args(["start", "--address", "127.0.0.1", "--port", "0"]);
    assert_eq!(Server::of(app).by(start).start().get("/hello").text(), "Hello from the app\n");
}
