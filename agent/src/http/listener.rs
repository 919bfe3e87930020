//! Accepting connections.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::{TcpListener, UnixListener};

use super::connection::Peer;
use super::socket::Socket;

/// How long to wait when the system has no descriptor or memory left for another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// A listening socket.
pub enum Listener {
    /// On a TCP port.
    Tcp(TcpListener),
    /// On a Unix socket file.
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Responses leave in whole writes; waiting to fill packets only delays them.
                stream.set_nodelay(true)?;
                let local_port = stream.local_addr()?.port();
                let peer = Peer { address: address.ip().to_canonical().to_string(), port: address.port(), local_port };
                Ok((Socket::Tcp(stream), peer))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), Peer { address: String::new(), port: 0, local_port: 0 }))
            }
        }
    }

    /// Accepts for as long as it is polled, giving every connection to `serve`.
    pub async fn run(self, serve: Rc<dyn Fn(Socket, Peer)>) {
        loop {
            match self.accept().await {
                Ok((socket, peer)) => serve(socket, peer),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                        tracing::error!("can't accept connections: {error}; raise the limit on open files (ulimit -n)");
                        tokio::time::sleep(EXHAUSTED).await;
                    }
                    // The client was gone before it was accepted.
                    _ => tracing::debug!("a connection ended before it was accepted: {error}"),
                },
            }
        }
    }
}
