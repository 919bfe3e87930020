//! The pid file of a running instance.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A file that holds this process's id until this is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes this process's id to `path`, whose directory is made when it is missing. To be called by the process
    /// that goes on running, so after it went into the background.
    ///
    /// # Errors
    /// Names the file and the remedy.
    pub fn create(path: &Path) -> io::Result<Self> {
        let write = || {
            let directory = path.parent().unwrap_or(Path::new("/"));
            fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
            // A reader never sees half a number, and a link that somebody left at `path` is replaced, not followed.
            let mut fresh = path.as_os_str().to_owned();
            fresh.push(format!(".{}", std::process::id()));
            fs::write(&fresh, format!("{}\n", std::process::id()))?;
            fs::rename(&fresh, path)
        };
        write().map_err(|error| {
            let reason =
                format!("cannot write the pid file {}: {error}; choose another one with --pid-file", path.display());
            io::Error::new(error.kind(), reason)
        })?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another instance may have taken the name over.
        if read(&self.path).is_ok_and(|pid| pid == std::process::id()) {
            let _ = fs::remove_file(&self.path);
        }
    }
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
    fn holds_the_process_id_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pids/app.pid");
        let file = PidFile::create(&path).unwrap();
        assert_eq!(read(&path), Ok(std::process::id()));
        drop(file);
        assert!(!path.exists());
        assert!(directory.path().join("pids").read_dir().unwrap().next().is_none());
    }

    #[test]
    fn leaves_the_file_of_another_instance_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.pid");
        let file = PidFile::create(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(read(&path), Ok(1));
    }

    #[test]
    fn says_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.pid");
        assert!(read(&path).unwrap_err().starts_with("cannot read the pid file"));
        fs::write(&path, "twelve").unwrap();
        assert!(read(&path).unwrap_err().ends_with("does not hold a process id"));
        let below_a_file = PidFile::create(&path.join("x.pid")).unwrap_err().to_string();
        assert!(below_a_file.contains("choose another one with --pid-file"), "{below_a_file}");
    }
}
