//! As which user an application's processes run.
//!
//! ```text
//!   the agent is not root, or user_switching is off ──▶ the agent's own user
//!   else: `user`, or the owner of the startup file
//!         that is root, or unknown to the system    ──▶ `default_user`
//! ```
//! The owner of a symbolic link is who made it, not whose file it leads to: otherwise whoever may write into a directory
//! could have somebody else's application, and with it that user's rights, started there.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use nix::unistd::{Gid, Group, Uid, User};
use serde::{Deserialize, Serialize};

use super::detect::{App, Start};
use crate::sys::user::Identity;

/// What was said about the user; by default that everything runs as the agent's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRules {
    /// Whether applications run as other users than the agent, if that is root's.
    pub switching: bool,
    /// The user that was named.
    pub user: Option<String>,
    /// The group that was named.
    pub group: Option<GroupRule>,
    /// Who runs what belongs to root.
    pub default_user: String,
    /// The group of what would have root's; `None` is the default user's primary one.
    pub default_group: Option<String>,
    /// Who has said this, if not root: the owner of the Passengerfile, who can only speak for himself.
    pub said_by: Option<u32>,
}

/// Which group processes have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRule {
    /// The startup file's; one that the user is not in only `by_root`'s word.
    StartupFile {
        /// Whether root has said this.
        by_root: bool,
    },
    /// The one of this name.
    Named(String),
}

impl UserRules {
    /// Whether the user of the application's processes is another one than the agent's.
    #[must_use]
    pub fn apply(&self) -> bool {
        self.switching && Uid::effective().is_root()
    }

    /// The user for an application that starts with `file`; `None` is the agent's own.
    fn identity(&self, file: &Path) -> Result<Option<Identity>, String> {
        if !self.apply() {
            return Ok(None);
        }
        let owner = fs::symlink_metadata(file)
            .map_err(|error| format!("the owner of {} is unknown: {error}", file.display()))?;
        let named = self.user.as_deref().map(user).transpose()?;
        let own = || User::from_uid(Uid::from_raw(owner.uid())).ok().flatten();
        let user = match named.or_else(own).filter(|user| !user.uid.is_root()) {
            Some(user) => user,
            None => self.default_user()?,
        };
        self.check_authority(&user)?;
        let gid = match &self.group {
            None => user.gid,
            Some(GroupRule::StartupFile { by_root: true }) => Gid::from_raw(owner.gid()),
            Some(GroupRule::StartupFile { by_root: false }) => own_group(&user, Gid::from_raw(owner.gid()))?,
            Some(GroupRule::Named(name)) => group(name)?,
        };
        let gid = if gid.as_raw() == 0 { self.default_group()? } else { gid };
        let name = user.name.clone();
        Identity::of(user, gid).map(Some).map_err(|error| format!("the groups of user {name} are unknown: {error}"))
    }

    /// What a Passengerfile says (interpreter, variables, where to find the application) makes its owner the master of the
    /// processes.
    fn check_authority(&self, user: &User) -> Result<(), String> {
        match self.said_by {
            Some(owner) if owner != user.uid.as_raw() => {
                let (owner, name) = (name_of(Uid::from_raw(owner)), &user.name);
                Err(format!(
                    "the application would run as {name}, but its Passengerfile belongs to {owner}, who must not decide what {name} runs; give the file to root (chown root), or both to the same user"
                ))
            }
            _ => Ok(()),
        }
    }

    fn default_user(&self) -> Result<User, String> {
        user(&self.default_user).map_err(|reason| format!("default_user: {reason}"))
    }

    fn default_group(&self) -> Result<Gid, String> {
        let gid = match &self.default_group {
            Some(name) => group(name).map_err(|reason| format!("default_group: {reason}"))?,
            None => self.default_user()?.gid,
        };
        if gid.as_raw() == 0 {
            return Err("applications never run with root's group; name another one with default_group".to_owned());
        }
        Ok(gid)
    }
}

/// The user of this name.
///
/// # Errors
/// That there is none, or that it is root.
pub fn user(name: &str) -> Result<User, String> {
    match User::from_name(name) {
        Ok(Some(user)) if user.uid.is_root() => {
            Err("applications never run as root; name another user, or switch user_switching off".to_owned())
        }
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(format!("there is no user {name:?} on this machine")),
        Err(error) => Err(format!("user {name:?} could not be looked up: {error}")),
    }
}

/// The group of this name.
///
/// # Errors
/// That there is none, or that it is root's.
pub fn group(name: &str) -> Result<Gid, String> {
    match Group::from_name(name) {
        Ok(Some(group)) if group.gid.as_raw() == 0 => {
            Err("applications never run with root's group; name another one, or switch user_switching off".to_owned())
        }
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(format!("there is no group {name:?} on this machine")),
        Err(error) => Err(format!("group {name:?} could not be looked up: {error}")),
    }
}

