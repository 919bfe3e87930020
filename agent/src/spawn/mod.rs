//! Starting application processes.
//!
//! ```text
//!   direct:  exec ── Load ──▶ loads, serves
//!   smart:   exec ── Load ──▶ preloader: loads ── Spawn ──▶ forks ──▶ worker serves
//!            worker ── Promote ──▶ preloader ── Spawn ──▶ forks ──▶ worker serves
//! ```

mod access;
mod channel;
pub mod command;
mod environment;
mod error;
mod handshake;
mod login_shell;
mod output;
mod preloader;
pub mod reaper;
pub mod system;
mod worker_process;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

pub use channel::Channel;
pub use command::Launch;
pub use error::SpawnError;
pub use worker_process::{Process, Promoted, WorkerProcess};

use preloader::Preloader;
use reaper::Reaper;

/// How workers are started.
enum Method {
    Direct,
    /// The preloader is started with the first worker, and again if it died or was idle for long.
    Smart(Mutex<Option<Rc<Preloader>>>),
}

/// Starts workers of one version of an application.
pub struct Spawner {
    launch: Rc<Launch>,
    method: Method,
    reaper: Rc<Reaper>,
    generation: u32,
    /// Its workers can't be forked from one of them.
    settled: Cell<bool>,
    /// Whether the worker that was started last came up.
    has_succeeded: Cell<bool>,
    /// Nobody wants workers of it any more.
    given_up: Cell<bool>,
    gives_up: Notify,
}

impl Spawner {
    /// A spawner that has not started anything yet. `preload` says whether workers are forked from a preloader.
    #[must_use]
    pub fn new(launch: Rc<Launch>, preload: bool, reaper: Rc<Reaper>) -> Self {
        let method = if preload { Method::Smart(Mutex::new(None)) } else { Method::Direct };
        Self::of(launch, method, reaper, 0)
    }

    fn of(launch: Rc<Launch>, method: Method, reaper: Rc<Reaper>, generation: u32) -> Self {
        Self {
            launch,
            method,
            reaper,
            generation,
            settled: Cell::new(false),
            has_succeeded: Cell::new(false),
            given_up: Cell::new(false),
            gives_up: Notify::new(),
        }
    }

    /// A spawner for the same version whose workers are forked from one that has become a preloader.
    #[must_use]
    pub fn promoted(&self, worker: Promoted) -> Self {
        let preloader = Preloader::promoted(worker, &self.reaper);
        let method = Method::Smart(Mutex::new(Some(preloader)));
        Self::of(Rc::clone(&self.launch), method, Rc::clone(&self.reaper), self.generation + 1)
    }

    /// How many times workers of this version have become preloaders before.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Notes that no worker of this one can become a preloader.
    pub fn settle(&self) {
        self.settled.set(true);
    }

    /// Whether none of its workers can become a preloader.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled.get()
    }

    /// The process from which workers are forked, and whether it was a worker before.
    #[must_use]
    pub fn preloader(&self) -> Option<(u32, bool)> {
        let Method::Smart(preloader) = &self.method else { return None };
        let current = preloader.try_lock().ok()?;
        let preloader = current.as_ref().filter(|preloader| preloader.is_alive())?;
        Some((preloader.pid().unsigned_abs(), preloader.was_worker()))
    }

    /// Whether it has the application in memory, and needs no file to start a worker.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        match &self.method {
            Method::Direct => false,
            // A preloader that is being started is reading the files.
            Method::Smart(preloader) => {
                preloader.try_lock().is_ok_and(|current| current.as_ref().is_some_and(|preloader| preloader.is_alive()))
            }
        }
    }

    /// Starts a worker and waits until it is ready.
    ///
    /// # Errors
    /// What went wrong, in which step, with the program's output; or that it was given up.
    pub async fn spawn(&self) -> Result<WorkerProcess, SpawnError> {
        let result = match &self.method {
            Method::Direct => self.unless_given_up(handshake::start_worker(&self.launch, &self.reaper)).await,
            Method::Smart(preloader) => self.fork(preloader).await,
        };
        self.has_succeeded.set(result.is_ok());
        result
    }

    /// Ends what is being started, at once, and has the preloader leave. Workers that were started stay.
    pub fn give_up(&self) {
        self.given_up.set(true);
        self.gives_up.notify_waiters();
        // A preloader that is being started ends with its start.
        if let Method::Smart(preloader) = &self.method
            && let Ok(mut current) = preloader.try_lock()
        {
            current.take();
        }
    }

    async fn unless_given_up<T>(&self, step: impl Future<Output = Result<T, SpawnError>>) -> Result<T, SpawnError> {
        let news = self.gives_up.notified();
        let given_up = || Err(SpawnError::closing(&self.launch.app));
        if self.given_up.get() {
            return given_up();
        }
        tokio::select! {
            biased;
            () = news => given_up(),
            result = step => result,
        }
    }

    async fn fork(&self, preloader: &Mutex<Option<Rc<Preloader>>>) -> Result<WorkerProcess, SpawnError> {
        let preloader = self.unless_given_up(self.loaded(preloader)).await?;
        let (starting, channels) = preloader.fork(&self.launch).await?;
        let started = self.unless_given_up(starting.ready()).await?;
        Ok(started.worker(channels))
    }

    async fn loaded(&self, preloader: &Mutex<Option<Rc<Preloader>>>) -> Result<Rc<Preloader>, SpawnError> {
        let mut current = preloader.lock().await;
        match current.as_ref().filter(|preloader| preloader.is_alive()) {
            Some(preloader) => Ok(Rc::clone(preloader)),
            None => {
                let started = Preloader::start(&self.launch, &self.reaper).await?;
                Ok(Rc::clone(current.insert(started)))
            }
        }
    }

    /// Whether it is known that workers can be started now, so that several may be at the same time. One that has to start
    /// a preloader first does not know.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.has_succeeded.get() && (matches!(self.method, Method::Direct) || self.is_loaded())
    }

    /// Tells the preloader to leave if it is not forking and has not forked for this long; returns its process id then.
    /// The next worker starts another.
    pub fn end_idle_preloader(&self, idle: Duration) -> Option<i32> {
        let Method::Smart(preloader) = &self.method else { return None };
        let mut current = preloader.try_lock().ok()?;
        let preloader = current.take_if(|preloader| Rc::strong_count(preloader) == 1 && preloader.idle() >= idle)?;
        Some(preloader.pid())
    }
}
