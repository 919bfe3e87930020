//! What a process writes to its standard output and error: into the log, line by line, and kept for a while in case
//! the process does not come up.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use passenger_native::control::tail;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::sys::user::Identity;

/// The longest line; a longer one is cut into several.
const MAX_LINE: u64 = 8 * 1024;
/// How much is kept.
const MAX_KEPT: usize = 32 * 1024;

/// How long a process that has ended may take to hand over its last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The output of one process. Until the process has come up it is kept, so that it can be told with the reason if the
/// process does not; then it goes to the log.
pub struct Output {
    pid: Cell<i32>,
    kept: RefCell<Option<String>>,
    ended: Cell<bool>,
    end: Notify,
}

impl Output {
    /// Makes a pipe, starts to read it, and returns the end for the process, which is one of `user`'s.
    pub fn open(user: Option<&Identity>) -> std::io::Result<(Rc<Self>, OwnedFd)> {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        if let Some(user) = user {
            // Otherwise only root could open what is behind /dev/stdout, where many applications log to.
            user.own(&writer)?;
        }
        crate::sys::socket::set_nonblocking(&reader)?;
        let reader = pipe::Receiver::from_owned_fd(reader)?;
        let output = Rc::new(Self {
            pid: Cell::new(0),
            kept: RefCell::new(Some(String::new())),
            ended: Cell::new(false),
            end: Notify::new(),
        });
        tokio::task::spawn_local(Rc::clone(&output).follow(reader));
        Ok((output, writer))
    }

    /// Whose it is.
    pub fn belongs_to(&self, pid: i32) {
        self.pid.set(pid);
    }

    /// What the process said up to now; if it is ending, up to its end.
    pub async fn kept(&self) -> String {
        if !self.ended.get() {
            // A process that hangs has no end; what it said so far must do.
            let _ = timeout(LAST_WORDS, self.end.notified()).await;
        }
        self.kept.borrow().clone().unwrap_or_default()
    }

    /// The process has come up.
    pub fn log_from_now_on(&self) {
        for line in self.kept.take().unwrap_or_default().lines() {
            self.log(line);
        }
    }

    fn log(&self, line: &str) {
        tracing::info!(target: "app", "App {} output: {line}", self.pid.get());
    }

    async fn follow(self: Rc<Self>, reader: pipe::Receiver) {
        let mut reader = BufReader::with_capacity(4096, reader);
        let mut line = Vec::new();
        while let Ok(1..) = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            match &mut *self.kept.borrow_mut() {
                Some(kept) => {
                    kept.push_str(text);
                    kept.push('\n');
                    if kept.len() > 2 * MAX_KEPT {
                        *kept = tail(kept).to_owned();
                    }
                }
                None => self.log(text),
            }
            line.clear();
        }
        self.ended.set(true);
        self.end.notify_waiters();
    }
}
