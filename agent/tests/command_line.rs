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
#[case(&["help"], "Start serving an application")]
#[case(&["--help"], "Start serving an application")]
#[case(&["help", "start"], "--max-request-queue-size <NUMBER>")]
#[case(&["start", "--help"], "--max-request-queue-size <NUMBER>")]
#[case(&["help", "stop"], "--pid-file <FILE>")]
fn help_goes_to_standard_output(#[case] arguments: &[&str], #[case] expected: &str) {
    let output = passenger(arguments);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(expected), "{}", text(&output.stdout));
}

#[rstest]
#[case(&["strat"], 2, "passenger: \"strat\" is not a command; did you mean start? (see: passenger help)\n")]
#[case(&["help", "strat"], 2, "passenger: \"strat\" is not a command; there are start, stop, status, version, help (see: passenger help)\n")]
#[case(&["start", "--prot=1"], 2, "passenger: --prot is not an option; did you mean --port? (see: passenger help start)\n")]
#[case(&["start", "-p", "99999"], 2, "passenger: --port 99999: must be a whole number between 0 and 65535 (see: passenger help start)\n")]
#[case(&["start", "/missing"], 1, "passenger: /missing: there is no such directory; give the application's directory\n")]
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
    assert!(text(&output.stderr).contains("no application found in "), "{}", text(&output.stderr));
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
