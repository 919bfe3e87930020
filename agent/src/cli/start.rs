//! `passenger start`

use super::command_line;
use super::failure::Failure;
use super::target::Target;
use crate::app::detect;
use crate::config::{CommandLine, Config, Environment};
use crate::server::{self, Plan};
use clap::builder::OsStringValueParser;
use clap::{Arg, ArgMatches, Command};
use passenger_native::options;
use std::ffi::{OsStr, OsString};
use std::path::Path;

pub(super) const NAME: &str = "start";

/// The argument that names a Python application's entry.
const ENTRY: &str = "MODULE:APP";

const EXAMPLES: &str = "\
Examples:
  passenger start                         what config.ru or passenger_wsgi.py starts
  passenger start /srv/shop -e production
  passenger start shop.wsgi:application   a Python application (WSGI or ASGI)
  passenger start 'shop:create_app()'     a function that returns one

All options can also be set in Passengerfile.json or .toml (max_pool_size) and the environment
(PASSENGER_MAX_POOL_SIZE). A Passengerfile can name several applications.";

pub(super) fn command() -> Command {
    let entry = Arg::new(ENTRY)
        .help("A Python application to import, such as shop.wsgi:application; the same as --app")
        .value_parser(OsStringValueParser::new());
    Command::new(NAME)
        .about("Start serving a Ruby or Python application")
        .after_help(EXAMPLES)
        .arg(command_line::dir_argument("The application's directory [default: the working directory]"))
        .arg(entry)
        .args(command_line::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let mut typed = command_line::typed(matches);
    let dir = command_line::dir(matches).map(AsRef::as_ref);
    let arguments: Vec<&OsStr> =
        dir.into_iter().chain(matches.get_one::<OsString>(ENTRY).map(OsString::as_os_str)).collect();
    let target = Target::read(&arguments, typed_value(&typed, "app_dir"))?;
    if let Some(entry) = target.entry {
        if let Some(app) = typed_value(&typed, "app") {
            let message = format!("what to import is given twice, as {entry} and --app {}; remove one", app.display());
            return Err(Failure::usage(&message, Some(NAME)));
        }
        typed.extend(options::find("app").map(|option| (option, entry.into())));
    }
    let plan = plan(&target.dir, &typed, NAME)?;
    server::launch(plan).map_err(|error| Failure::failed(error.to_string()))
}

/// Finds out what `command` is to serve in `directory`.
pub(super) fn plan(directory: &Path, typed: &CommandLine, command: &str) -> Result<Plan, Failure> {
    detect::check_root(directory)?;
    let environment: Environment = std::env::vars_os().collect();
    let config = Config::resolve(directory, typed, &environment).map_err(|errors| Failure::config(&errors, command))?;
    Plan::make(config, typed).map_err(|reasons| Failure::several(&reasons))
}

fn typed_value<'a>(typed: &'a CommandLine, name: &str) -> Option<&'a OsStr> {
    typed.iter().find(|(option, _)| option.name == name).map(|(_, value)| value.as_os_str())
}
