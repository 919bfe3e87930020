//! The sockets that requests come in on.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
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
    /// The listener for the event loop.
    ///
    /// # Errors
    /// When it can't be registered.
    pub fn listener(&self) -> io::Result<Listener> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => Listener::Tcp(tokio::net::TcpListener::from_std(listener.try_clone()?)?),
            Socket::Unix(listener, _) => Listener::Unix(tokio::net::UnixListener::from_std(listener.try_clone()?)?),
        })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            // A file that is not there any more is what was wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}
