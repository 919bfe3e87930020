//! `passenger config`

use super::failure::Failure;
use super::start;
use super::{command_line, print};
use crate::server::PlannedApp;
use clap::{Arg, ArgAction, ArgMatches, Command};

pub(super) const NAME: &str = "config";
const CHECK: &str = "check";

pub(super) fn command() -> Command {
    let check = Arg::new(CHECK)
        .long(CHECK)
        .action(ArgAction::SetTrue)
        .required(true)
        .help("Say whether everything is there that `passenger start` needs; nothing is started");
    Command::new(NAME)
        .about("Check the configuration")
        .arg(command_line::dir_argument(
            "The application's directory, or that of a Passengerfile [default: the working directory]",
        ))
        .arg(check)
        .args(command_line::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let plan = start::plan(&command_line::dir_or_current(matches), &command_line::typed(matches), NAME)?;
    let apps: String = plan.apps.iter().map(describe).collect();
    print(&format!("The configuration is good. Applications:\n{apps}"))
}

fn describe(PlannedApp { config, app, runtime, user }: &PlannedApp) -> String {
    format!(
        "  {} at {}: {} in {}, run by {} as {}\n",
        app.name,
        config.places().join(", "),
        app.kind.name(),
        app.root.display(),
        runtime.interpreter.display(),
        user.name()
    )
}
