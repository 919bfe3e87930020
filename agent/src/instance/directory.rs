//! The directory of this process's own instance.

use super::{ADMIN_SOCKET, LOCK, NAME_PREFIX, PROPERTIES, Properties, leftovers, registry};
use nix::unistd::mkdtemp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The directory of the instance that this process keeps. Dropping it is the last thing that an instance does: it removes
/// the directory and the files that the instance has made elsewhere, and from then on commands take it for gone.
#[derive(Debug)]
pub struct InstanceDir {
    path: PathBuf,
    /// Locked by whichever of the instance's processes has it open.
    lock: OwnedFd,
}

impl InstanceDir {
    /// Makes the directory of this instance in `registry`, and removes those of dead instances. To be called by the
    /// process that goes on running, so after it went into the background.
    ///
    /// # Errors
    /// Names the registry directory and the remedy.
    pub fn create(registry: &Path, properties: &Properties) -> io::Result<Self> {
        let explain = |error: io::Error| {
            let reason = format!(
                "cannot make an instance directory in {}: {error}; choose another place with --instance-registry-dir",
                registry.display()
            );
            io::Error::new(error.kind(), reason)
        };
        fs::create_dir_all(registry).map_err(explain)?;
        registry::remove_dead(registry);
        let path = mkdtemp(&registry.join(format!("{NAME_PREFIX}XXXXXX"))).map_err(|errno| explain(errno.into()))?;
        Self::fill(&path, properties).map_err(|error| {
            let _ = fs::remove_dir_all(&path);
            explain(error)
        })
    }

    fn fill(path: &Path, properties: &Properties) -> io::Result<Self> {
        // The mask of this process may have taken away what its owner needs.
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        write(path, PROPERTIES, properties)?;
        let unlocked = path.join("lock.new");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unlocked)?;
        file.try_lock()?;
        fs::rename(unlocked, path.join(LOCK))?;
        Ok(Self { path: path.to_owned(), lock: file.into() })
    }

    /// Takes the directory over from the process that kept it before; `lock` is what that had open.
    #[must_use]
    pub fn take_over(path: PathBuf, lock: OwnedFd) -> Self {
        Self { path, lock }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What keeps the instance alive while it is open anywhere.
    #[must_use]
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

impl Drop for InstanceDir {
    fn drop(&mut self) {
        leftovers::remove(&self.path);
    }
}

/// Replaces a file of an instance's directory; a reader never sees half of it.
///
/// # Errors
/// What the file system says.
pub fn write(directory: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    let fresh = directory.join(format!("{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    fs::rename(fresh, directory.join(name))
}

/// Opens the admin socket in an instance's directory for the owner alone. It takes the place of one that another agent of
/// the instance has opened.
///
/// # Errors
/// Names the socket.
pub fn listen_for_admin(directory: &Path) -> io::Result<UnixListener> {
    let path = directory.join(ADMIN_SOCKET);
    let fresh = directory.join(format!("{}.sock", std::process::id()));
    let listen = || {
        let listener = UnixListener::bind(&fresh)?;
        fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        fs::rename(&fresh, &path)?;
        Ok(listener)
    };
    listen().map_err(|error: io::Error| {
        let reason = format!(
            "cannot open the admin socket {}: {error}; choose a shorter path with --instance-registry-dir",
            path.display()
        );
        io::Error::new(error.kind(), reason)
    })
}

/// Reads a file of an instance's directory.
///
/// # Errors
/// What the file system says, or what is wrong with the content.
pub fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(directory.join(name))?)?)
}
