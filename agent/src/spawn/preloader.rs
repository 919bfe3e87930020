//! A process that has loaded the application, or was a worker of it, and forks workers.
//!
//! ```text
//!   exec ──▶ loading ──Ready──▶ idle ◀──Spawned── forking
//!   worker ──Promote──Ready─────▶│  └────Spawn───▶
//!                                └── channel closed: it leaves; its workers go on
//! ```

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use passenger_native::control::{FromProcess, ToProcess};
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::SpawnError;
use super::channel::Channel;
use super::command::Launch;
use super::handshake::{self, Starting};
use super::output::Output;
use super::reaper::{Exit, Reaper};
use super::worker_process::{Process, Promoted};
use crate::sys;

/// How long a preloader may take to leave.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);

/// What the preloader's handle and the task that listens to it share.
struct Shared {
    process: Rc<Process>,
    channel: Rc<Channel>,
    /// Orders to fork that are under way, by ticket; each waits for a process.
    orders: RefCell<HashMap<u32, oneshot::Sender<io::Result<Process>>>>,
    /// What it has forked and not reaped: of others it has nothing to tell.
    children: RefCell<HashSet<i32>>,
    alive: Cell<bool>,
    reaper: Rc<Reaper>,
}

/// A preloader. Dropping it tells the process to leave.
pub struct Preloader {
    shared: Rc<Shared>,
    was_worker: bool,
    last_ticket: Cell<u32>,
    /// When it last was asked to fork, or was ready to.
    last_used: Cell<Instant>,
    dismissed: Option<oneshot::Sender<()>>,
}

impl Preloader {
    /// Starts one and waits until it has loaded the application.
    pub async fn start(launch: &Launch, reaper: &Rc<Reaper>) -> Result<Rc<Self>, SpawnError> {
        let started = Starting::exec(launch, reaper, None).await?.ready().await?;
        Ok(Self::of(Rc::new(started.process), Rc::new(started.channel), reaper, false))
    }

    /// Takes over a worker that has become one.
    pub fn promoted(worker: Promoted, reaper: &Rc<Reaper>) -> Rc<Self> {
        Self::of(worker.process, worker.control, reaper, true)
    }

    fn of(process: Rc<Process>, channel: Rc<Channel>, reaper: &Rc<Reaper>, was_worker: bool) -> Rc<Self> {
        let shared = Rc::new(Shared {
            process,
            channel,
            orders: RefCell::default(),
            children: RefCell::default(),
            alive: Cell::new(true),
            reaper: Rc::clone(reaper),
        });
        let (dismissed, dismissal) = oneshot::channel();
        tokio::task::spawn_local(Rc::clone(&shared).attend(dismissal));
        Rc::new(Self {
            shared,
            was_worker,
            last_ticket: Cell::new(0),
            last_used: Cell::new(Instant::now()),
            dismissed: Some(dismissed),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.shared.process.pid.as_raw()
    }

    /// Whether it was a worker before.
    pub fn was_worker(&self) -> bool {
        self.was_worker
    }

    /// Whether it can fork.
    pub fn is_alive(&self) -> bool {
        self.shared.alive.get()
    }

    /// How long it has not been asked to fork.
    pub fn idle(&self) -> Duration {
        self.last_used.get().elapsed()
    }

    /// Has it fork a worker, which is then on its way up; returns that and our ends of its data channels. To be awaited to
    /// its end, as what is forked meanwhile has no other owner.
    pub async fn fork<'a>(&self, launch: &'a Launch) -> Result<(Starting<'a>, Vec<OwnedFd>), SpawnError> {
        let failed = |error: io::Error| SpawnError::new(&launch.app, "forking a worker", error.to_string());
        let (control, their_control) = sys::socket::control_pair().map_err(failed)?;
        let (output, pipe) = Output::open(launch.current_user()?.as_deref()).map_err(failed)?;
        let (channels, theirs) = handshake::data_channels(launch)?;
        let mut descriptors = vec![their_control.as_fd(), pipe.as_fd()];
        descriptors.extend(theirs.iter().map(AsFd::as_fd));

        let ticket = self.last_ticket.get().wrapping_add(1);
        self.last_ticket.set(ticket);
        self.last_used.set(Instant::now());
        let (order, mut told) = oneshot::channel();
        let _order = Order::place(&self.shared, ticket, order);
        let message = ToProcess::Spawn { ticket, slots: theirs.len() as u32 };
        self.shared.channel.send(&message, &descriptors).map_err(failed)?;
        drop((their_control, pipe, theirs));

        let deadline = Instant::now() + launch.start_timeout;
        let channel = Channel::new(control).map_err(failed)?;
        let mut early = None;
        let process = tokio::select! {
            biased;
            told = timeout_at(deadline, &mut told) => self.forked(launch, told).await?,
            // The worker may speak before the preloader has told of it, and it is here that the preloader says why it
            // can't fork.
            message = channel.receive() => {
                early = message.map_err(failed)?;
                if let Some(FromProcess::Failed { step, reason, output }) = early {
                    return Err(SpawnError { output, ..SpawnError::new(&launch.app, &step, reason) });
                }
                let told = timeout_at(deadline, told).await;
                self.forked(launch, told).await?
            }
        };
        Ok((handshake::adopt(launch, process, channel, output, deadline, early), channels))
    }

    /// What it says of an order, or why it does not.
    async fn forked(
        &self,
        launch: &Launch,
        told: Result<Result<io::Result<Process>, RecvError>, Elapsed>,
    ) -> Result<Process, SpawnError> {
        let failed = |reason| SpawnError::new(&launch.app, "forking a worker", reason);
        match told {
            Ok(Ok(process)) => process.map_err(|error| failed(error.to_string())),
            Ok(Err(_)) => Err(failed(format!("the preloader {}", self.shared.process.exit().await))),
            Err(_) => {
                self.shared.alive.set(false);
                let seconds = launch.start_timeout.as_secs();
                Err(failed(format!("the preloader did not fork within {seconds} s; it is replaced")))
            }
        }
    }
}

/// An order that somebody waits for; when nobody does, the preloader's answer is that to an unknown one.
struct Order<'a> {
    shared: &'a Shared,
    ticket: u32,
}

