//! `passenger status`

use super::failure::Failure;
use super::select::{self, describe, harmless};
use super::status_table;
use super::{command_line, print};
use crate::admin::client;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

pub(super) const NAME: &str = "status";
const JSON: &str = "json";

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Show running instances, their applications and workers")
        .arg(command_line::dir_argument("The directory of the application whose instance to show [default: all]"))
        .arg(Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help("Show it as JSON, for programs"))
        .args(select::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let as_json = matches.get_flag(JSON);
    let selected = select::instances(matches, NAME);
    let mut statuses = Vec::new();
    let mut failures = Vec::new();
    for instance in selected.iter().flatten() {
        match client::status(&instance.admin_socket()) {
            Ok(status) => statuses.push(status),
            // It ended while others were asked.
            Err(_) if !instance.is_alive() => {}
            Err(reason) => failures.push(harmless(&format!("the instance ({}) {reason}", describe(instance)))),
        }
    }
    if as_json {
        print(&format!("{:#}\n", json!({ "instances": statuses })))?;
    } else {
        let tables: Vec<String> = statuses.iter().map(status_table::render).collect();
        print(&harmless(&tables.join("\n")))?;
    }
    selected?;
    if failures.is_empty() { Ok(()) } else { Err(Failure::several(&failures)) }
}
