//! Whether an application's user can get at what it needs, asked before anything is started: an interpreter that may not
//! read its first file says little about whose fault that is.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::sys::user::Identity;

/// What the user needs to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Enter a directory.
    Enter,
    /// Read a file.
    Read,
    /// Execute a program, which need not be readable.
    Execute,
}

/// What keeps `user` from what is needed, as a sentence; `None` when nothing does.
///
/// # Errors
/// When this process may not change its user.
pub fn obstacle(user: &Identity, path: &Path, need: Need) -> std::io::Result<Option<String>> {
    // Where links lead is root's to find out; whether the user could follow them is asked of the kernel for both.
    let places = [Some(path.to_owned()), fs::canonicalize(path).ok()];
    user.with_rights(|| places.iter().flatten().find_map(|place| obstacle_to(&user.name, path, place, need)))
}

/// With the user's rights: what is in the way to `place`, where `path` leads.
fn obstacle_to(user: &str, path: &Path, place: &PathBuf, need: Need) -> Option<String> {
    let way: Vec<&Path> = place.ancestors().skip(usize::from(need != Need::Enter)).collect();
    if let Some(closed) = way.into_iter().rev().find(|directory| is_denied(fs::metadata(directory.join(".")))) {
        let on_the_way =
            if closed == path { String::new() } else { format!(", which is on the way to {}", path.display()) };
        return Some(format!("{user} may not enter the directory {}{on_the_way}", closed.display()));
    }
    (need == Need::Read && is_denied(File::open(place))).then(|| format!("{user} may not read {}", path.display()))
}

fn is_denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}
