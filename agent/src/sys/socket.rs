//! Making sockets with the options that matter here.

use std::fs::OpenOptions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, listen, send,
    setsockopt, socket, socketpair, sockopt,
};
use nix::unistd::geteuid;

/// Connections that wait while the agent is busy or being replaced. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Room for a request with the largest inline body and several small ones behind it.
const DATA_BUFFER: usize = 512 * 1024;

/// A pair of connected sockets for a control channel: packets, close-on-exec, blocking on the second end only.
///
/// # Errors
/// What `socketpair(2)` says.
pub fn control_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SockType::SeqPacket)
}

/// A pair of connected sockets for a data channel: a stream, close-on-exec, blocking on the second end only.
///
/// # Errors
/// What `socketpair(2)` and `setsockopt(2)` say.
pub fn data_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pair(SockType::Stream)?;
    for end in [&ours, &theirs] {
        setsockopt(end, sockopt::SndBuf, &DATA_BUFFER)?;
    }
    Ok((ours, theirs))
}

fn pair(kind: SockType) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?;
    set_nonblocking(&ours)?;
    Ok((ours, theirs))
}

/// Switches a descriptor to non-blocking.
///
/// # Errors
/// What `fcntl(2)` says.
pub fn set_nonblocking(descriptor: &impl AsFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_truncate(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Ends one or both directions of a socket; that it is already gone is no error.
pub fn shut_down(descriptor: &impl AsFd, how: Shutdown) {
    let _ = nix::sys::socket::shutdown(descriptor.as_fd().as_raw_fd(), how);
}

/// Whether the other side of a connected stream has said that it reads no more.
pub fn is_deaf(descriptor: &impl AsFd) -> bool {
    let nothing = send(descriptor.as_fd().as_raw_fd(), &[], MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT);
    nothing == Err(Errno::EPIPE)
}

/// Whether connections can be accepted on it.
///
/// # Errors
/// What `getsockopt(2)` says, `ENOTSOCK` among others.
pub fn listens(descriptor: &impl AsFd) -> io::Result<bool> {
    Ok(nix::sys::socket::getsockopt(descriptor, sockopt::AcceptConn)?)
}

/// A listening TCP socket, non-blocking.
///
/// # Errors
/// `EADDRINUSE`, `EACCES` and what else `bind(2)` says.
pub fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(family, SockType::Stream, flags, None)?;
    // A server that was just stopped leaves connections in TIME_WAIT; they must not keep the next one from starting.
    setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    match address {
        SocketAddr::V4(address) => bind(listener.as_raw_fd(), &SockaddrIn::from(address)),
        SocketAddr::V6(address) => bind(listener.as_raw_fd(), &SockaddrIn6::from(address)),
    }?;
    listen(&listener, Backlog::new(BACKLOG)?)?;
    Ok(TcpListener::from(listener))
}

/// A listening Unix socket, non-blocking. A socket file that nobody listens on any more is replaced.
///
/// # Errors
/// `EADDRINUSE` when somebody does listen or the path is something else; what `bind(2)` says.
pub fn listen_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        let stale = metadata.file_type().is_socket()
            && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if !stale {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    set_mode_of_socket(path, mode)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Sets the mode of the socket at `path` and of nothing else, whatever others have put there meanwhile. (`fchmod(2)` on the
/// socket itself can't: the file has its mode from `bind(2)`, less the umask, which all threads share.)
fn set_mode_of_socket(path: &Path, mode: u32) -> io::Result<()> {
    // This opens what a name stands for, be it a link, without doing anything to it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.file_type().is_socket() || metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other("the socket was replaced by something else while it was made"));
    }
    let file = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_the_sockets_alone() {
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let socket = directory.path().join("socket");
        let _listener = listen_unix(&socket, 0o666).unwrap();
        assert_eq!(mode(&socket), 0o666);
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "").unwrap();
        let before = mode(&file);
        std::os::unix::fs::symlink(&file, &link).unwrap();
        set_mode_of_socket(&link, 0o666).unwrap_err();
        set_mode_of_socket(&file, 0o666).unwrap_err();
        assert_eq!(mode(&file), before);
    }

    #[test]
    fn a_side_that_reads_no_more_is_deaf() {
        let (ours, theirs) = data_pair().unwrap();
        assert!(!is_deaf(&ours));
        shut_down(&theirs, Shutdown::Read);
        assert!(is_deaf(&ours));
        assert!(!is_deaf(&theirs), "it may still speak");
    }
}
