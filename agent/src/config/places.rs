//! Where files go when nobody says where.

use super::{Environment, ListenAddress};
use nix::unistd::{AccessFlags, access};
use std::ffi::OsStr;
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
    if log.is_dir() { log } else { app_root.to_owned() }.join(file_name(listen, "log"))
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
