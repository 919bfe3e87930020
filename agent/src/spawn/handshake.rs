//! The first words between the agent and a process that it started.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use nix::sys::signal::Signal;
use passenger_native::control::{FromProcess, PROTOCOL, ToProcess, check_version, tail};
use tokio::time::{Instant, timeout_at};

use super::SpawnError;
use super::channel::Channel;
use super::command::Launch;
use super::output::Output;
use super::reaper::Reaper;
use super::worker_process::{Process, WorkerProcess};
use crate::sys;

/// A process on its way up.
pub struct Starting<'a> {
    pub launch: &'a Launch,
    pub process: Process,
    pub channel: Channel,
    pub output: Rc<Output>,
    pub deadline: Instant,
    pub step: String,
    /// Its first message, if that was read already.
    pub early: Option<FromProcess>,
    /// What it said of itself when it was ready.
    multiplexed: bool,
}

impl<'a> Starting<'a> {
    /// Executes the interpreter and tells it what to load. With `slots` it becomes a worker.
    pub async fn exec(launch: &'a Launch, reaper: &Rc<Reaper>, slots: Option<&[OwnedFd]>) -> Result<Self, SpawnError> {
        let interpreter = launch.runtime.interpreter.display();
        let step = format!("starting {interpreter}");
        let failed = |error: std::io::Error| SpawnError::new(&launch.app, &step, error.to_string());
        let user = launch.user()?;
        let user = user.as_deref();
        let mut command = launch.command(user, reaper).await?;
        (launch.progress)(&step);
        let (ours, theirs) = sys::socket::control_pair().map_err(failed)?;
        let (output, pipe) = Output::open(user).map_err(failed)?;
        let pid = reaper.system().start(&mut command, theirs, pipe).map_err(|error| match user {
            Some(user) if error.raw_os_error() == Some(libc::EPERM) => launch.cannot_switch(user, &error),
            _ => failed(error),
        })?;
        output.belongs_to(pid.as_raw());
        let process = Process::new(pid, user, reaper).map_err(failed)?;
        let channel = Channel::new(ours).map_err(failed)?;
        let load =
            ToProcess::Load { protocol: PROTOCOL, app: launch.load(), slots: slots.map(|slots| slots.len() as u32) };
        let descriptors: Vec<_> = slots.unwrap_or_default().iter().map(AsFd::as_fd).collect();
        channel.send(&load, &descriptors).map_err(failed)?;
        let deadline = Instant::now() + launch.start_timeout;
        Ok(Self { launch, process, channel, output, deadline, step, early: None, multiplexed: false })
    }

    /// Waits until the process says that it is ready.
    pub async fn ready(mut self) -> Result<Self, SpawnError> {
        loop {
            let message = match self.early.take() {
                Some(message) => Some(message),
                None => match timeout_at(self.deadline, self.channel.receive()).await {
                    Ok(Ok(message)) => message,
                    Ok(Err(error)) => return Err(self.error(error.to_string()).await),
                    Err(_) => return Err(self.too_slow().await),
                },
            };
            match message {
                Some(FromProcess::Ready { multiplexed, .. }) => {
                    self.multiplexed = multiplexed;
                    self.output.log_from_now_on();
                    return Ok(self);
                }
                Some(FromProcess::Progress { step }) => {
                    (self.launch.progress)(&step);
                    self.step = step;
                }
                Some(FromProcess::Hello { protocol, language, version }) => {
                    self.step = format!("starting {language} {version}");
                    if let Err(error) = check_version(protocol) {
                        return Err(self.error(error.to_string()).await);
                    }
                }
                Some(FromProcess::Failed { step, reason, output }) => {
                    let said = self.error("").await;
                    let output = [output, said.output].join("\n");
                    return Err(SpawnError { step, reason, output, ..said });
                }
                Some(FromProcess::Spawned { .. } | FromProcess::Exited { .. } | FromProcess::OobWorkDone { .. }) => {
                    return Err(self.error("it spoke of serving before it was ready").await);
                }
                Some(FromProcess::Leaving { .. }) => {
                    return Err(self.error("it was told to end before it was ready").await);
                }
                None => {
                    let exit = self.process.exit().await;
                    return Err(self.error(format!("process {} {exit}", self.process.pid)).await);
                }
            }
        }
    }

    /// The worker that it has become, with the agent's ends of its data channels.
    pub fn worker(self, channels: Vec<OwnedFd>) -> WorkerProcess {
        WorkerProcess { process: self.process, control: self.channel, channels, multiplexed: self.multiplexed }
    }

    async fn error(&self, reason: impl Into<String>) -> SpawnError {
        let kept = self.output.kept().await;
        SpawnError { output: tail(&kept).to_owned(), ..SpawnError::new(&self.launch.app, &self.step, reason) }
    }

    async fn too_slow(&self) -> SpawnError {
        let seconds = self.launch.start_timeout.as_secs();
        // It prints where its threads are.
        self.process.signal(Signal::SIGQUIT);
        self.error(format!("it was not ready within {seconds} s"))
            .await
            .with_hint("If it needs longer, raise --start-timeout; if it hangs, the output below may tell where")
    }
}

/// Starts a worker without a preloader.
pub async fn start_worker(launch: &Launch, reaper: &Rc<Reaper>) -> Result<WorkerProcess, SpawnError> {
    let (ours, theirs) = data_channels(launch)?;
    let starting = Starting::exec(launch, reaper, Some(&theirs)).await?;
    drop(theirs);
    let started = starting.ready().await?;
    Ok(started.worker(ours))
}

/// Both ends of a worker's data channels.
pub fn data_channels(launch: &Launch) -> Result<(Vec<OwnedFd>, Vec<OwnedFd>), SpawnError> {
    let pairs: std::io::Result<Vec<_>> = (0..launch.slots).map(|_| sys::socket::data_pair()).collect();
    let pairs = pairs.map_err(|error| SpawnError::channels(&launch.app, &error))?;
    Ok(pairs.into_iter().unzip())
}

/// Waits for a process that somebody else started.
pub fn adopt(
    launch: &Launch,
    process: Process,
    channel: Channel,
    output: Rc<Output>,
    deadline: Instant,
    early: Option<FromProcess>,
) -> Starting<'_> {
    output.belongs_to(process.pid.as_raw());
    let step = "starting a worker".to_owned();
    Starting { launch, process, channel, output, deadline, step, early, multiplexed: false }
}
