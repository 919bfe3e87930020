//! The application's answer on its way to the client: at once, whatever is there.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;
use passenger_native::frame::{Header, UPGRADE};
use passenger_native::request::Protocol;
use passenger_native::response as native;

use super::{Site, head_writer, sendfile};
use crate::app::user::AppUser;
use crate::buffer::Chunk;
use crate::http::connection::Connection;
use crate::http::response::{self, Context, Framing};
use crate::pool::session::{Ending, Event, Session};

/// A body up to this size is copied behind its head, so that both leave in one plain write.
const COPIED: usize = 16 * 1024;
/// How much of a complete answer is gathered to be sent in one write with a known length.
const GATHERED: usize = 64 * 1024;

/// What became of an answer.
pub enum Verdict {
    /// The client has it.
    Done {
        /// Whether the connection goes on.
        keep_alive: bool,
    },
    /// The application has taken the connection over.
    Tunnel(OwnedFd),
    /// There was none; nothing has been sent.
    Failed(Ending),
    /// It named a file that can't be sent; nothing has been sent.
    NoFile,
    /// The application has accepted a WebSocket handshake; nothing has been sent.
    WebSocket {
        /// The response frame's header.
        frame: Header,
        /// Its payload.
        payload: Bytes,
    },
}

/// Waits for what the session says next, or for the client to leave: then what is asked of the application is given up.
async fn next(connection: &mut Connection, session: &mut Session) -> io::Result<Event> {
    tokio::select! {
        biased;
        event = session.next() => Ok(event),
        error = connection.departure() => Err(error),
    }
}

/// Forwards the answer of a session. With sticky sessions the client is told who has answered, if it does not know.
///
/// # Errors
/// When the client's connection broke, or had to be ended in the middle of a response.
pub async fn respond(
    connection: &mut Connection,
    session: &mut Session,
    context: &Context,
    site: &Site,
) -> io::Result<Verdict> {
    loop {
        match next(connection, session).await? {
            Event::Interim(frame, payload) => {
                if context.protocol == Protocol::Http11
                    && let Ok(interim) = native::decode(&frame, &payload)
                {
                    head_writer::write(&mut connection.output, interim.status, &interim.headers);
                    connection.output.extend_from_slice(b"\r\n");
                    connection.write(&[]).await?;
                }
            }
            Event::Head { frame, payload } => {
                let first = match native::decode(&frame, &payload) {
                    Ok(answer) => payload.slice_ref(answer.body),
                    Err(error) => {
                        tracing::error!("a worker's answer could not be read: {error}");
                        return Ok(Verdict::Failed(Ending::Cancelled));
                    }
                };
                return answer(connection, session, context, site, &frame, &payload, first).await;
            }
            Event::Upgrade(descriptor) => return Ok(Verdict::Tunnel(descriptor)),
            Event::End(ending) => return Ok(Verdict::Failed(ending)),
            Event::Accepted { frame, payload } => return Ok(Verdict::WebSocket { frame, payload }),
            Event::Chunk(_) | Event::File(..) | Event::Message(..) => {
                tracing::error!("a worker sent a body without a head");
                return Ok(Verdict::Failed(Ending::Cancelled));
            }
        }
    }
}

