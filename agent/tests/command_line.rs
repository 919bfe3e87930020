//! The program as a user types it: what it prints where, and how it exits.

#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

use rstest::rstest;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `passenger` in an empty directory, without settings from the outside.
fn passenger(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    run_in(directory.path(), arguments)
}

fn run_in(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passenger-agent"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("TMPDIR", directory)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[rstest]
#[case(&["version"])]
#[case(&["--version"])]
#[case(&["-v"])]
fn the_version_is_what_deployment_tools_look_for(#[case] arguments: &[&str]) {
    let output = passenger(arguments);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), concat!("Phusion Passenger(R) ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[rstest]
#[case(&["help"], "Start serving a Ruby or Python application")]
#[case(&["--help"], "Start serving a Ruby or Python application")]
#[case(&["help", "start"], "--max-request-queue-size <NUMBER>")]
#[case(&["start", "--help"], "--max-request-queue-size <NUMBER>")]
#[case(&["help", "start"], "Usage: passenger start [OPTIONS] [DIR] [MODULE:APP]")]
#[case(&["help", "start"], "passenger start shop.wsgi:application")]
#[case(&["help", "stop"], "--pid-file <FILE>")]
fn help_goes_to_standard_output(#[case] arguments: &[&str], #[case] expected: &str) {
    let output = passenger(arguments);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(expected), "{}", text(&output.stdout));
}

#[rstest]
#[case(&["strat"], 2, "passenger: \"strat\" is not a command; did you mean start? (see: passenger help)\n")]
#[case(&["help", "strat"], 2, "passenger: \"strat\" is not a command; there are start, stop, restart, status, detach, backtraces, config, version, help (see: passenger help)\n")]
#[case(&["start", "--prot=1"], 2, "passenger: --prot is not an option; did you mean --port? (see: passenger help start)\n")]
#[case(&["start", "-p", "99999"], 2, "passenger: --port 99999: must be a whole number between 0 and 65535 (see: passenger help start)\n")]
#[case(&["start", "/missing"], 1, "passenger: /missing: there is no such directory; give the application's directory\n")]
#[case(&["start", "/", "shop:app", "--app", "shop:app"], 2, "passenger: what to import is given twice, as shop:app and --app shop:app; remove one (see: passenger help start)\n")]
#[case(&["start", "shop:app", "other:app"], 2, "passenger: \"other:app\" is a second entry; name several applications in a Passengerfile (see: passenger help start)\n")]
#[case(&["start", "shop:"], 2, "passenger: \"shop:\": names nothing after the colon; write module:attribute, such as shop:application (see: passenger help start)\n")]
#[case(&["start", "shop:app", "--interface", "rsgi"], 2, "passenger: --app-type rsgi: must be one of auto, rack, wsgi, asgi (see: passenger help start)\n")]
#[case(&["start", "shop:app", "--python", "/missing/python"], 1, "passenger: the Python interpreter /missing/python is not there or can't be executed; install it or name another one with --python\n")]
#[case(&["start", "shop:app"], 1, "passenger: there is no Python (python3 or python) in PATH; install one or name it with --python\n")]
#[case(&["stop", "--port", "x"], 2, "passenger: --port x: must be a whole number between 0 and 65535 (see: passenger help stop)\n")]
fn a_mistake_is_one_clear_line(#[case] arguments: &[&str], #[case] code: i32, #[case] complaint: &str) {
    let output = passenger(arguments);
    assert_eq!(text(&output.stderr), complaint);
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn a_mistake_in_the_file_names_file_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("Passengerfile.json"), "{\n  \"prot\": 3000\n}\n").unwrap();
    let output = run_in(directory.path(), &["start"]);
    let complaint = text(&output.stderr);
    assert!(
        complaint.ends_with("/Passengerfile.json:2:3: \"prot\" is not an option; did you mean \"port\"?\n"),
        "{complaint}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn without_an_application_start_says_what_is_missing() {
    let output = passenger(&["start"]);
    let complaint = text(&output.stderr);
    assert!(complaint.contains("no application found in "), "{complaint}");
    assert!(complaint.contains("(looked for config.ru, passenger_wsgi.py, passenger_asgi.py)"), "{complaint}");
    assert!(complaint.ends_with("passenger start DIR, or for Python: passenger start MODULE:APP\n"), "{complaint}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_name_that_is_neither_directory_nor_module_could_be_meant_as_either() {
    let output = passenger(&["start", "shop"]);
    let complaint = text(&output.stderr);
    assert!(complaint.starts_with("passenger: \"shop\" is neither a directory nor a module in /"), "{complaint}");
    assert!(complaint.contains("start DIR") && complaint.contains("start module:app"), "{complaint}");
    assert_eq!((output.status.code(), complaint.lines().count()), (Some(1), 1));
}

#[test]
fn an_interpreter_without_our_part_is_of_no_use() {
    let directory = tempfile::tempdir().unwrap();
    let output = run_in(directory.path(), &["start", "shop:app", "--python", "/bin/sh"]);
    let complaint = text(&output.stderr);
    assert!(complaint.starts_with("passenger: Passenger's Python files are not in /"), "{complaint}");
    assert!(complaint.contains("`pip install passenger` installs, or set PASSENGER_PYTHON_LIBDIR to"), "{complaint}");
    assert_eq!(output.status.code(), Some(1));
}

#[rstest]
#[case(&["stop"])]
#[case(&["status"])]
fn with_nothing_running_there_is_nothing_to_manage(#[case] arguments: &[&str]) {
    let output = passenger(arguments);
    assert!(text(&output.stderr).starts_with("passenger: no running Passenger instance found in "));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
}

#[test]
fn programs_get_json_even_when_nothing_runs() {
    let output = passenger(&["status", "--json"]);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(),
        serde_json::json!({ "instances": [] })
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn no_command_is_a_mistake_that_is_answered_with_help() {
    let output = passenger(&[]);
    assert!(text(&output.stderr).ends_with("passenger: no command was given (see: passenger help)\n"));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
}
