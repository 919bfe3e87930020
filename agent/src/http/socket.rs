//! The client's end: TCP or Unix, with the few operations the server needs.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::BytesMut;
use nix::sys::socket::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::sys;

/// A connected stream.
pub enum Socket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A Unix connection.
    Unix(UnixStream),
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Socket::Tcp($stream) => $call,
            Socket::Unix($stream) => $call,
        }
    };
}

impl Socket {
    /// Looks whether something can be read, so that waiting needs no buffer.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read_ready(cx))
    }

    /// Waits for data and appends what is there, `room` bytes at most or a little more; 0 at the end of the stream.
    ///
    /// # Errors
    /// What `recv(2)` says.
    pub async fn read(&mut self, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
        poll_fn(|cx| self.poll_readable(cx)).await?;
        buffer.reserve(room);
        either!(self, stream => stream.read_buf(buffer).await)
    }

    /// As [`Socket::read`], for one who waits for other things as well.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
        // Losing the future loses nothing: it reads when it returns.
        pin!(self.read(buffer, room)).poll(cx)
    }

    /// Writes what the system takes at once; waits while that is nothing.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    /// Whether the other side has ended both directions, as far as the system knows: it may also have done so without
    /// our being told. Asked after the end of the stream has been read.
    pub async fn is_gone(&self) -> bool {
        let ready = either!(self, stream => stream.ready(Interest::READABLE | Interest::WRITABLE).await);
        ready.is_ok_and(|ready| ready.is_write_closed())
    }

    /// Writes `head` and `body`, in one call where the system takes them.
    ///
    /// # Errors
    /// What `writev(2)` says; `WriteZero` when the other side takes nothing any more.
    pub async fn write_all(&mut self, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
        while !head.is_empty() || !body.is_empty() {
            // Most responses are one piece, for which the plain call costs the kernel less.
            let written = match (head, body) {
                ([], single) | (single, []) => either!(&mut *self, stream => stream.write(single).await)?,
                _ => {
                    let parts = [IoSlice::new(head), IoSlice::new(body)];
                    either!(&mut *self, stream => stream.write_vectored(&parts).await)?
                }
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let from_head = written.min(head.len());
            head = &head[from_head..];
            body = &body[written - from_head..];
        }
        Ok(())
    }

    /// Sends `length` bytes of a file from `offset` without copying them through this process.
    ///
    /// # Errors
    /// What `sendfile(2)` says; `UnexpectedEof` when the file is shorter.
    pub async fn send_file(&mut self, file: &std::fs::File, mut offset: u64, length: u64) -> io::Result<()> {
        let end = offset + length;
        while offset < end {
            either!(&*self, stream => stream.writable().await)?;
            let send = || sys::file::send(self, file, offset, end - offset);
            match either!(&*self, stream => stream.try_io(Interest::WRITABLE, send)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => offset += sent as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends one or both directions at once.
    pub fn shut_down(&self, how: Shutdown) {
        sys::socket::shut_down(self, how);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, stream => stream.as_fd())
    }
}
