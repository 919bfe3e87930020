//! The watchdog: a small process that does nothing but keep an agent alive.
//!
//! ```text
//!   passenger start ──exec──▶ watchdog ──▶ agent ──▶ preloaders, workers
//!                                 ▲          │ died: the next one, on the same listening sockets
//!                                 └──────────┘ the watchdog died: the agent starts another
//! ```
//! It holds the listening sockets and the instance's directory, so neither goes away with an agent: connections wait in the
//! sockets' queues until the next agent accepts them. It waits for signals and for its agents, and knows nothing of what
//! they serve.

mod agent;
mod backoff;
mod estate;
pub mod link;
mod notify;
mod orphans;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

pub use estate::{Estate, take};

use crate::config::LogLevel;
use crate::instance::InstanceDir;
use crate::server::logging;
use crate::sys;
use agent::{Agent, Phase, Reason};
use backoff::Backoff;
use link::Word;

/// The first argument of a watchdog's command line.
pub const NAME: &str = "watchdog";
/// How often agents are asked whether they are there.
const PING: Duration = Duration::from_secs(10);
/// So many times that long an agent may take to answer.
const PATIENCE: u32 = 3;

/// Becomes the watchdog; returns only if that fails.
pub fn become_watchdog(program: &std::path::Path, estate: &Estate) -> io::Error {
    let mut command = Command::new(program);
    command.arg(NAME).args(estate.arguments());
    sys::descriptor::pass_on(&mut command, estate.descriptors());
    command.exec()
}

/// Starts a watchdog that takes charge of this process, an agent; returns its process id. `link` is its end of the link.
///
/// # Errors
/// When the program can't be executed.
pub fn start(program: &std::path::Path, estate: &Estate, link: &OwnedFd) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    let mut command = Command::new(program);
    command.arg(NAME).args(estate.arguments()).process_group(0);
    command.args([format!("agent={}", std::process::id()), format!("link={}", link.as_raw_fd())]);
    sys::descriptor::pass_on(&mut command, estate.descriptors().chain([link.as_fd()]));
    command.spawn().map(|child| child.id())
}

/// What a watchdog process does. `program` is what it was executed as, and what its agents are.
pub fn run(program: PathBuf, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let watchdog = Estate::take_over(arguments).and_then(|(estate, others)| {
        let log = estate.log.as_ref().map(|log| log.try_clone().map(File::from)).transpose();
        logging::start(LogLevel::Info, log.map_err(|error| error.to_string())?);
        Watchdog::new(program, estate, &others).map_err(|error| error.to_string())
    });
    match watchdog {
        Ok(mut watchdog) => watchdog.run(),
        Err(reason) => {
            eprintln!("passenger: the watchdog could not start: {reason}");
            ExitCode::FAILURE
        }
    }
}

struct Watchdog {
    program: PathBuf,
    // Sockets are closed before the directory goes, which removes the files of those that nobody listens on.
    estate: Option<Estate>,
    signals: SignalFd,
    agents: Vec<Agent>,
    backoff: Backoff,
    /// When to start an agent.
    start_at: Option<(Instant, Reason)>,
    ping_at: Instant,
    ping_every: Duration,
    result: Option<ExitCode>,
    /// The configuration has changed since the agent that is starting has read it.
    reload_when_ready: bool,
}

impl Watchdog {
    fn new(program: PathBuf, estate: Estate, others: &[(String, String)]) -> io::Result<Self> {
        let mut heard = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
            Signal::SIGCHLD,
        ] {
            heard.add(signal);
        }
        heard.thread_block()?;
        sys::process::become_subreaper()?;
        // Without it nothing would bring the others back.
        sys::oom::spare(-1000, estate.oom_score);
        let ping_every = notify::interval().map_or(PING, |interval| interval.min(PING));
        let mut watchdog = Self {
            program,
            estate: Some(estate),
            signals: SignalFd::with_flags(&heard, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?,
            agents: Vec::new(),
            backoff: Backoff::default(),
            start_at: None,
            ping_at: Instant::now() + ping_every,
            ping_every,
            result: None,
            reload_when_ready: false,
        };
        let value = |name: &str| others.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        match (value("agent").and_then(|pid| pid.parse().ok()), value("link")) {
            (Some(pid), Some(link)) => {
                let link = take("link", link).map_err(io::Error::other)?;
                watchdog.agents.push(Agent::adopt(Pid::from_raw(pid), link)?);
            }
            _ => watchdog.start_at = Some((Instant::now(), Reason::Start)),
        }
        Ok(watchdog)
    }

