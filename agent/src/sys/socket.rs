//! Making sockets with the options that matter here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, listen, send,
    setsockopt, socket, socketpair, sockopt,
};

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
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_reads_no_more_is_deaf() {
        let (ours, theirs) = data_pair().unwrap();
        assert!(!is_deaf(&ours));
        shut_down(&theirs, Shutdown::Read);
        assert!(is_deaf(&ours));
        assert!(!is_deaf(&theirs), "it may still speak");
    }
}