async fn answer(
    connection: &mut Connection,
    session: &mut Session,
    context: &Context,
    site: &Site,
    frame: &Header,
    payload: &Bytes,
    first: Bytes,
) -> io::Result<Verdict> {
    // The server may have been told to stop while the application worked.
    let context = &Context { keep_alive: context.keep_alive && !connection.lobby.is_closing(), ..*context };
    let status = frame.aux;
    let start = connection.output.len();
    let Ok(head) = native::decode(frame, payload) else {
        return Ok(Verdict::Failed(Ending::Cancelled));
    };
    let announced = head_writer::write(&mut connection.output, status, &head.headers);
    if announced.oob_work {
        session.wants_oob_work();
    }
    if announced.is_malformed() {
        tracing::error!("the application's Content-Length is no number, or there are two");
        connection.output.truncate(start);
        return Ok(Verdict::Failed(Ending::Cancelled));
    }
    if let (Some(sticky), Some(number)) = (&site.sticky_sessions, session.worker())
        && context.sticks_to != Some(number)
    {
        sticky.write(&mut connection.output, number);
    }
    if let Some(path) = announced.file.as_ref().filter(|_| response::allows_body(status)) {
        let keep_alive = announced.keep_alive(Framing::Length(0), context);
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        return send_named_file(connection, &Context { keep_alive, ..*context }, &site.user, start, path).await;
    }
    let rest = session.take_rest(GATHERED);
    let whole = rest.as_ref().map(|rest| first.len() as u64 + rest.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
    let framing = match announced.framing(status, context, whole) {
        Framing::Length(_) | Framing::Chunked if frame.flags & UPGRADE != 0 => Framing::Close,
        framing => framing,
    };
    // The application ends a connection that it takes over; only a 101 says by itself that it will.
    let taken_over = frame.flags & UPGRADE != 0 && status != 101;
    let keep_alive = announced.keep_alive(framing, context) && !taken_over;
    response::finish(&mut connection.output, framing, &Context { keep_alive, ..*context });

    let left = if let Framing::Length(length) = framing { length } else { 0 };
    let mut body = BodyWriter { connection, framing, left, excess: false };
    body.write(first).await?;
    if let Some(rest) = rest {
        for bytes in rest {
            body.write(bytes).await?;
        }
        body.finish().await?;
        return Ok(Verdict::Done { keep_alive });
    }
    body.flush().await?;
    loop {
        match next(body.connection, session).await? {
            Event::Chunk(Chunk::Memory(bytes)) => {
                body.write(bytes).await?;
                body.flush().await?;
            }
            Event::Chunk(Chunk::File { file, offset, length }) => body.send_file(&file, offset, length).await?,
            Event::File(descriptor, range) => {
                body.send_file(&File::from(descriptor), range.offset, range.length).await?;
            }
            Event::Upgrade(_) if taken_over && matches!(framing, Framing::Empty(_)) => {
                // A HEAD request, or a status without a body: what the application would write is not wanted.
                return Ok(Verdict::Done { keep_alive: false });
            }
            Event::Upgrade(descriptor) => return Ok(Verdict::Tunnel(descriptor)),
            Event::End(Ending::Complete) => {
                body.finish().await?;
                return Ok(Verdict::Done { keep_alive });
            }
            Event::End(ending) => return Err(cut(&format!("the answer was not finished: {ending:?}"))),
            Event::Interim(..) | Event::Head { .. } | Event::Accepted { .. } | Event::Message(..) => {
                return Err(cut("the application answered twice"));
            }
        }
    }
}

/// Sends the file that an `X-Sendfile` header named.
async fn send_named_file(
    connection: &mut Connection,
    context: &Context,
    user: &AppUser,
    start: usize,
    path: &Path,
) -> io::Result<Verdict> {
    let opened =
        if path.is_absolute() { sendfile::open(path, user) } else { Err(io::ErrorKind::InvalidFilename.into()) };
    let (file, length, _) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(
                "X-Sendfile: {} can't be sent: {error}; it must be the absolute path of a file that {} may read",
                path.display(),
                user.name()
            );
            connection.output.truncate(start);
            return Ok(Verdict::NoFile);
        }
    };
    response::finish(&mut connection.output, Framing::Length(length), context);
    connection.write(&[]).await?;
    if !context.is_head {
        connection.socket.send_file(&file, 0, length).await?;
    }
    Ok(Verdict::Done { keep_alive: context.keep_alive })
}

/// The client's connection is ended, so that it sees that the response is not whole.
fn cut(reason: &str) -> io::Error {
    tracing::warn!("a response was cut off: {reason}");
    io::Error::new(io::ErrorKind::ConnectionAborted, reason.to_owned())
}

/// Writes body bytes as the framing has them. What is small stays in the output buffer until [`BodyWriter::flush`].
struct BodyWriter<'a> {
    connection: &'a mut Connection,
    framing: Framing,
    /// With a known length: what is still owed, and whether there was more than that.
    left: u64,
    excess: bool,
}

impl BodyWriter<'_> {
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        let length = self.allow(bytes.len() as u64) as usize;
        if length == 0 {
            return Ok(());
        }
        self.begin_chunk(length as u64);
        if length <= COPIED {
            self.connection.output.extend_from_slice(&bytes[..length]);
        } else {
            self.connection.write(&bytes[..length]).await?;
        }
        self.end_chunk();
        Ok(())
    }

    async fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        let length = self.allow(length);
        if length > 0 {
            self.begin_chunk(length);
            self.connection.write(&[]).await?;
            self.connection.socket.send_file(file, offset, length).await?;
            self.end_chunk();
        }
        Ok(())
    }

    /// How many of `length` bytes the client may get.
    fn allow(&mut self, length: u64) -> u64 {
        match self.framing {
            Framing::Empty(_) => 0,
            Framing::Length(_) => {
                let allowed = length.min(self.left);
                self.left -= allowed;
                self.excess |= allowed < length;
                allowed
            }
            Framing::Chunked | Framing::Coded | Framing::Close => length,
        }
    }

    fn begin_chunk(&mut self, length: u64) {
        if self.framing == Framing::Chunked {
            response::chunk_size(&mut self.connection.output, length);
        }
    }

    // The line end travels with whatever is written next: the chunk's bytes are with the client already.
    fn end_chunk(&mut self) {
        if self.framing == Framing::Chunked {
            self.connection.output.extend_from_slice(b"\r\n");
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.connection.write(&[]).await
    }

    async fn finish(&mut self) -> io::Result<()> {
        if self.framing == Framing::Chunked {
            self.connection.output.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await?;
        if self.left > 0 {
            return Err(cut("the application sent less than its Content-Length"));
        }
        if self.excess {
            return Err(cut("the application sent more than its Content-Length"));
        }
        Ok(())
    }
}
