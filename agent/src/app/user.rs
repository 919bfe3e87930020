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

use nix::unistd::{Gid, Group, Uid, User};
use serde::{Deserialize, Serialize};

use super::detect::{App, Start};
use crate::sys::user::Identity;

/// What was said about the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Which group processes have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRule {
    /// The startup file's.
    StartupFile,
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
        let gid = match &self.group {
            None => user.gid,
            Some(GroupRule::StartupFile) => Gid::from_raw(owner.gid()),
            Some(GroupRule::Named(name)) => group(name)?,
        };
        let gid = if gid.as_raw() == 0 { self.default_group()? } else { gid };
        let name = user.name.clone();
        Identity::of(user, gid).map(Some).map_err(|error| format!("the groups of user {name} are unknown: {error}"))
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

    /// Who it was when it was last looked up; `None` is the agent's own user.
    #[must_use]
    pub fn current(&self) -> Option<Rc<Identity>> {
        self.current.borrow().clone()
    }

    /// The user's name.
    #[must_use]
    pub fn name(&self) -> String {
        match &*self.current.borrow() {
            Some(user) => user.name.clone(),
            None => own_name(),
        }
    }

    /// Why the default user runs the application, when nobody asked for that.
    #[must_use]
    pub fn surprise(&self) -> Option<String> {
        let current = self.current.borrow();
        let identity = current.as_ref().filter(|_| self.rules.user.is_none())?;
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

/// The name of the user that this process runs as, or the number of one without a name.
#[must_use]
pub fn own_name() -> String {
    let uid = Uid::effective();
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}
