//! Files as response bodies.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file for sending; returns it with its length in bytes.
///
/// # Errors
/// What `open(2)` says; `InvalidInput` for anything but a regular file.
pub fn open(path: &Path) -> io::Result<(File, u64, std::fs::Metadata)> {
    // Without O_NONBLOCK a pipe would hold the agent until somebody writes to it.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((file, metadata.len(), metadata))
}
