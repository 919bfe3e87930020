//! Bytes between a worker that is fast and a client that may be slow: in memory first, then in an unlinked file, read
//! back in order while it is written.
//!
//! The file is written off the event loop, so writing is in three steps: [`Buffer::take_write`] hands out the work,
//! [`Write::run`] does it anywhere, [`Buffer::written`] takes the result.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

/// Bytes kept in memory before the file is used.
const MEMORY: usize = 1 << 20;
/// Bytes that may wait to be written to the file, and that may be buffered in all, before the worker is held back.
const BACKLOG: usize = 4 << 20;
const TOTAL: u64 = 128 << 20;

/// A piece of the buffered stream.
#[derive(Debug)]
pub enum Chunk {
    /// From memory.
    Memory(Bytes),
    /// A range of the file.
    File {
        /// The file.
        file: Arc<File>,
        /// Where the piece begins.
        offset: u64,
        /// Its length in bytes.
        length: u64,
    },
}

/// A piece of work for a thread that may block.
pub struct Write {
    file: Option<Arc<File>>,
    directory: PathBuf,
    offset: u64,
    pieces: Vec<Bytes>,
}

/// A stream of bytes with one writer and one reader.
pub struct Buffer {
    directory: Rc<Path>,
    chunks: VecDeque<Chunk>,
    in_memory: usize,
    /// What came since the file was begun, not yet given to a [`Write`].
    backlog: Vec<Bytes>,
    backlogged: usize,
    writing: bool,
    file: Option<Arc<File>>,
    file_end: u64,
    in_file: u64,
    /// The reader may still be sending the piece of the file that it took last.
    lent: bool,
}

impl Buffer {
    /// An empty buffer; `directory` is where its file would be.
    #[must_use]
    pub fn new(directory: Rc<Path>) -> Self {
        Self {
            directory,
            chunks: VecDeque::new(),
            in_memory: 0,
            backlog: Vec::new(),
            backlogged: 0,
            writing: false,
            file: None,
            file_end: 0,
            in_file: 0,
            lent: false,
        }
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let in_order = self.backlog.is_empty() && !self.writing;
        if in_order && (self.in_memory == 0 || self.in_memory + bytes.len() <= MEMORY) {
            self.in_memory += bytes.len();
            self.chunks.push_back(Chunk::Memory(bytes));
        } else {
            self.backlogged += bytes.len();
            self.backlog.push(bytes);
        }
    }

    /// The next write to the file, if there is something to write and no write is under way.
    pub fn take_write(&mut self) -> Option<Write> {
        if self.backlog.is_empty() || self.writing {
            return None;
        }
        self.writing = true;
        let caught_up = self.in_file == 0 && !self.lent;
        if caught_up || self.file_end > TOTAL {
            // The old file goes with its last piece. It is not written again: what sendfile has sent is still its pages
            // until the client has acknowledged them.
            self.file = None;
            self.file_end = 0;
        }
        let pieces = std::mem::take(&mut self.backlog);
        Some(Write { file: self.file.clone(), directory: self.directory.to_path_buf(), offset: self.file_end, pieces })
    }

    /// Takes the result of a write.
    pub fn written(&mut self, file: Arc<File>, length: u64) {
        self.writing = false;
        self.backlogged -= length as usize;
        self.in_file += length;
        self.chunks.push_back(Chunk::File { file: Arc::clone(&file), offset: self.file_end, length });
        self.file_end += length;
        self.file = Some(file);
    }

    /// Takes the oldest piece. The one before it must not be in use any more.
    pub fn pop(&mut self) -> Option<Chunk> {
        self.lent = false;
        let chunk = self.chunks.pop_front()?;
        match &chunk {
            Chunk::Memory(bytes) => self.in_memory -= bytes.len(),
            Chunk::File { length, .. } => {
                self.in_file -= length;
                self.lent = true;
            }
        }
        Some(chunk)
    }

