//! One client's connection: its buffers, and where it stands between requests.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use nix::sys::socket::Shutdown;
use tokio::time::{sleep, timeout};

use super::head::MAX_TARGET;
use super::lobby::Lobby;
use super::socket::Socket;

/// What a read of a request head asks for.
const HEAD_ROOM: usize = 8 * 1024;
/// After a refused request: how much of what still comes is read, so that the answer is not lost to a reset.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much of what a client sends ahead is taken in while its request is served.
const AHEAD: usize = 64 * 1024;
/// How long a client that has ended its side of the connection is believed to wait for more of its answer.
const HALF_CLOSED: Duration = Duration::from_secs(1);
/// Buffers of idle connections that are kept for the next busy ones.
const KEPT_BUFFERS: usize = 64;

thread_local! {
    static BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Forgets the buffers that are kept for busy times.
pub(super) fn drop_spare_buffers() {
    BUFFERS.with_borrow_mut(Vec::clear);
}

/// Who is at the other end, as the application sees it.
pub struct Peer {
    /// The address as text; empty on a Unix socket.
    pub address: String,
    /// The port; 0 on a Unix socket.
    pub port: u16,
    /// The port on which the connection was accepted; 0 on a Unix socket.
    pub local_port: u16,
}

/// A connection in its task.
pub struct Connection {
    /// The stream.
    pub socket: Socket,
    /// The other end.
    pub peer: Peer,
    /// Bytes that were read and not used.
    pub input: BytesMut,
    /// Bytes to be written with the next write.
    pub output: Vec<u8>,
    /// How much of the input was found not to hold a whole head.
    scanned: usize,
    /// All connections of the server.
    pub lobby: Rc<Lobby>,
    seat: usize,
}

/// What came of waiting for more input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// There are more bytes in [`Connection::input`].
    Bytes,
    /// The client has closed, or the server is closing and the connection was idle.
    Closed,
}

impl Connection {
    /// Takes a seat in the lobby for an accepted stream.
    #[must_use]
    pub fn new(socket: Socket, peer: Peer, lobby: Rc<Lobby>) -> Self {
        let seat = lobby.enter();
        Self { socket, peer, input: BytesMut::new(), output: Vec::new(), scanned: 0, lobby, seat }
    }

    /// Waits for bytes of a request head. Between requests this is where a closing server ends the connection.
    ///
    /// # Errors
    /// What `recv(2)` says.
    pub async fn await_head(&mut self) -> io::Result<Arrival> {
        let idle = self.input.is_empty();
        self.release_buffers();
        let Self { socket, lobby, seat, .. } = self;
        let open = poll_fn(|cx| {
            // Bytes that have arrived are served even when the server is closing.
            match socket.poll_readable(cx) {
                Poll::Pending if idle && lobby.waits_in_vain(*seat, cx.waker()) => Poll::Ready(Ok(false)),
                other => other.map_ok(|()| true),
            }
        })
        .await?;
        if !open {
            return Ok(Arrival::Closed);
        }
        self.borrow_buffer();
        self.receive(HEAD_ROOM).await
    }

    /// Takes in what has arrived, for one who waits for other things as well; 0 at the end of the stream.
    pub fn poll_receive(&mut self, cx: &mut task::Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_readable(cx))?;
        self.borrow_buffer();
        self.socket.poll_read(cx, &mut self.input, room)
    }

    /// Whether the server is closing; the task is woken when it begins to.
    pub fn is_closing(&self, cx: &task::Context<'_>) -> bool {
        self.lobby.waits_in_vain(self.seat, cx.waker())
    }

    fn borrow_buffer(&mut self) {
        if self.input.capacity() == 0 {
            self.input = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
    }

    /// Whether it is worth parsing the input: the first bytes of a request always, then only what brings an empty line or
    /// a limit nearer, so that a head that trickles in costs no more than one that comes at once.
    pub fn may_hold_a_head(&mut self) -> bool {
        let before = std::mem::replace(&mut self.scanned, self.input.len());
        let new = &self.input[before.saturating_sub(3).min(self.input.len())..];
        match before {
            0 => !self.input.is_empty(),
            _ => {
                self.input.len() > MAX_TARGET
                    || memchr::memchr_iter(b'\n', new)
                        .any(|at| matches!(&new[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
            }
        }
    }

    /// Takes a parsed head off the input.
    pub fn take_head(&mut self, length: usize) -> BytesMut {
        self.scanned = 0;
        self.input.split_to(length)
    }

    /// Waits for more bytes of a body.
    ///
    /// # Errors
    /// What `recv(2)` says.
    pub async fn receive(&mut self, room: usize) -> io::Result<Arrival> {
        Ok(match self.socket.read(&mut self.input, room).await? {
            0 => Arrival::Closed,
            _ => Arrival::Bytes,
        })
    }

    /// Waits until the client has left; says how that was noticed. Requests that it sends ahead meanwhile are kept.
    ///
    /// A client that has closed can't be told from one that only has nothing more to send, unless something is sent to
    /// it: so it gets a moment in which its answer may come.
    pub async fn departure(&mut self) -> io::Error {
        while self.input.len() < AHEAD {
            match self.receive(HEAD_ROOM).await {
                Ok(Arrival::Bytes) => {}
                Ok(Arrival::Closed) => {
                    if !self.socket.is_gone().await {
                        // In a box of its own, as most connections never come here.
                        Box::pin(sleep(HALF_CLOSED)).await;
                    }
                    return io::Error::new(io::ErrorKind::ConnectionAborted, "the client left before it was answered");
                }
                Err(error) => return error,
            }
        }
        // That much is rarely sent ahead; this client is noticed to be gone when something is sent to it.
        pending().await
    }

    /// Writes the output buffer and `body`.
    ///
    /// # Errors
    /// What `writev(2)` says.
    pub async fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let result = self.socket.write_all(&self.output, body).await;
        self.output.clear();
        result
    }

    /// Ends a connection on which more may come than will be read: says so, then reads for a moment, because closing
    /// with unread bytes resets the connection and can take the answer along (RFC 9112, 9.6).
    pub async fn linger(&mut self) {
        self.socket.shut_down(Shutdown::Write);
        let drain = async {
            let mut drained = 0;
            while drained < LINGER_BYTES {
                self.input.clear();
                match self.socket.read(&mut self.input, HEAD_ROOM).await {
                    Ok(1..) => drained += self.input.len(),
                    Ok(0) | Err(_) => return,
                }
            }
        };
        // Whether the client took the hint or time ran out, the connection ends.
        let _ = timeout(LINGER_TIME, drain).await;
    }

    /// Gives memory back that an idle connection does not need.
    pub fn release_buffers(&mut self) {
        if !self.input.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut self.input);
        // A buffer grown by a body, or one whose memory is shared with a request in flight, is not worth keeping.
        if (HEAD_ROOM..=2 * HEAD_ROOM).contains(&buffer.capacity()) {
            BUFFERS.with_borrow_mut(|buffers| {
                if buffers.len() < KEPT_BUFFERS {
                    buffers.push(buffer);
                }
            });
        }
        if self.output.capacity() > 2 * HEAD_ROOM {
            self.output = Vec::new();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.lobby.leave(self.seat);
    }
}
