//! `tmp/restart.txt`: touching it restarts the application.
//!
//! It is looked at once a turn of the event loop rather than watched, so that the request after the touch already sees
//! the new version, on every file system, and whatever happens to the directory meanwhile.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::turn::Turn;

/// What tells one version of the file from another.
type Stamp = (i64, i64, u64);

/// The watched file.
pub struct RestartFile {
    path: PathBuf,
    known: RefCell<Option<Stamp>>,
    looked: Cell<u64>,
    turn: Rc<Turn>,
}

impl RestartFile {
    /// Watches the file of the application in `root`; a touch from now on counts.
    #[must_use]
    pub fn new(root: &Path, turn: Rc<Turn>) -> Self {
        let path = root.join("tmp/restart.txt");
        let known = RefCell::new(stamp(&path));
        Self { path, known, looked: Cell::new(u64::MAX), turn }
    }

    /// Whether the file was touched since this was last asked.
    #[must_use]
    pub fn was_touched(&self) -> bool {
        if self.looked.replace(self.turn.number()) == self.turn.number() {
            return false;
        }
        let now = stamp(&self.path);
        let before = self.known.replace(now);
        now.is_some() && now != before
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}
