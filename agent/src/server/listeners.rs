//! The sockets that requests come in on.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use crate::config::ListenAddress;
use crate::http::listener::Listener;
use crate::sys;

/// Anybody on the machine may connect to a Unix socket, as to a port; its directory says who can reach it.
const SOCKET_MODE: u32 = 0o666;

/// Where the descriptors begin that systemd passes on.
const FIRST_ACTIVATED: RawFd = 3;

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
    /// Somebody else's, who keeps it when this instance has ended.
    Activated(OwnedFd),
}

/// A listening socket with its address.
pub struct Bound {
    /// Where it listens, with the port that the system chose.
    pub address: ListenAddress,
    socket: Socket,
}

/// Binds all addresses.
///
/// # Errors
/// Which address can't be had, why, and what to do.
pub fn bind(addresses: &[ListenAddress]) -> Result<Vec<Bound>, String> {
    addresses.iter().map(|address| bind_one(address).map_err(|error| explain(address, &error))).collect()
}

/// The sockets that systemd has opened for this process (sd_listen_fds(3)); empty if it was not asked to.
///
/// # Errors
/// What is wrong with them.
pub fn activated(environment: &impl Fn(&str) -> Option<String>) -> Result<Vec<Bound>, String> {
    let number = |name| environment(name).and_then(|value| value.parse::<i32>().ok());
    if number("LISTEN_PID") != i32::try_from(std::process::id()).ok() {
        return Ok(Vec::new());
    }
    let sockets = FIRST_ACTIVATED..FIRST_ACTIVATED + number("LISTEN_FDS").unwrap_or(0);
    let take = |number| {
        adopt(number)
            .map_err(|error| format!("descriptor {number}, which systemd has passed on, is of no use: {error}"))
    };
    sockets.map(take).collect()
}

fn adopt(number: RawFd) -> io::Result<Bound> {
    let socket = sys::descriptor::take(number)?;
    sys::socket::set_nonblocking(&socket)?;
    if !sys::socket::listens(&socket)? {
        return Err(io::Error::other("it does not listen"));
    }
    let unix = UnixListener::from(socket.try_clone()?);
    if let Some(path) = unix.local_addr().ok().and_then(|address| address.as_pathname().map(PathBuf::from)) {
        return Ok(Bound { address: ListenAddress::Unix(path), socket: Socket::Activated(socket) });
    }
    let address = TcpListener::from(socket.try_clone()?).local_addr()?;
    let address = ListenAddress::Tcp { host: address.ip().to_string(), port: address.port() };
    Ok(Bound { address, socket: Socket::Activated(socket) })
}

fn bind_one(address: &ListenAddress) -> io::Result<Bound> {
    match address {
        ListenAddress::Tcp { host, port } => {
            let resolved = (host.as_str(), *port).to_socket_addrs()?.next();
            let listener = sys::socket::listen_tcp(resolved.ok_or(io::ErrorKind::AddrNotAvailable)?)?;
            let port = listener.local_addr()?.port();
            Ok(Bound { address: ListenAddress::Tcp { host: host.clone(), port }, socket: Socket::Tcp(listener) })
        }
        ListenAddress::Unix(path) => {
            let listener = sys::socket::listen_unix(path, SOCKET_MODE)?;
            Ok(Bound { address: address.clone(), socket: Socket::Unix(listener, path.clone()) })
        }
    }
}

fn explain(address: &ListenAddress, error: &io::Error) -> String {
    let option = if matches!(address, ListenAddress::Tcp { .. }) { "--port" } else { "--socket" };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{address} is in use by another program; stop that one (`passenger stop`) or choose another with {option}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("this user may not listen on {address}; choose another with {option} (ports below 1024 need root)")
        }
        _ => format!("can't listen on {address}: {error}; check --address and {option}"),
    }
}

impl Bound {
    /// The socket, for the instance to keep.
    ///
    /// # Errors
    /// What `dup(2)` says.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Socket::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
            Socket::Activated(socket) => socket.try_clone(),
        }
    }
}

/// The listeners for the event loop, of sockets that are bound to these addresses.
///
/// # Errors
/// When one can't be registered.
pub fn open(sockets: &[OwnedFd], addresses: &[ListenAddress]) -> io::Result<Vec<Listener>> {
    let listener = |(socket, address): (&OwnedFd, &ListenAddress)| {
        let socket = socket.try_clone()?;
        Ok(match address {
            ListenAddress::Tcp { .. } => Listener::Tcp(tokio::net::TcpListener::from_std(socket.into())?),
            ListenAddress::Unix(_) => Listener::Unix(tokio::net::UnixListener::from_std(socket.into())?),
        })
    };
    sockets.iter().zip(addresses).map(listener).collect()
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            // A file that is not there any more is what was wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[])]
    #[case(&[("LISTEN_FDS", "2")])]
    #[case(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "1")])]
    #[case(&[("LISTEN_FDS", "two"), ("LISTEN_PID", "mine")])]
    fn what_systemd_passed_on_to_somebody_else_is_left_alone(#[case] variables: &[(&str, &str)]) {
        let environment =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        assert!(activated(&environment).unwrap().is_empty());
    }
}
