//! `passenger`: the command line, the watchdog and the agent in one program.

use std::process::ExitCode;

fn main() -> ExitCode {
    passenger_agent::cli::run(std::env::args_os())
}
