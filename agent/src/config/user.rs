//! As which user an application runs, as far as the settings say.

use super::ConfigError;
use super::settings::{Settings, Source};
use crate::app::user::{self, GroupRule, UserRules};
use nix::unistd::{Group, Uid, getegid};

/// The value of `group` that stands for the startup file's.
const STARTUP_FILE: &str = "!STARTUP_FILE!";

/// The rules, of which everything that is named is there.
pub(super) fn resolve(settings: &Settings) -> Result<UserRules, ConfigError> {
    let text = |name| settings.text(name).map(str::to_owned);
    let group = |name: String| if name == STARTUP_FILE { GroupRule::StartupFile } else { GroupRule::Named(name) };
    let rules = UserRules {
        switching: settings.flag("user_switching"),
        user: text("user"),
        group: text("group").map(group),
        default_user: text("default_user").unwrap_or_default(),
        default_group: text("default_group"),
    };
    if rules.apply() { check_names(&rules, settings) } else { refuse_others(&rules, settings) }?;
    Ok(rules)
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
