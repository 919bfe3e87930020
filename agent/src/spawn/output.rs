//! What a process writes to its standard output and error: into the log, line by line, and kept for a while in case
//! the process does not come up.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

/// The longest line; a longer one is cut into several.
const MAX_LINE: u64 = 8 * 1024;
/// How much is kept.
const MAX_KEPT: usize = 32 * 1024;

/// The output of one process.
pub struct Output {
    pid: Cell<i32>,
    kept: RefCell<Option<String>>,
}

impl Output {
    /// Makes a pipe, starts to read it, and returns the end for the process. Until [`Output::forget`] what comes is
    /// kept as well as logged.
    pub fn open() -> std::io::Result<(Rc<Self>, OwnedFd)> {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        crate::sys::socket::set_nonblocking(&reader)?;
        let reader = pipe::Receiver::from_owned_fd(reader)?;
        let output = Rc::new(Self { pid: Cell::new(0), kept: RefCell::new(Some(String::new())) });
        tokio::task::spawn_local(Rc::clone(&output).follow(reader));
        Ok((output, writer))
    }

    /// Whose it is.
    pub fn belongs_to(&self, pid: i32) {
        self.pid.set(pid);
    }

    /// What was kept.
    pub fn kept(&self) -> String {
        self.kept.borrow().clone().unwrap_or_default()
    }

    /// The process has come up: what follows goes to the log only.
    pub fn forget(&self) {
        *self.kept.borrow_mut() = None;
    }

    async fn follow(self: Rc<Self>, reader: pipe::Receiver) {
        let mut reader = BufReader::with_capacity(4096, reader);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            tracing::info!(target: "app", "App {} output: {text}", self.pid.get());
            if let Some(kept) = &mut *self.kept.borrow_mut() {
                kept.push_str(text);
                kept.push('\n');
                if kept.len() > 2 * MAX_KEPT {
                    *kept = passenger_native::control::tail(kept).to_owned();
                }
            }
        }
    }
}
