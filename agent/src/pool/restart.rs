//! `restart.txt` and `always_restart.txt`: touching the first restarts the application, the second being there does with
//! every request.
//!
//! They are looked at when requests come rather than watched, so that the request after the touch already sees the new
//! version, on every file system, and whatever happens to the directory meanwhile. That is one system call a turn of the
//! event loop; for the second file there is another one a second.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::turn::Turn;

/// How often it is looked whether `always_restart.txt` is there.
const INTERVAL: Duration = Duration::from_secs(1);

/// What tells one version of a file from another.
type Stamp = (i64, i64, u64);

/// A wish for a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// `restart.txt` was touched: of what is there from now on.
    Touched,
    /// `always_restart.txt` is there.
    Always,
}

/// The files in an application's restart directory.
pub struct RestartFiles {
    restart: PathBuf,
    always_restart: PathBuf,
    known: RefCell<Option<Stamp>>,
    always: Cell<bool>,
    looked: Cell<u64>,
    looked_for_always: Cell<Option<Instant>>,
    turn: Rc<Turn>,
}

impl RestartFiles {
    /// Looks at the files in `directory`, which need not exist; a touch from now on counts.
    #[must_use]
    pub fn new(directory: &Path, turn: Rc<Turn>) -> Self {
        let restart = directory.join("restart.txt");
        let known = RefCell::new(stamp(&restart));
        Self {
            restart,
            always_restart: directory.join("always_restart.txt"),
            known,
            always: Cell::new(false),
            looked: Cell::new(u64::MAX),
            looked_for_always: Cell::new(None),
            turn,
        }
    }

    /// Whether these are the files in this directory.
    #[must_use]
    pub fn are_in(&self, directory: &Path) -> bool {
        self.restart.parent() == Some(directory)
    }

    /// What they say, at most once a turn.
    #[must_use]
    pub fn wish(&self) -> Option<Wish> {
        let turn = self.turn.number();
        if self.looked.replace(turn) == turn {
            return None;
        }
        let now = stamp(&self.restart);
        let before = self.known.replace(now);
        if now.is_some() && now != before {
            return Some(Wish::Touched);
        }
        self.is_always().then_some(Wish::Always)
    }

    fn is_always(&self) -> bool {
        if self.looked_for_always.get().is_none_or(|looked| looked.elapsed() >= INTERVAL) {
            self.looked_for_always.set(Some(Instant::now()));
            self.always.set(self.always_restart.exists());
        }
        self.always.get()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn always_is_seen_within_a_second_and_a_touch_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let wish = |files: &RestartFiles| {
            // Each look is in a turn of its own.
            files.looked.set(u64::MAX);
            files.wish()
        };
        let files = RestartFiles::new(directory.path(), Rc::default());
        assert_eq!(wish(&files), None);
        std::fs::write(directory.path().join("restart.txt"), "").unwrap();
        std::fs::write(directory.path().join("always_restart.txt"), "").unwrap();
        assert_eq!(wish(&files), Some(Wish::Touched));
        assert_eq!(files.wish(), None, "once a turn");
        assert_eq!(wish(&files), None);
        tokio::time::advance(INTERVAL).await;
        assert_eq!((wish(&files), wish(&files)), (Some(Wish::Always), Some(Wish::Always)));
        std::fs::remove_file(directory.path().join("always_restart.txt")).unwrap();
        tokio::time::advance(INTERVAL).await;
        assert_eq!(wish(&files), None);
    }
}