/// The startup file's group, if it is one of the user's. Owners give files only to groups of their own, but a directory or
/// root can give them to any; a Passengerfile must not make that a right.
fn own_group(user: &User, gid: Gid) -> Result<Gid, String> {
    let unknown = |error| format!("the groups of user {} are unknown: {error}", user.name);
    let groups = Identity::of(user.clone(), user.gid).map_err(unknown)?.groups;
    if gid.as_raw() == 0 || groups.contains(&gid) {
        return Ok(gid);
    }
    Err(format!(
        "the startup file belongs to group {gid}, which {} is not in, so that only root can say \"group\": \"!STARTUP_FILE!\"; give the file another group (chgrp), or the Passengerfile to root (chown root)",
        user.name
    ))
}

/// The user of one application's processes, found out anew for each version of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct AppUser {
    rules: UserRules,
    /// Whose owner counts.
    file: PathBuf,
    #[serde(skip)]
    current: RefCell<Option<Rc<Identity>>>,
}

impl AppUser {
    /// Finds out who it is.
    ///
    /// # Errors
    /// A user or group that is not there.
    pub fn of(app: &App, rules: UserRules) -> Result<Self, String> {
        let file = match &app.start {
            Start::File(file) => file.clone(),
            Start::Entry(_) => app.root.clone(),
        };
        let user = Self { rules, file, current: RefCell::default() };
        user.look_up()?;
        Ok(user)
    }

    /// Finds out again who it is: the owner may have changed. `None` is the agent's own user.
    ///
    /// # Errors
    /// A user or group that is not there any more.
    pub fn look_up(&self) -> Result<Option<Rc<Identity>>, String> {
        let found = self.rules.identity(&self.file)?;
        let mut current = self.current.borrow_mut();
        if current.as_deref() != found.as_ref() {
            *current = found.map(Rc::new);
        }
        Ok(current.clone())
    }

    /// Who it was when it was last looked up, which is done now if it never was. `None` is the agent's own user.
    ///
    /// # Errors
    /// A user or group that is not there.
    pub fn current(&self) -> Result<Option<Rc<Identity>>, String> {
        let known = self.current.borrow().clone();
        match known {
            Some(user) => Ok(Some(user)),
            None if self.rules.apply() => self.look_up(),
            None => Ok(None),
        }
    }

    /// The user's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self.current() {
            Ok(Some(user)) => user.name.clone(),
            Ok(None) => own_name(),
            Err(_) => "nobody that is known".to_owned(),
        }
    }

    /// Why the default user runs the application, when nobody asked for that.
    #[must_use]
    pub fn surprise(&self) -> Option<String> {
        let identity = self.current().ok()?.filter(|_| self.rules.user.is_none())?;
        let owner = fs::symlink_metadata(&self.file).ok()?.uid();
        let whose = if owner == 0 { "root".to_owned() } else { format!("user {owner}, whom nobody knows") };
        (identity.uid.as_raw() != owner).then(|| {
            format!(
                "it runs as {}, because {} belongs to {whose}; give the application to the user that should run it (chown -R), name one with --user, or run it as root with --no-user-switching",
                identity.name,
                self.file.display()
            )
        })
    }
}

/// The name of the user that this process runs as, or the number if it has none.
#[must_use]
pub fn own_name() -> String {
    // Whom a process runs as does not change, and a directory of users may be slow to answer.
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| name_of(Uid::effective())).clone()
}