    fn run(&mut self) -> ExitCode {
        loop {
            self.start_what_is_due();
            if let Some(result) = self.result.filter(|_| self.agents.is_empty()) {
                notify::tell("STOPPING=1");
                orphans::end();
                self.leave();
                return result;
            }
            self.wait();
            // In this order: whoever sends a signal may have seen that the agent is ready.
            self.hear_agents();
            self.heed_signals();
            self.look_after_agents();
        }
    }

    fn leave(&mut self) {
        if let Some(Estate { directory, lock, listeners, .. }) = self.estate.take() {
            drop(listeners);
            drop(InstanceDir::take_over(directory, lock));
        }
    }

    fn start_what_is_due(&mut self) {
        let Some((_, reason)) = self.start_at.filter(|(at, _)| *at <= Instant::now()) else { return };
        self.start_at = None;
        let Some(estate) = &mut self.estate else { return };
        match Agent::start(&self.program, estate, reason) {
            Ok(agent) => {
                // Only the first has somebody to report to, who learns from the pipe's end that there will be no word.
                estate.report = None;
                self.agents.push(agent);
            }
            Err(error) => {
                tracing::error!("{} could not be executed: {error}", self.program.display());
                self.agent_failed(reason, Duration::ZERO, 1);
            }
        }
    }

    fn wait(&self) {
        let next = self.start_at.map_or(self.ping_at, |(at, _)| at.min(self.ping_at));
        // Rounded up, so that what was waited for is due then.
        let timeout = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let descriptors = [self.signals.as_fd()].into_iter().chain(self.agents.iter().flat_map(Agent::descriptors));
        let mut watched: Vec<PollFd<'_>> =
            descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        // Whatever it says, all is looked at; an error that stays must not make this a busy loop.
        if let Err(error) = poll(&mut watched, timeout)
            && error != Errno::EINTR
        {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn heed_signals(&mut self) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            match Signal::try_from(info.ssi_signo as i32) {
                Ok(signal @ (Signal::SIGTERM | Signal::SIGINT)) => self.stop(signal),
                Ok(Signal::SIGUSR2) => self.upgrade(),
                Ok(Signal::SIGCHLD) => self.reap(),
                // These are about what agents do. One that is only starting does not listen yet.
                Ok(signal) => {
                    let serving = self.agents.iter().filter(|agent| agent.phase == Phase::Serving);
                    let told = serving.map(|agent| agent.signal(signal)).count();
                    self.reload_when_ready |= told == 0 && signal == Signal::SIGHUP;
                }
                Err(_) => {}
            }
        }
    }

    /// Each signal is passed on: the second ends the agent's patience. An agent has deadlines of its own; one that hangs is
    /// killed as ever.
    fn stop(&mut self, signal: Signal) {
        self.start_at = None;
        let is_first = self.result.replace(ExitCode::SUCCESS).is_none();
        for agent in &mut self.agents {
            // One that has been replaced has been told already, and would take this for the second.
            if agent.phase != Phase::Leaving || !is_first {
                agent.signal(signal);
            }
            agent.phase = Phase::Leaving;
        }
    }

    /// Starts an agent that takes the place of the one that serves.
    fn upgrade(&mut self) {
        let is_serving = self.agents.iter().any(|agent| agent.phase == Phase::Serving);
        let is_starting = self.agents.iter().any(|agent| matches!(agent.phase, Phase::Starting(_)));
        if is_serving && !is_starting && self.result.is_none() {
            tracing::info!("starting another agent, which will take the place of this one");
            self.start_at = Some((Instant::now(), Reason::Upgrade));
        } else {
            tracing::warn!("the agent can't be replaced now: one is starting, or the instance is stopping");
        }
    }

