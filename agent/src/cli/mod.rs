//! The command line: one command a file.

mod backtraces;
mod command_line;
mod config;
mod detach;
mod failure;
mod help;
mod restart;
mod select;
mod start;
mod status;
mod status_table;
mod stop;
mod target;
mod usage;
mod version;
mod workers;

use crate::{server, watchdog};
use failure::Failure;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs the command that `arguments` (the program's name first) ask for. 0 means that it succeeded, 1 that it
/// failed, 2 that it was typed wrongly.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    // What processes of an instance start is no command for people.
    match arguments.get(1).and_then(|argument| argument.to_str()) {
        Some(watchdog::NAME) => return watchdog::run(arguments.remove(0).into(), arguments.drain(1..)),
        Some(server::NAME) => return server::run(arguments.remove(0).into(), arguments.drain(1..)),
        _ => {}
    }
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "passenger: {failure}");
            failure.exit_code()
        }
    }
}

fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = match command_line::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Err(usage::explain(&error, &arguments)),
        // Help, which was asked for.
        Err(error) => return print(&error.to_string()),
    };
    match matches.subcommand() {
        Some((start::NAME, matches)) => start::run(matches),
        Some((stop::NAME, matches)) => stop::run(matches),
        Some((restart::NAME, matches)) => restart::run(matches),
        Some((status::NAME, matches)) => status::run(matches),
        Some((detach::NAME, matches)) => detach::run(matches),
        Some((backtraces::NAME, matches)) => backtraces::run(matches),
        Some((config::NAME, matches)) => config::run(matches),
        Some((help::NAME, matches)) => help::run(matches),
        Some((version::NAME, _)) => version::run(),
        _ if matches.get_flag(version::NAME) => version::run(),
        _ => help::none(),
    }
}

/// Writes to standard output. That its reader has had enough, as `head` has, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
