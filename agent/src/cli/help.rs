//! `passenger help`

use super::command_line;
use super::failure::Failure;
use clap::{Arg, ArgMatches, Command};
use std::io::{self, Write};

pub(super) const NAME: &str = "help";
const TOPIC: &str = "COMMAND";

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Say how passenger, or one of its commands, is used")
        .arg(Arg::new(TOPIC).help("The command"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let mut all = command_line::command();
    // Gives the commands their full names.
    all.build();
    let Some(topic) = matches.get_one::<String>(TOPIC) else {
        return super::print(&all.render_help().to_string());
    };
    match all.find_subcommand_mut(topic) {
        Some(command) => super::print(&command.render_help().to_string()),
        None => {
            let commands: Vec<&str> = all.get_subcommands().map(Command::get_name).collect();
            Err(Failure::usage(&format!("{topic:?} is not a command; there are {}", commands.join(", ")), None))
        }
    }
}

/// What to answer when no command was given.
pub(super) fn none() -> Result<(), Failure> {
    let help = command_line::command().render_help();
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{help}");
    Err(Failure::usage("no command was given", None))
}
