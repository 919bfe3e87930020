//! Files as response bodies.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::app::user::AppUser;

/// Opens a regular file for sending, with the rights of the application's user: neither what the application names nor
/// where a symbolic link of its leads may have the agent send what that user can't read. Returns it with its length in
/// bytes.
///
/// # Errors
/// What `open(2)` says; `InvalidInput` for anything but a regular file.
pub fn open(path: &Path, user: &AppUser) -> io::Result<(File, u64, std::fs::Metadata)> {
    // Without O_NONBLOCK a pipe would hold the agent until somebody writes to it.
    let open = || File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match user.current().map_err(io::Error::other)? {
        Some(user) => user.with_rights(open)?,
        None => open(),
    }?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((file, metadata.len(), metadata))
}
