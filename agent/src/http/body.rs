//! Taking in a request body whole: small ones in memory, others in an unlinked file, so that the application is only
//! asked when everything is there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Buf;

use super::chunked::Decoder;
use super::connection::{Arrival, Connection};
use super::head::{Framing, Rejection};

/// The longest body that travels inside the request's frame, in bytes.
pub const INLINE_LIMIT: usize = 128 * 1024;
/// How much is gathered before it is written to the file.
const BATCH: usize = 256 * 1024;
const READ_ROOM: usize = 64 * 1024;

/// A body that has arrived.
pub enum Upload {
    /// In memory; at most [`INLINE_LIMIT`].
    Memory(Vec<u8>),
    /// In a file.
    File(File, u64),
}

impl Upload {
    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

/// Why there is no body.
#[derive(Debug)]
pub enum BodyError {
    /// It is malformed.
    Rejected(Rejection),
    /// The client left or its connection broke.
    Gone,
    /// It could not be stored.
    Storage(io::Error),
}

impl From<Rejection> for BodyError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

enum Coding {
    Length(u64),
    Chunked(Decoder),
}

impl Coding {
    fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.is_done(),
        }
    }

    /// Moves body bytes from the connection's input to `sink`.
    fn take(&mut self, connection: &mut Connection, sink: &mut Vec<u8>) -> Result<(), Rejection> {
        let input = &mut connection.input;
        let taken = match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                sink.extend_from_slice(&input[..taken]);
                *left -= taken as u64;
                taken
            }
            Self::Chunked(decoder) => decoder.decode(input, sink)?,
        };
        input.advance(taken);
        Ok(())
    }
}

/// Reads a body to its end. `directory` is where files are made. `ask` is the interim response a client waits for
/// before it sends the body; it goes out only if the body has not begun to arrive.
///
/// # Errors
/// See [`BodyError`].
pub async fn read(
    connection: &mut Connection,
    framing: Framing,
    ask: Option<&[u8]>,
    directory: &Path,
) -> Result<Upload, BodyError> {
    let mut coding = match framing {
        Framing::None => return Ok(Upload::Memory(Vec::new())),
        Framing::Length(length) => Coding::Length(length),
        Framing::Chunked => Coding::Chunked(Decoder::default()),
    };
    if let Some(interim) = ask
        && connection.input.is_empty()
    {
        connection.socket.write_all(interim, &[]).await.map_err(|_| BodyError::Gone)?;
    }
    let expected = if let Coding::Length(length) = coding { length as usize } else { 0 };
    let mut batch = Vec::with_capacity(expected.min(INLINE_LIMIT));
    let mut spool: Option<Spool> = None;
    loop {
        coding.take(connection, &mut batch)?;
        let done = coding.is_done();
        let limit = if spool.is_some() { BATCH } else { INLINE_LIMIT };
        if batch.len() > limit || (done && spool.is_some()) {
            let target = spool.take().unwrap_or_else(|| Spool::new(directory));
            let (written, emptied) = target.append(batch).await.map_err(BodyError::Storage)?;
            (spool, batch) = (Some(written), emptied);
        }
        if done {
            return Ok(match spool.and_then(Spool::into_file) {
                Some((file, length)) => Upload::File(file, length),
                None => Upload::Memory(batch),
            });
        }
        match connection.receive(READ_ROOM).await {
            Ok(Arrival::Bytes) => {}
            Ok(Arrival::Closed) | Err(_) => return Err(BodyError::Gone),
        }
    }
}

/// A file that is written off the event loop.
struct Spool {
    directory: PathBuf,
    file: Option<File>,
    length: u64,
}

impl Spool {
    fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), file: None, length: 0 }
    }

    /// Writes `batch` at the end and gives it back, emptied.
    async fn append(mut self, mut batch: Vec<u8>) -> io::Result<(Self, Vec<u8>)> {
        let write = move || {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => crate::sys::file::unlinked(&self.directory)?,
            };
            file.write_all(&batch)?;
            self.length += batch.len() as u64;
            self.file = Some(file);
            batch.clear();
            Ok((self, batch))
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }

    fn into_file(self) -> Option<(File, u64)> {
        self.file.map(|file| (file, self.length))
    }
}
