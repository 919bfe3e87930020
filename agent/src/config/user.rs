//! As which user an application runs, as far as the settings say.

use super::ConfigError;
use super::settings::{Settings, Source};
use crate::app::user::{self, GroupRule, UserRules};
use nix::unistd::{Group, Uid, getegid};

/// The value of `group` that stands for the startup file's.
const STARTUP_FILE: &str = "!STARTUP_FILE!";

/// The rules, of which everything that is named is there. `file_owner` is the owner of the Passengerfile.
pub(super) fn resolve(settings: &Settings, file_owner: Option<u32>) -> Result<UserRules, ConfigError> {
    let text = |name| settings.text(name).map(str::to_owned);
    let said_by = file_owner.filter(|owner| *owner != 0 && Uid::effective().is_root());
    let by_root = said_by.is_none() || !is_in_file(settings, "group");
    let group =
        |name: String| if name == STARTUP_FILE { GroupRule::StartupFile { by_root } } else { GroupRule::Named(name) };
    let rules = UserRules {
        switching: settings.flag("user_switching"),
        user: text("user"),
        group: text("group").map(group),
        default_user: text("default_user").unwrap_or_default(),
        default_group: text("default_group"),
        said_by,
    };
    if rules.said_by.is_some() {
        refuse_what_only_root_says(&rules, settings)?;
    }
    if rules.apply() { check_names(&rules, settings) } else { refuse_others(&rules, settings) }?;
    Ok(rules)
}

fn is_in_file(settings: &Settings, option: &str) -> bool {
    matches!(settings.source(option), Source::Passengerfile | Source::Entry)
}

/// What root opens and sets before it becomes anybody else.
const ONLY_ROOT_SAYS: [&str; 5] =
    ["log_file", "pid_file", "socket", "instance_registry_dir", "app_file_descriptor_ulimit"];

/// A Passengerfile that is not root's must not give its owner more rights than the owner has.
fn refuse_what_only_root_says(rules: &UserRules, settings: &Settings) -> Result<(), ConfigError> {
    let names_group = matches!(rules.group, Some(GroupRule::Named(_)));
    let wrong = [
        ("user_switching", !rules.switching),
        ("group", names_group),
        ("default_group", rules.default_group.is_some()),
        ("default_user", true),
    ];
    let files = ONLY_ROOT_SAYS.map(|option| (option, rules.switching));
    match wrong.into_iter().chain(files).find(|(option, is_wrong)| *is_wrong && is_in_file(settings, option)) {
        Some((option, _)) => Err(settings.error(
            option,
            "only root can say this to a server that was started by root; give the file to root (chown root), or say it on the command line",
        )),
        None => Ok(()),
    }
}

fn check_names(rules: &UserRules, settings: &Settings) -> Result<(), ConfigError> {
    let wrong = |option: &'static str| move |reason: String| settings.error(option, &reason);
    let default_user = Some(&rules.default_user).filter(|_| settings.source("default_user") > Source::Default);
    for (option, name) in [("user", rules.user.as_ref()), ("default_user", default_user)] {
        name.map(|name| user::user(name)).transpose().map_err(wrong(option))?;
    }
    let group = match &rules.group {
        Some(GroupRule::Named(name)) => Some(name),
        _ => None,
    };
    for (option, name) in [("group", group), ("default_group", rules.default_group.as_ref())] {
        name.map(|name| user::group(name)).transpose().map_err(wrong(option))?;
    }
    Ok(())
}

/// Without switching an application runs as the agent's user, so that no other one can be asked for.
fn refuse_others(rules: &UserRules, settings: &Settings) -> Result<(), ConfigError> {
    let own = user::own_name();
    let why = || {
        if Uid::effective().is_root() {
            "user_switching is off, so everything runs as root; switch it on or remove this".to_owned()
        } else {
            format!(
                "only a server that was started by root can run applications as others; this one runs as {own}, so start it as root or remove this"
            )
        }
    };
    if rules.user.as_ref().is_some_and(|user| *user != own) {
        return Err(settings.error("user", &why()));
    }
    let own_group = || Group::from_gid(getegid()).ok().flatten().map(|group| group.name);
    match &rules.group {
        Some(GroupRule::Named(name)) if Some(name) == own_group().as_ref() => Ok(()),
        Some(_) => Err(settings.error("group", &why())),
        None => Ok(()),
    }
}