    fn reap(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(status) => {
                    if let Some(pid) = status.pid() {
                        self.ended(pid, Some(status));
                    }
                }
            }
        }
    }

    fn hear_agents(&mut self) {
        for index in 0..self.agents.len() {
            while let Some(word) = self.agents[index].hear() {
                match word {
                    Word::Ready => self.agent_ready(index),
                    Word::Leaving => self.agents[index].phase = Phase::Leaving,
                    Word::Pong => notify::tell("WATCHDOG=1"),
                    Word::Ping => {}
                }
            }
        }
        if let Some(gone) = self.agents.iter().find(|agent| agent.has_gone()).map(|agent| agent.pid) {
            self.ended(gone, None);
        }
    }

    fn agent_ready(&mut self, index: usize) {
        if !matches!(self.agents[index].phase, Phase::Starting(_)) {
            return;
        }
        for before in self.agents.iter_mut().filter(|agent| agent.phase == Phase::Serving) {
            tracing::info!("agent {} has been replaced; it finishes what it has", before.pid);
            before.phase = Phase::Leaving;
            before.signal(Signal::SIGTERM);
        }
        self.agents[index].phase = Phase::Serving;
        if std::mem::take(&mut self.reload_when_ready) {
            self.agents[index].signal(Signal::SIGHUP);
        }
        notify::tell("READY=1");
    }

    fn look_after_agents(&mut self) {
        let now = Instant::now();
        if now >= self.ping_at {
            self.ping_at = now + self.ping_every;
            for agent in &mut self.agents {
                agent.ask();
            }
        }
        let patience = self.ping_every * PATIENCE;
        for agent in self.agents.iter().filter(|agent| agent.hangs(patience)) {
            tracing::error!("agent {} has not answered for {} s; it is killed", agent.pid, patience.as_secs());
            agent.signal(Signal::SIGKILL);
        }
    }

    /// A process has ended: an agent, or one that an agent left behind.
    fn ended(&mut self, pid: Pid, status: Option<WaitStatus>) {
        let Some(index) = self.agents.iter().position(|agent| agent.pid == pid) else { return };
        let agent = self.agents.remove(index);
        let lived = agent.since.elapsed();
        let code = match status {
            Some(WaitStatus::Exited(_, code)) => Some(code),
            _ => None,
        };
        match (agent.phase, code) {
            (Phase::Leaving, _) | (_, Some(0)) => {
                if self.agents.is_empty() && self.start_at.is_none() {
                    // Somebody may have stopped it rather than this process.
                    self.result.get_or_insert(ExitCode::SUCCESS);
                }
                return;
            }
            _ => {}
        }
        let how = match status {
            Some(WaitStatus::Signaled(_, signal, dumped)) => {
                format!("was killed by {signal}{}", if dumped { "; a core dump was written" } else { "" })
            }
            Some(WaitStatus::Exited(_, code)) => format!("exited with code {code}"),
            _ => "ended".to_owned(),
        };
        let reason = match agent.phase {
            Phase::Starting(reason) => reason,
            _ => Reason::Death,
        };
        // What kept an agent from serving in the first place it has told itself.
        if reason != Reason::Start || code.is_none() {
            tracing::error!("agent {pid} {how} after {} s", lived.as_secs());
        }
        self.agent_failed(reason, lived, code.unwrap_or(1));
    }

    fn agent_failed(&mut self, reason: Reason, lived: Duration, code: i32) {
        match reason {
            _ if self.result.is_some() => {}
            Reason::Start => self.result = Some(ExitCode::from(u8::try_from(code).unwrap_or(1))),
            Reason::Upgrade => tracing::error!("the new agent could not start; the one before goes on serving"),
            Reason::Death => {
                let delay = self.backoff.after(lived);
                tracing::warn!(
                    "the next agent starts {}",
                    match delay.as_secs() {
                        0 => "at once".to_owned(),
                        seconds => format!("in {seconds} s"),
                    }
                );
                self.start_at = Some((Instant::now() + delay, Reason::Death));
            }
        }
    }
}
