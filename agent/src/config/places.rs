//! Where files go when nobody says where.

use super::{Environment, ListenAddress};
use nix::unistd::{AccessFlags, Uid, access};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// `path` made absolute without following symbolic links.
pub(super) fn absolute(path: &Path) -> PathBuf {
    // Fails only for an empty path or when the working directory is gone; then nothing better is known than the
    // path as it is.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The directory for what lives no longer than the machine is up.
pub(super) fn temporary_dir(environment: &Environment) -> PathBuf {
    let given = environment.get(OsStr::new("TMPDIR")).filter(|value| !value.is_empty());
    given.map_or_else(|| PathBuf::from("/tmp"), |value| absolute(Path::new(value)))
}

/// The pid file of the application in `app_root`, or `None` when nothing can be written there. Its directory need
/// not exist yet.
pub(super) fn pid_file(app_root: &Path, listen: &ListenAddress) -> Option<PathBuf> {
    if !is_safe(&[app_root, &app_root.join("tmp"), &app_root.join("tmp/pids")]) {
        return Some(Path::new("/run").join(name_of_its_own(app_root, listen, "pid")));
    }
    let name = file_name(listen, "pid");
    let tmp = app_root.join("tmp");
    let pids = tmp.join("pids");
    if pids.is_dir() || (tmp.is_dir() && is_writable(&tmp)) {
        return is_writable_or_missing(&pids).then(|| pids.join(name));
    }
    is_writable(app_root).then(|| app_root.join(name))
}

/// The log file of the application in `app_root` when it runs in the background.
pub(super) fn log_file(app_root: &Path, listen: &ListenAddress) -> PathBuf {
    let log = app_root.join("log");
    if !is_safe(&[app_root, &log]) {
        return Path::new("/var/log").join(name_of_its_own(app_root, listen, "log"));
    }
    if log.is_dir() { log } else { app_root.to_owned() }.join(file_name(listen, "log"))
}

/// Whether this process may open files in these directories, as far as they are there. What root opens where others may
/// write could be a link of theirs to anywhere.
fn is_safe(directories: &[&Path]) -> bool {
    let belongs_to_root = |path: &Path| {
        let metadata = path.symlink_metadata();
        metadata.map_or_else(|error| error.kind() == ErrorKind::NotFound, |metadata| metadata.uid() == 0)
    };
    !Uid::effective().is_root()
        || directories.iter().all(|directory| {
            // The way there, and where it leads to.
            let real = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
            directory.ancestors().chain(real.ancestors()).all(belongs_to_root)
        })
}

/// A file's name where those of all applications are.
fn name_of_its_own(app_root: &Path, listen: &ListenAddress, extension: &str) -> PathBuf {
    match (listen, app_root.file_name().and_then(OsStr::to_str)) {
        (ListenAddress::Unix(_), Some(name)) => format!("passenger.{name}.{extension}").into(),
        _ => file_name(listen, extension).into(),
    }
}

/// `passenger.3000.pid`, or `passenger.pid` with a Unix socket, which has no port.
fn file_name(listen: &ListenAddress, extension: &str) -> String {
    match listen {
        ListenAddress::Tcp { port, .. } => format!("passenger.{port}.{extension}"),
        ListenAddress::Unix(_) => format!("passenger.{extension}"),
    }
}

fn is_writable(directory: &Path) -> bool {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

fn is_writable_or_missing(directory: &Path) -> bool {
    !directory.exists() || is_writable(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(&[], "passenger.3000.pid", "passenger.3000.log")]
    #[case::with_tmp(&["tmp"], "tmp/pids/passenger.3000.pid", "passenger.3000.log")]
    #[case::rails(&["tmp/pids", "log"], "tmp/pids/passenger.3000.pid", "log/passenger.3000.log")]
    fn chooses_by_the_directories_present(#[case] present: &[&str], #[case] pid: &str, #[case] log: &str) {
        let app = tempfile::tempdir().unwrap();
        for directory in present {
            std::fs::create_dir_all(app.path().join(directory)).unwrap();
        }
        let listen = ListenAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3000 };
        assert_eq!(pid_file(app.path(), &listen), Some(app.path().join(pid)));
        assert_eq!(log_file(app.path(), &listen), app.path().join(log));
    }

    #[test]
    fn a_unix_socket_has_no_port_to_name_files_after() {
        let app = tempfile::tempdir().unwrap();
        let listen = ListenAddress::Unix("/run/shop.sock".into());
        assert_eq!(pid_file(app.path(), &listen), Some(app.path().join("passenger.pid")));
        assert_eq!(log_file(app.path(), &listen), app.path().join("passenger.log"));
    }

    #[rstest]
    #[case::its_own(&["."])]
    #[case::below(&["log", "tmp"])]
    fn root_opens_nothing_where_others_may_write(#[case] theirs: &[&str]) {
        if !Uid::effective().is_root() {
            return;
        }
        let parent = tempfile::tempdir().unwrap();
        let app = parent.path().join("shop");
        for directory in ["log", "tmp"] {
            std::fs::create_dir_all(app.join(directory)).unwrap();
        }
        let tcp = ListenAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3000 };
        let unix = ListenAddress::Unix("/run/shop.sock".into());
        assert_eq!(log_file(&app, &tcp), app.join("log/passenger.3000.log"));
        for directory in theirs {
            std::os::unix::fs::chown(app.join(directory), Some(65534), None).unwrap();
        }
        assert_eq!(log_file(&app, &tcp), Path::new("/var/log/passenger.3000.log"));
        assert_eq!(pid_file(&app, &tcp), Some("/run/passenger.3000.pid".into()));
        assert_eq!(pid_file(&app, &unix), Some("/run/passenger.shop.pid".into()));
    }

    #[test]
    fn no_pid_file_where_nothing_can_be_written() {
        let listen = ListenAddress::Unix("/run/shop.sock".into());
        assert_eq!(pid_file(Path::new("/missing"), &listen), None);
    }

    #[rstest]
    #[case(Some("/var/tmp"), "/var/tmp")]
    #[case(Some(""), "/tmp")]
    #[case(None, "/tmp")]
    fn temporary_files_follow_tmpdir(#[case] tmpdir: Option<&str>, #[case] expected: &str) {
        let environment = tmpdir.map(|value| ("TMPDIR".into(), value.into())).into_iter().collect();
        assert_eq!(temporary_dir(&environment), Path::new(expected));
    }
}
