//! The instances of this machine, as far as this user may manage them.

use super::{ADMIN_SOCKET, LOCK, NAME_PREFIX, PROPERTIES, Properties, leftovers};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::Uid;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More than any instance writes, in bytes.
const LARGEST_PROPERTIES: u64 = 64 * 1024;

/// How long making a directory can take at most; after that it was left behind.
const MAKING: Duration = Duration::from_secs(60);

/// An instance that was alive when it was looked for.
#[derive(Debug)]
pub struct Instance {
    /// What it says about itself.
    pub properties: Properties,
    path: PathBuf,
    lock: File,
}

impl Instance {
    /// Whether it is still alive. Costs one system call.
    pub fn is_alive(&self) -> bool {
        is_held(&self.lock)
    }

    /// The path of its admin socket.
    pub fn admin_socket(&self) -> PathBuf {
        self.path.join(ADMIN_SOCKET)
    }

    /// Whether it listens on TCP port `port`.
    pub fn has_port(&self, port: u16) -> bool {
        let end = format!(":{port}");
        self.properties.addresses.iter().any(|address| !address.starts_with("unix:") && address.ends_with(&end))
    }

    /// Whether it was started for `directory` or serves an application there, through whatever symbolic links.
    pub fn serves(&self, directory: &Path) -> bool {
        let real = directory.canonicalize();
        let is_it = |root: &PathBuf| {
            root == directory || real.as_ref().is_ok_and(|real| root.canonicalize().is_ok_and(|other| other == *real))
        };
        std::iter::once(&self.properties.root).chain(&self.properties.app_roots).any(is_it)
    }

    fn open(path: &Path) -> Option<Self> {
        let owner = trusted_owner(path)?;
        let lock = open_plain_file(&path.join(LOCK))?;
        if !is_held(&lock) {
            return None;
        }
        let properties = properties(path)?;
        // What a user wrote there must not make root signal a process of somebody else.
        (process_owner(properties.pid)? == owner).then(|| Self { properties, path: path.to_owned(), lock })
    }
}

/// The live instances in `registry` that this user may manage: his own, and all of them when he is root. The oldest
/// comes first.
pub fn list(registry: &Path) -> Vec<Instance> {
    let mut instances: Vec<Instance> = candidates(registry).filter_map(|path| Instance::open(&path)).collect();
    instances.sort_by_key(|instance| (instance.properties.started_at, instance.properties.pid));
    instances
}

fn candidates(registry: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(registry).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(NAME_PREFIX.as_bytes()))
        .map(|entry| entry.path())
}

/// The owner of an instance directory, or `None` when it is not one that this process may trust.
fn trusted_owner(path: &Path) -> Option<Uid> {
    let metadata = path.symlink_metadata().ok()?;
    let owner = Uid::from_raw(metadata.uid());
    let me = Uid::effective();
    let private = metadata.is_dir() && metadata.mode() & 0o777 == 0o700;
    (private && (owner == me || me.is_root())).then_some(owner)
}

/// Opens a file that somebody else may have put there: no link is followed, and a named pipe does not block.
fn open_plain_file(path: &Path) -> Option<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// Whether an instance holds `lock`. Asked by a shared lock, so that two who ask at the same time do not take each
/// other for it.
fn is_held(lock: &File) -> bool {
    let Ok(copy) = lock.try_clone() else { return true };
    match Flock::lock(copy, FlockArg::LockSharedNonblock) {
        Ok(_) => false,
        Err((_, errno)) => errno == Errno::EWOULDBLOCK,
    }
}

/// What the instance in this directory says about itself.
pub(super) fn properties(path: &Path) -> Option<Properties> {
    let mut json = Vec::new();
    open_plain_file(&path.join(PROPERTIES))?.take(LARGEST_PROPERTIES).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

fn process_owner(pid: u32) -> Option<Uid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, file system.
    ids.split_whitespace().nth(1)?.parse().ok().map(Uid::from_raw)
}

/// Removes what dead instances of this user left behind.
pub(super) fn remove_dead(registry: &Path) {
    for path in candidates(registry) {
        if trusted_owner(&path) != Some(Uid::effective()) {
            continue;
        }
        let dead = match open_plain_file(&path.join(LOCK)) {
            // Held until the directory is gone, so that nobody else removes it at the same time.
            Some(lock) => Flock::lock(lock, FlockArg::LockExclusiveNonblock).ok().map(Some),
            None => was_left_half_made(&path).then_some(None),
        };
        if dead.is_some() {
            leftovers::remove(&path);
        }
    }
}

fn was_left_half_made(path: &Path) -> bool {
    let changed = path.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > MAKING))
}
