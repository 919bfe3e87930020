//! `passenger restart`

use super::failure::Failure;
use super::print;
use super::select::{self, describe, harmless};
use crate::admin::client;
use crate::instance::Instance;
use crate::pool::snapshot::{GroupState, GroupStatus};
use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

pub(super) const NAME: &str = "restart";
const APP: &str = "NAME|DIR";
const NO_WAIT: &str = "no-wait";

/// How often it is looked how far a restart has got.
const INTERVAL: Duration = Duration::from_millis(100);

const AFTER_HELP: &str = "\
Without NAME and DIR: all applications. It waits until their workers have been replaced. When a new version does not
start, it says why and fails; in production the version before goes on serving, and the new one is tried again.";

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Restart applications without losing a request")
        .after_help(AFTER_HELP)
        .arg(Arg::new(APP).help("The application, by its name or directory").value_parser(OsStringValueParser::new()))
        .arg(Arg::new(NO_WAIT).long(NO_WAIT).action(ArgAction::SetTrue).help("Return when it has begun"))
        .args(select::flags())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let wanted = matches.get_one::<OsString>(APP).map(OsString::as_os_str);
    let instances = select::instances_of_any(matches, NAME)?;
    let (mut restarts, mut known, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for instance in &instances {
        match groups(instance) {
            Ok(groups) => {
                known.extend(groups.iter().map(|group| group.name.clone()));
                let chosen = groups.into_iter().filter(|group| wanted.is_none_or(|wanted| is_meant(group, wanted)));
                restarts.extend(chosen.map(|group| Restart { instance, app: group.name, shown: (0, 0) }));
            }
            Err(reason) => failures.push(reason),
        }
    }
    if restarts.is_empty() && failures.is_empty() {
        let wanted = wanted.unwrap_or_default().display();
        let message = format!("there is no application {wanted}; there are: {}", known.join(", "));
        return Err(Failure::failed(harmless(&message)));
    }
    // All begin before one is waited for: each takes its time, and they share the processors anyway.
    restarts.retain(|restart| restart.begin().map_err(|reason| failures.push(reason)).is_ok());
    if !matches.get_flag(NO_WAIT) {
        for restart in &mut restarts {
            if let Err(reason) = restart.follow() {
                failures.push(reason);
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::several(&failures)) }
}

fn groups(instance: &Instance) -> Result<Vec<GroupStatus>, String> {
    let status = client::status(&instance.admin_socket());
    let failed = |reason| harmless(&format!("the instance ({}) {reason}", describe(instance)));
    status.map(|status| status.groups).map_err(failed)
}

/// Whether an application has this name, or is in this directory.
fn is_meant(group: &GroupStatus, wanted: &OsStr) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    wanted == OsStr::new(&group.name)
        || real(Path::new(wanted)).is_some_and(|wanted| real(&group.app_root) == Some(wanted))
}

/// A restart of one application.
struct Restart<'a> {
    instance: &'a Instance,
    app: String,
    /// The progress that the user knows of.
    shown: (usize, usize),
}

impl Restart<'_> {
    fn begin(&self) -> Result<(), String> {
        client::restart(&self.instance.admin_socket(), &self.app)
            .map_err(|reason| harmless(&format!("the instance ({}) {reason}", describe(self.instance))))
    }

    /// Waits until it is over, and tells how far it has got.
    fn follow(&mut self) -> Result<(), String> {
        loop {
            let Some(group) = groups(self.instance)?.into_iter().find(|group| group.name == self.app) else {
                return Err(harmless(&format!("{} was taken out of the configuration", self.app)));
            };
            if let Some(error) = failure(&group) {
                return Err(harmless(&format!("{} was not restarted: {}", self.app, error.trim_end())));
            }
            if is_done(&group) {
                return tell(&format!("{} has been restarted\n", self.app));
            }
            if let Some(restart) = &group.restart
                && self.shown != (restart.replaced, restart.total)
            {
                self.shown = (restart.replaced, restart.total);
                tell(&format!("{}: {} of {} workers replaced\n", self.app, restart.replaced, restart.total))?;
            }
            std::thread::sleep(INTERVAL);
        }
    }
}

fn tell(text: &str) -> Result<(), String> {
    print(&harmless(text)).map_err(|failure| failure.to_string())
}

fn failure(group: &GroupStatus) -> Option<&str> {
    let error = group.restart.as_ref().and_then(|restart| restart.error.as_ref());
    error.map(|error| error.message.as_str()).or(group.last_spawn_error.as_deref())
}

/// An application that has no worker and starts none waits for a request: it will get the new version.
fn is_done(group: &GroupStatus) -> bool {
    group.restart.is_none() && group.state != GroupState::Spawning
}
