//! The directory of this process's own instance.

use super::{ADMIN_SOCKET, LOCK, NAME_PREFIX, PROPERTIES, Properties, registry};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::mkdtemp;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The directory of the instance that this process is. It is removed on drop, which must be the last thing that the
/// instance does: from then on commands take it for gone.
#[derive(Debug)]
pub struct InstanceDir {
    path: PathBuf,
    // Not to be shared with a forked copy of this process that drops it: that would give the lock up for both.
    _lock: Flock<File>,
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
        fs::write(path.join(PROPERTIES), serde_json::to_vec(properties)?)?;
        let unlocked = path.join("lock.new");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unlocked)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
        fs::rename(unlocked, path.join(LOCK))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the admin socket for the owner alone. To be called once.
    ///
    /// # Errors
    /// Names the socket.
    pub fn listen_for_admin(&self) -> io::Result<UnixListener> {
        let path = self.path.join(ADMIN_SOCKET);
        let listen = || {
            let listener = UnixListener::bind(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
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
}

impl Drop for InstanceDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
