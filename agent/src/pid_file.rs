//! The pid file of a running instance.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::sys;

/// Writes a process id to `path`, whose directory is made when it is missing.
///
/// # Errors
/// Names the file and the remedy.
pub fn write(path: &Path, pid: u32) -> io::Result<()> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
        // A reader never sees half a number, and a link that somebody left at `path` is replaced, not followed.
        let (mut file, fresh) = sys::file::beside(path)?;
        let written = writeln!(file, "{pid}")
            .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&fresh, path));
        if written.is_err() {
            // What is wrong is told; that nothing is left is a courtesy.
            let _ = fs::remove_file(&fresh);
        }
        written
    };
    write().map_err(|error| {
        let reason =
            format!("cannot write the pid file {}: {error}; choose another one with --pid-file", path.display());
        io::Error::new(error.kind(), reason)
    })
}

/// The process id in `path`.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn read(path: &Path) -> Result<u32, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read the pid file {shown}: {error}"))?;
    text.trim().parse().map_err(|_| format!("the pid file {shown} does not hold a process id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_process_id() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pids/app.pid");
        write(&path, 4711).unwrap();
        assert_eq!(read(&path), Ok(4711));
        assert_eq!(directory.path().join("pids").read_dir().unwrap().count(), 1);
    }

    #[test]
    fn says_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.pid");
        assert!(read(&path).unwrap_err().starts_with("cannot read the pid file"));
        fs::write(&path, "twelve").unwrap();
        assert!(read(&path).unwrap_err().ends_with("does not hold a process id"));
        let below_a_file = write(&path.join("x.pid"), 1).unwrap_err().to_string();
        assert!(below_a_file.contains("choose another one with --pid-file"), "{below_a_file}");
    }
}
