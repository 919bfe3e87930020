//! The agent's side of its link to the watchdog.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use super::StartError;
use crate::instance::{self, PROPERTIES, Properties};
use crate::watchdog::link::{self, Heard, Word};
use crate::watchdog::{self, Estate, take};
use crate::{pid_file, sys};

/// How long to wait between two attempts to start a watchdog.
const PAUSE: Duration = Duration::from_secs(1);

/// The watchdog, as its agent sees it.
pub struct Watchdog {
    program: PathBuf,
    link: RefCell<Option<OwnedFd>>,
    /// What is said goes through a descriptor of its own, as the other one is listened to.
    voice: RefCell<Option<OwnedFd>>,
    leaving: Cell<bool>,
}

impl Watchdog {
    /// Finds the link among an agent's arguments.
    ///
    /// # Errors
    /// When it is not there.
    pub fn link(program: PathBuf, arguments: &[(String, String)]) -> Result<Self, StartError> {
        let number = arguments.iter().find(|(name, _)| name == "link").map(|(_, value)| value);
        let number = number.ok_or_else(|| StartError("an agent is started by its watchdog only".to_owned()))?;
        let link = take("link", number).map_err(StartError)?;
        let voice = link.try_clone().map_err(StartError::new)?;
        Ok(Self {
            program,
            link: RefCell::new(Some(link)),
            voice: RefCell::new(Some(voice)),
            leaving: Cell::new(false),
        })
    }

    /// Says that this agent has been told to stop. A watchdog that dies from now on is not replaced.
    pub fn leave(&self) {
        self.leaving.set(true);
        self.say(Word::Leaving);
    }

    /// Says that this agent serves.
    pub fn ready(&self) {
        self.say(Word::Ready);
    }

    fn say(&self, word: Word) {
        if let Some(voice) = &*self.voice.borrow() {
            link::say(voice, word);
        }
    }

    /// Answers the watchdog; starts another one when it is gone, unless this agent leaves.
    pub async fn answer(&self, estate: &Estate) {
        loop {
            let link = self.link.take();
            if let Some(link) = link.and_then(|link| sys::watch::register(link, Interest::READABLE).ok()) {
                self.listen(&link).await;
                if self.leaving.get() {
                    return;
                }
                tracing::error!("the watchdog has died; starting another one");
            }
            self.voice.take();
            match self.replace(estate) {
                Ok(pid) => tracing::info!("watchdog {pid} looks after agent {} now", std::process::id()),
                Err(error) => tracing::error!("no watchdog could be started: {error}"),
            }
            // One that dies at once must not make this a busy loop.
            sleep(PAUSE).await;
        }
    }

    /// Answers until the watchdog is gone.
    async fn listen(&self, link: &AsyncFd<OwnedFd>) {
        while let Ok(mut guard) = link.readable().await {
            match link::hear(link) {
                Heard::Word(Word::Ping) => self.say(Word::Pong),
                Heard::Word(_) | Heard::Unknown => {}
                Heard::Nothing => guard.clear_ready(),
                Heard::End => return,
            }
        }
    }

    fn replace(&self, estate: &Estate) -> std::io::Result<u32> {
        let (ours, theirs) = link::pair()?;
        let pid = watchdog::start(&self.program, estate, &theirs)?;
        *self.voice.borrow_mut() = Some(ours.try_clone()?);
        *self.link.borrow_mut() = Some(ours);
        // It is the one that is to be told when the instance is to stop.
        let mut properties: Properties = instance::read(&estate.directory, PROPERTIES)?;
        properties.pid = pid;
        instance::write(&estate.directory, PROPERTIES, &properties)?;
        properties.pid_file.as_deref().map_or(Ok(()), |path| pid_file::write(path, pid))?;
        Ok(pid)
    }
}
