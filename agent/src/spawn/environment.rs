//! The environment variables of an application's processes.
//!
//! They get what the agent was started with, since that is how people hand over settings and secrets, without what is the
//! agent's own and without what belongs to another user than theirs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use passenger_native::options::OPTIONS;

use crate::sys::user::Identity;

/// Variables with their values.
pub type Environment = BTreeMap<OsString, OsString>;

/// What service managers and launchers tell the agent, and nobody else.
const OF_THE_AGENT: &[&str] = &[
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "PASSENGER_AGENT",
    "PASSENGER_DEFAULT_PYTHON",
    "PASSENGER_DEFAULT_RUBY",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// What a login sets up for one user: another one can't use it, or should not.
const OF_A_USER: &[&str] = &[
    "DBUS_SESSION_BUS_ADDRESS",
    "KRB5CCNAME",
    "MAIL",
    "OLDPWD",
    "SSH_AUTH_SOCK",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "SUDO_COMMAND",
    "SUDO_GID",
    "SUDO_HOME",
    "SUDO_UID",
    "SUDO_USER",
    "XAUTHORITY",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_CLASS",
    "XDG_SESSION_ID",
    "XDG_SESSION_TYPE",
    "XDG_STATE_HOME",
];

/// What a shell keeps for itself.
const OF_A_SHELL: &[&str] = &["_", "OLDPWD", "SHLVL"];

/// What is left for an application of what the agent was started with. With `user`, for one of that user.
pub fn inherited(agents: impl IntoIterator<Item = (OsString, OsString)>, user: Option<&Identity>) -> Environment {
    let mut environment: Environment = agents.into_iter().collect();
    remove(&mut environment, OF_THE_AGENT);
    for option in OPTIONS {
        for name in option.environment_variables() {
            environment.remove(OsStr::new(&name));
        }
    }
    let Some(user) = user else { return environment };
    remove(&mut environment, OF_A_USER);
    environment.insert("HOME".into(), user.home.clone().into());
    environment.insert("SHELL".into(), user.shell.clone().into());
    environment.insert("USER".into(), user.name.clone().into());
    environment.insert("LOGNAME".into(), user.name.clone().into());
    environment
}

/// Sets what every process finds that runs in `directory`.
pub fn enter(environment: &mut Environment, directory: &Path) {
    remove(environment, OF_A_SHELL);
    environment.insert("PWD".into(), directory.into());
}

fn remove(environment: &mut Environment, names: &[&str]) {
    for name in names {
        environment.remove(OsStr::new(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{Gid, Uid};

    fn variables(text: &str) -> Environment {
        text.split_whitespace().filter_map(|word| word.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect()
    }

    #[test]
    fn the_agents_own_variables_stay_with_the_agent() {
        let agents = "DATABASE_URL=db PASSENGER_PORT=80 PASSENGER_THREAD_COUNT=2 NOTIFY_SOCKET=/run/x LISTEN_FDS=1 HOME=/root MAIL=/m PASSENGER_OWN_THING=1";
        let left = "DATABASE_URL=db HOME=/root MAIL=/m PASSENGER_OWN_THING=1";
        assert_eq!(inherited(variables(agents), None), variables(left));
    }

    #[test]
    fn another_user_gets_a_home_and_none_of_roots_sessions() {
        let user = Identity {
            name: "deploy".to_owned(),
            uid: Uid::from_raw(1000),
            gid: Gid::from_raw(1000),
            groups: Vec::new(),
            home: "/home/deploy".into(),
            shell: "/bin/sh".into(),
        };
        let agents = "HOME=/root USER=root XDG_RUNTIME_DIR=/run/user/0 SUDO_USER=me SUDO_HOME=/home/me SSH_TTY=/dev/pts/1 KRB5CCNAME=/tmp/k TZ=UTC PATH=/bin";
        let left = "HOME=/home/deploy USER=deploy LOGNAME=deploy SHELL=/bin/sh TZ=UTC PATH=/bin";
        assert_eq!(inherited(variables(agents), Some(&user)), variables(left));
    }

    #[test]
    fn the_working_directory_is_the_applications() {
        let mut environment = variables("PWD=/root OLDPWD=/ SHLVL=2 _=/bin/passenger A=b");
        enter(&mut environment, Path::new("/srv/shop"));
        assert_eq!(environment, variables("PWD=/srv/shop A=b"));
    }
}
