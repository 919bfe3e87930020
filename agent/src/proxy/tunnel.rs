//! A connection that has been taken over by the application: bytes both ways, until one side ends it or the server
//! stops. (A WebSocket may stay open for days; its client connects again.)

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::http::connection::Connection;
use crate::http::socket::Socket;

/// How long a client may keep its side open after the application has closed.
const LINGER: Duration = Duration::from_secs(5);

/// Joins the client's connection and `descriptor`, beginning with what the client has sent already.
///
/// # Errors
/// When the descriptor is no socket, or either side breaks.
pub async fn run(connection: &mut Connection, descriptor: OwnedFd) -> io::Result<()> {
    connection.write(&[]).await?;
    let application = net::UnixStream::from(descriptor);
    application.set_nonblocking(true)?;
    let mut application = UnixStream::from_std(application)?;
    application.write_all(connection.input.chunk()).await?;
    connection.input.clear();
    let joined = async {
        match &mut connection.socket {
            Socket::Tcp(client) => join(client, application).await,
            Socket::Unix(client) => join(client, application).await,
        }
    };
    tokio::select! {
        result = joined => result,
        () = connection.lobby.closed() => Ok(()),
    }
}

async fn join(client: impl AsyncRead + AsyncWrite, application: UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_application, mut to_application) = application.into_split();
    let upwards = async {
        copy(&mut from_client, &mut to_application).await?;
        // The client has finished its half; the application may still be speaking.
        to_application.shutdown().await
    };
    let downwards = async {
        copy(&mut from_application, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::pin!(upwards, downwards);
    tokio::select! {
        result = &mut upwards => {
            result?;
            downwards.await
        }
        result = &mut downwards => {
            result?;
            timeout(LINGER, upwards).await.unwrap_or(Ok(()))
        }
    }
}