impl<'a> Order<'a> {
    fn place(shared: &'a Shared, ticket: u32, order: oneshot::Sender<io::Result<Process>>) -> Self {
        shared.orders.borrow_mut().insert(ticket, order);
        Self { shared, ticket }
    }
}

impl Drop for Order<'_> {
    fn drop(&mut self) {
        self.shared.orders.borrow_mut().remove(&self.ticket);
    }
}

impl Drop for Preloader {
    fn drop(&mut self) {
        self.shared.alive.set(false);
        drop(self.dismissed.take());
    }
}

impl Shared {
    async fn attend(self: Rc<Self>, dismissal: oneshot::Receiver<()>) {
        let dismissed = tokio::select! {
            biased;
            () = self.listen() => false,
            _ = dismissal => true,
        };
        self.alive.set(false);
        self.orders.borrow_mut().clear();
        if dismissed {
            // It leaves when its channel ends. What it has started goes with it.
            self.channel.close();
            if timeout(LEAVE_DEADLINE, self.process.ended()).await.is_err() {
                tracing::warn!("preloader {} did not leave; it is killed", self.process.pid);
            }
            self.process.kill();
        } else {
            self.process.kill();
            tracing::warn!(
                "preloader {} {}; the next worker starts a new one",
                self.process.pid,
                self.process.exit().await
            );
        }
    }

    async fn listen(&self) {
        loop {
            match self.channel.receive().await {
                Ok(Some(FromProcess::Spawned { ticket, pid })) => self.settle(ticket, pid),
                Ok(Some(FromProcess::Exited { pid, code, signal })) => {
                    if !self.children.borrow_mut().remove(&pid) {
                        continue;
                    }
                    let exit = signal.map_or(Exit::Code(code.unwrap_or(0)), Exit::Signal);
                    self.reaper.ended(pid, exit);
                }
                Ok(Some(message)) => tracing::warn!("preloader {} said {message:?}", self.process.pid),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("preloader {}: {error}", self.process.pid);
                    return;
                }
            }
        }
    }

    fn settle(&self, ticket: u32, pid: i32) {
        let process = Process::forked_by(&self.process, pid);
        match &process {
            Ok(_) => drop(self.children.borrow_mut().insert(pid)),
            Err(error) => tracing::warn!("preloader {}: {error}", self.process.pid),
        }
        // If nobody waits for it any more, nobody else would end what came of it: it is dropped, and so killed.
        if let Some(order) = self.orders.borrow_mut().remove(&ticket) {
            drop(order.send(process));
        }
    }
}
