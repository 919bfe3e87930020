//! Applications of other users than root's. Only root can have them, so scenarios about them skip themselves for others.

use crate::{App, Launch, command};
use nix::unistd::{Uid, User};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

/// A user that every Debian has and nobody logs in as.
pub const GAMES: &str = "games";
/// Another one.
pub const DAEMON: &str = "daemon";
/// Who runs what belongs to root.
pub const NOBODY: &str = "nobody";

/// Where programs are that every user may run.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why there can be no processes of other users here, if there can't.
pub fn no_other_users() -> Option<&'static str> {
    let is_open = |directory: &Path| fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & 0o005 == 0o005);
    if !Uid::effective().is_root() {
        Some("only root can be other users")
    } else if !command::repository().ancestors().all(is_open) {
        Some("the checkout is in a directory that other users may not enter")
    } else {
        None
    }
}

/// Returns from a scenario that needs other users where there are none, saying why.
#[macro_export]
macro_rules! needs_other_users {
    () => {
        if let Some(why) = $crate::users::no_other_users() {
            eprintln!("skipped: {why}");
            return;
        }
    };
}

/// The user of this name.
pub fn user(name: &str) -> User {
    User::from_name(name).ok().flatten().unwrap_or_else(|| panic!("no user {name}"))
}

impl App {
    /// The same application, as this user's.
    pub fn owned_by(self, owner: &str) -> Self {
        self.open_to_everybody();
        self.give("", owner);
        self
    }

    /// Lets everybody enter the directory around the application.
    pub fn open_to_everybody(&self) {
        self.permit("..", 0o755);
    }

    /// Lets nobody but its owner, which is whoever runs the tests, enter it.
    pub fn close_to_others(&self) {
        self.permit("..", 0o700);
    }

    /// Gives a file or directory, with all that is in it, to this user.
    pub fn give(&self, path: &str, owner: &str) {
        let path = self.root().join(path);
        let given = Command::new("chown").args(["-RhP", &format!("{owner}:")]).arg(&path).status();
        assert!(given.is_ok_and(|status| status.success()), "chown {owner} {}", path.display());
    }

    /// Sets a file's permissions.
    pub fn permit(&self, file: &str, mode: u32) {
        fs::set_permissions(self.root().join(file), Permissions::from_mode(mode)).expect("the file's permissions");
    }
}

impl Launch {
    /// Runs applications as their owners, with interpreters that these may run.
    pub fn switching_users(self) -> Self {
        self.variable("PASSENGER_USER_SWITCHING", "true").variable("PATH", PATH)
    }
}
