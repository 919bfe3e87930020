//! The sockets that requests come in on.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use crate::config::ListenAddress;
use crate::http::listener::Listener;
use crate::sys;

/// Anybody on the machine may connect to a Unix socket, as to a port; its directory says who can reach it.
const SOCKET_MODE: u32 = 0o666;

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
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
