//! `passenger start`

use super::command_line;
use super::failure::Failure;
use crate::app::detect;
use crate::config::{Config, Environment};
use clap::{ArgMatches, Command};

pub(super) const NAME: &str = "start";

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Start serving an application")
        .after_help(
            "Also settable in Passengerfile.json (max_pool_size) and the environment (PASSENGER_MAX_POOL_SIZE).",
        )
        .arg(command_line::dir_argument("The application's directory [default: the working directory]"))
        .args(command_line::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let root = command_line::dir_or_current(matches);
    detect::check_root(&root)?;
    let environment: Environment = std::env::vars_os().collect();
    let config = Config::resolve(&root, &command_line::typed(matches), &environment)
        .map_err(|error| Failure::config(&error, NAME))?;
    let app = detect::detect(&config.app_root, config.startup_file.as_deref(), config.app_type)?;
    crate::server::run(config, app).map_err(|error| Failure::failed(error.to_string()))
}
