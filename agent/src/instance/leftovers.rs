//! What is left when an instance is gone: its directory, and files that it has made elsewhere.

use super::registry;
use crate::pid_file;
use std::fs;
use std::io::ErrorKind::ConnectionRefused;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Removes the directory of an instance that has ended, its sockets and its pid file. Those that belong to somebody else
/// meanwhile stay.
pub(super) fn remove(directory: &Path) {
    if let Some(properties) = registry::properties(directory) {
        for socket in properties.addresses.iter().filter_map(|address| address.strip_prefix("unix:")) {
            if UnixStream::connect(socket).is_err_and(|error| error.kind() == ConnectionRefused) {
                let _ = fs::remove_file(socket);
            }
        }
        if let Some(path) = &properties.pid_file
            && pid_file::read(path) == Ok(properties.pid)
        {
            let _ = fs::remove_file(path);
        }
    }
    let _ = fs::remove_dir_all(directory);
}