    /// Takes everything, if it is in memory and at most `limit` bytes.
    pub fn take_all(&mut self, limit: usize) -> Option<Vec<Bytes>> {
        if self.in_memory > limit || self.in_file > 0 || self.writing || !self.backlog.is_empty() {
            return None;
        }
        self.in_memory = 0;
        let memory = |chunk| match chunk {
            Chunk::Memory(bytes) => Some(bytes),
            Chunk::File { .. } => None,
        };
        Some(self.chunks.drain(..).filter_map(memory).collect())
    }

    /// Drops everything: nobody will read it.
    pub fn clear(&mut self) {
        *self = Self::new(Rc::clone(&self.directory));
    }

    /// Whether everything that was pushed has been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.backlog.is_empty() && !self.writing
    }

    /// Whether the writer should wait.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.backlogged > BACKLOG || self.in_file > TOTAL
    }
}

impl Write {
    /// Writes; blocks on the file system. Returns what [`Buffer::written`] wants.
    ///
    /// # Errors
    /// When the file can't be made or the disk is full.
    pub fn run(self) -> io::Result<(Arc<File>, u64)> {
        let file = match self.file {
            Some(file) => file,
            None => Arc::new(crate::sys::file::unlinked(&self.directory)?),
        };
        let mut at = self.offset;
        for piece in &self.pieces {
            file.write_all_at(piece, at)?;
            at += piece.len() as u64;
        }
        Ok((file, at - self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunk: &Chunk) -> Vec<u8> {
        match chunk {
            Chunk::Memory(bytes) => bytes.to_vec(),
            Chunk::File { file, offset, length } => {
                let mut bytes = vec![0; *length as usize];
                file.read_exact_at(&mut bytes, *offset).unwrap();
                bytes
            }
        }
    }

    #[test]
    fn order_is_kept_across_memory_and_file() {
        let mut buffer = Buffer::new(std::env::temp_dir().into());
        let piece = |number: u8| Bytes::from(vec![number; 700_000]);
        buffer.push(piece(0));
        buffer.push(piece(1));
        let first = buffer.take_write().unwrap();
        buffer.push(piece(2));
        assert!(buffer.take_write().is_none(), "one write at a time");
        let (file, length) = first.run().unwrap();
        buffer.written(file, length);
        let second = buffer.take_write().unwrap();
        assert_eq!(read(&buffer.pop().unwrap())[0], 0);
        assert_eq!(read(&buffer.pop().unwrap())[0], 1);
        assert!(buffer.pop().is_none() && !buffer.is_empty(), "what is being written is not lost");
        let (file, length) = second.run().unwrap();
        buffer.written(file, length);
        assert_eq!(read(&buffer.pop().unwrap())[699_999], 2);
        assert!(buffer.is_empty());
        buffer.push(piece(3));
        assert!(matches!(buffer.pop(), Some(Chunk::Memory(_))), "a reader that caught up gets memory again");
    }

    #[test]
    fn what_may_still_be_on_its_way_to_the_client_is_not_overwritten() {
        let mut buffer = Buffer::new(std::env::temp_dir().into());
        let spill = |buffer: &mut Buffer, number: u8| {
            buffer.push(Bytes::from(vec![0; MEMORY]));
            buffer.push(Bytes::from(vec![number; MEMORY]));
            let (file, length) = buffer.take_write().unwrap().run().unwrap();
            buffer.written(file, length);
            assert!(matches!(buffer.pop(), Some(Chunk::Memory(_))));
            buffer.pop().unwrap()
        };
        let first = spill(&mut buffer, 1);
        assert!(buffer.pop().is_none(), "the reader has caught up");
        let second = spill(&mut buffer, 2);
        assert_eq!((read(&first)[0], read(&second)[0]), (1, 2));
    }

    #[test]
    fn the_writer_is_held_back_by_a_slow_disk() {
        let mut buffer = Buffer::new(std::env::temp_dir().into());
        for _ in 0..6 {
            buffer.push(Bytes::from(vec![0; 1 << 20]));
        }
        assert!(buffer.is_overfull());
        let (file, length) = buffer.take_write().unwrap().run().unwrap();
        buffer.written(file, length);
        assert!(!buffer.is_overfull());
    }
}
