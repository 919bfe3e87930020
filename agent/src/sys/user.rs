//! Users: becoming one for good, and having one's rights to files for a moment.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, fchown, getegid, geteuid, getgrouplist, getgroups, setgroups, setresgid, setresuid};

/// All that the kernel and a program must know of a user to run as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's name.
    pub name: String,
    /// The user's number.
    pub uid: Uid,
    /// The primary group.
    pub gid: Gid,
    /// All groups, the primary one included.
    pub groups: Vec<Gid>,
    /// The home directory; it need not exist.
    pub home: PathBuf,
    /// The login shell.
    pub shell: PathBuf,
}

impl Identity {
    /// `user` with `gid` for the primary group, and with the groups that the system lists for the user.
    ///
    /// # Errors
    /// What `getgrouplist(3)` says.
    pub fn of(user: User, gid: Gid) -> io::Result<Self> {
        let groups = getgrouplist(&CString::new(user.name.as_str())?, gid)?;
        Ok(Self { name: user.name, uid: user.uid, gid, groups, home: user.dir, shell: user.shell })
    }

    /// Makes this process one of the user's, for good. Async-signal-safe.
    ///
    /// # Errors
    /// `EPERM` when this process may not change its user, or could change back.
    pub fn assume(&self) -> io::Result<()> {
        setgroups(&self.groups)?;
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)?;
        if nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
            return Err(Errno::EPERM.into());
        }
        Ok(())
    }

    /// Does `work` with the user's rights to files: what the user may not open, `work` may not. Nothing else changes, and
    /// only in this thread. `work` must not start threads, which would inherit that.
    ///
    /// # Errors
    /// When this process may not change its user; `work` has not been done then.
    pub fn with_rights<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let _back = Rights::take(self)?;
        Ok(work())
    }

    /// Makes the user the owner of what is behind `descriptor`.
    ///
    /// # Errors
    /// What `fchown(2)` says.
    pub fn own(&self, descriptor: &impl AsFd) -> io::Result<()> {
        Ok(fchown(descriptor.as_fd(), Some(self.uid), Some(self.gid))?)
    }
}

/// Another user's rights to files; dropping it gives this thread its own again.
struct Rights {
    own_groups: Vec<Gid>,
}

impl Rights {
    fn take(user: &Identity) -> io::Result<Self> {
        let own_groups = getgroups()?;
        set_thread_groups(&user.groups)?;
        // From here on, what was changed before an error is changed back by dropping this.
        let rights = Self { own_groups };
        set_file_system_ids(user.uid, user.gid)?;
        Ok(rights)
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        // The user's number first: being root in this respect again may be what the rest takes.
        let back = set_file_system_ids(geteuid(), getegid()).and_then(|()| set_thread_groups(&self.own_groups));
        if back.is_err() {
            // Nobody could tell any more with whose rights this process works.
            std::process::abort();
        }
    }
}

/// Like `setgroups(2)`, but for this thread alone: the C library would change all threads.
fn set_thread_groups(groups: &[Gid]) -> io::Result<()> {
    // SAFETY: a `Gid` is a `gid_t` and nothing else; the list lives for the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
    Ok(())
}

/// Sets the ids that count when this thread opens files. Without root's the kernel takes away the capabilities to pass
/// over permissions, and gives them back with them.
fn set_file_system_ids(uid: Uid, gid: Gid) -> io::Result<()> {
    /// Is no id, so that setting it only tells which one is set.
    const NONE: libc::uid_t = libc::uid_t::MAX;
    // SAFETY: these take and return numbers. They report no error, so what is set is asked for.
    let set = unsafe {
        libc::setfsgid(gid.as_raw());
        libc::setfsuid(uid.as_raw());
        libc::setfsgid(NONE) as libc::gid_t == gid.as_raw() && libc::setfsuid(NONE) as libc::uid_t == uid.as_raw()
    };
    if set { Ok(()) } else { Err(Errno::EPERM.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt;

    /// A user other than root, if this is root and so can be others.
    fn nobody() -> Option<Identity> {
        let user = User::from_name("nobody").unwrap().filter(|_| geteuid().is_root());
        if user.is_none() {
            eprintln!("skipped: only root can be other users");
        }
        user.map(|user| Identity::of(user.clone(), user.gid).unwrap())
    }

    #[test]
    fn files_are_opened_with_the_users_rights_and_then_with_ones_own_again() {
        let Some(nobody) = nobody() else { return };
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let open = |mode| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            nobody.with_rights(|| File::open(&file)).unwrap()
        };
        assert_eq!(open(0o600).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        open(0o604).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(open(0o604).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        open_as_root(&file);
    }

    fn open_as_root(file: &std::path::Path) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
        File::open(file).unwrap();
    }

    #[test]
    fn other_threads_keep_their_rights() {
        let Some(nobody) = nobody() else { return };
        let file = tempfile::NamedTempFile::new().unwrap();
        let (ask, asked) = std::sync::mpsc::channel();
        let (answer, answered) = std::sync::mpsc::channel();
        let path = file.path().to_owned();
        let other = std::thread::spawn(move || {
            asked.recv().unwrap();
            answer.send(File::open(path).is_ok()).unwrap();
        });
        let (own, others) = nobody
            .with_rights(|| {
                ask.send(()).unwrap();
                (File::open(file.path()).is_ok(), answered.recv().unwrap())
            })
            .unwrap();
        other.join().unwrap();
        assert!(!own && others);
    }
}