/// A user's name, or the number of one without a name.
fn name_of(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::{chown, lchown, symlink};

    fn rules() -> UserRules {
        UserRules {
            switching: true,
            user: None,
            group: None,
            default_user: "nobody".to_owned(),
            default_group: None,
            said_by: None,
        }
    }

    fn number(name: &str) -> u32 {
        User::from_name(name).unwrap().unwrap().uid.as_raw()
    }

    /// A startup file of this user, if this is root and so can make one.
    fn file_of(owner: &str) -> Option<(tempfile::TempDir, PathBuf)> {
        if !Uid::effective().is_root() {
            eprintln!("skipped: only root can give files away");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.ru");
        fs::write(&file, "").unwrap();
        let owner = User::from_name(owner).unwrap().unwrap();
        chown(&file, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).unwrap();
        Some((directory, file))
    }

    #[rstest]
    #[case::the_owner("games", rules(), "games")]
    #[case::of_root("root", rules(), "nobody")]
    #[case::of_root_with_a_default("root", UserRules { default_user: "daemon".to_owned(), ..rules() }, "daemon")]
    #[case::named("games", UserRules { user: Some("daemon".to_owned()), ..rules() }, "daemon")]
    fn finds_the_user(#[case] owner: &str, #[case] rules: UserRules, #[case] expected: &str) {
        let Some((_directory, file)) = file_of(owner) else { return };
        let identity = rules.identity(&file).unwrap().unwrap();
        let user = User::from_name(expected).unwrap().unwrap();
        assert_eq!((identity.name.as_str(), identity.uid, identity.gid), (expected, user.uid, user.gid));
        assert!(identity.groups.contains(&user.gid));
    }

    #[test]
    fn a_number_without_a_name_is_the_default_users() {
        let Some((_directory, file)) = file_of("root") else { return };
        chown(&file, Some(4_000_000), None).unwrap();
        assert_eq!(rules().identity(&file).unwrap().unwrap().name, "nobody");
    }

    #[test]
    fn a_link_is_its_makers() {
        let Some((directory, file)) = file_of("games") else { return };
        let link = directory.path().join("link.ru");
        symlink(&file, &link).unwrap();
        lchown(&link, Some(number("daemon")), None).unwrap();
        assert_eq!(rules().identity(&link).unwrap().unwrap().name, "daemon");
    }

    #[rstest]
    #[case::the_files("games", Some(GroupRule::StartupFile { by_root: true }), None, "games")]
    #[case::named("games", Some(GroupRule::Named("daemon".to_owned())), None, "daemon")]
    #[case::the_files_which_is_roots("root", Some(GroupRule::StartupFile { by_root: true }), None, "nogroup")]
    #[case::the_files_which_is_roots_with_a_default("root", Some(GroupRule::StartupFile { by_root: true }), Some("mail"), "mail")]
    fn finds_the_group(
        #[case] owner: &str,
        #[case] group: Option<GroupRule>,
        #[case] default: Option<&str>,
        #[case] expected: &str,
    ) {
        let Some((_directory, file)) = file_of(owner) else { return };
        let rules = UserRules { group, default_group: default.map(str::to_owned), ..rules() };
        let gid = rules.identity(&file).unwrap().unwrap().gid;
        assert_eq!(Group::from_gid(gid).unwrap().unwrap().name, expected);
    }

    #[rstest]
    #[case::for_himself("games", "games", true)]
    #[case::for_another("daemon", "games", false)]
    #[case::for_what_is_roots("root", "games", false)]
    fn a_passengerfile_speaks_for_its_owner_only(#[case] app: &str, #[case] file: &str, #[case] is_good: bool) {
        let Some((_directory, startup_file)) = file_of(app) else { return };
        let rules = UserRules { said_by: Some(number(file)), ..rules() };
        assert_eq!(rules.identity(&startup_file).is_ok(), is_good);
    }

    #[test]
    fn a_passengerfile_can_not_give_its_owner_another_group() {
        let Some((_directory, file)) = file_of("games") else { return };
        let mail = group("mail").unwrap();
        chown(&file, None, Some(mail.as_raw())).unwrap();
        let roots = UserRules { group: Some(GroupRule::StartupFile { by_root: true }), ..rules() };
        assert_eq!(roots.identity(&file).unwrap().unwrap().gid, mail);
        let ones_own = UserRules { group: Some(GroupRule::StartupFile { by_root: false }), ..rules() };
        assert!(ones_own.identity(&file).unwrap_err().contains("which games is not in"));
    }

    #[test]
    fn whoever_gets_it_from_a_file_has_no_other_rights() {
        let Some((_directory, file)) = file_of("games") else { return };
        let user = AppUser { rules: rules(), file, current: RefCell::default() };
        let user: AppUser = serde_json::from_str(&serde_json::to_string(&user).unwrap()).unwrap();
        assert_eq!(user.current().unwrap().unwrap().name, "games");
        fs::remove_file(&user.file).unwrap();
        let user: AppUser = serde_json::from_str(&serde_json::to_string(&user).unwrap()).unwrap();
        user.current().unwrap_err();
    }

    #[test]
    fn switched_off_it_is_the_agents_own() {
        let rules = UserRules { switching: false, ..rules() };
        assert_eq!(rules.identity(Path::new("/nonexistent")), Ok(None));
    }

    #[rstest]
    #[case("root", "applications never run as root")]
    #[case("no-such-user", "there is no user \"no-such-user\"")]
    fn refuses_users_that_can_not_be(#[case] name: &str, #[case] complaint: &str) {
        assert!(user(name).unwrap_err().starts_with(complaint));
    }
}
