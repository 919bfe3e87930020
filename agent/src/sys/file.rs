//! Unlinked files, files with names that nobody can foresee, and moving their bytes to a socket without copying them through this process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Makes a file in `directory` that has no name and so goes away with its last descriptor, whoever dies.
///
/// # Errors
/// What `open(2)` says; file systems without `O_TMPFILE` get a named file that is unlinked at once.
pub fn unlinked(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.custom_flags(libc::O_TMPFILE).open(directory) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
            let template = directory.join("passenger-buffer.XXXXXX");
            let (descriptor, path) = nix::unistd::mkstemp(&template)?;
            std::fs::remove_file(path)?;
            Ok(File::from(descriptor))
        }
        result => result,
    }
}

/// Makes a file beside `path` that was not there before, under a name that nobody can foresee; only this user may read it.
///
/// # Errors
/// What `mkstemp(3)` says.
pub fn beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut template = path.as_os_str().to_owned();
    template.push(".XXXXXX");
    let (descriptor, path) = nix::unistd::mkstemp(Path::new(&template))?;
    Ok((File::from(descriptor), path))
}

/// Sends up to `length` bytes of `file` from `offset` to a socket; returns how many went.
///
/// # Errors
/// What `sendfile(2)` says, `EAGAIN` included.
pub fn send(socket: &impl AsFd, file: &File, offset: u64, length: u64) -> io::Result<usize> {
    let mut from = offset as libc::off_t;
    // The kernel moves at most 0x7ffff000 bytes a call.
    let length = length.min(0x7fff_f000) as usize;
    // SAFETY: both descriptors are borrowed for the call, and `from` outlives it.
    let sent = unsafe { libc::sendfile(socket.as_fd().as_raw_fd(), file.as_raw_fd(), &raw mut from, length) };
    Ok(Errno::result(sent)? as usize)
}
