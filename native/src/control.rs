//! Messages on the control channel between the agent and the processes it starts: one JSON object a packet
//! (`SOCK_SEQPACKET`). The agent has no message for "stop": whoever closes a channel has said so, and a process whose
//! agent is gone sees the same.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::MsgFlags;
use serde::{Deserialize, Serialize};

use crate::error::ProtocolError;
use crate::fds::{self, MAX_DESCRIPTORS, Receiver};

/// The version of these messages and of the frames; both sides must speak the same.
pub const PROTOCOL: u32 = 2;
/// The longest message in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The most bytes that the program output in [`FromProcess::Failed`] takes up in the message; what is cut is the
/// beginning.
pub const MAX_OUTPUT: usize = 32 * 1024;
/// The most bytes that the step and the reason in [`FromProcess::Failed`] take up each; what is cut is the end.
pub const MAX_REASON: usize = 8 * 1024;

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum ToProcess {
    /// Load the application. With `slots`, become its worker afterwards (direct spawning): one data channel a slot
    /// comes with the message. Without, stay and fork workers (smart spawning).
    Load {
        /// [`PROTOCOL`] of the agent.
        protocol: u32,
        /// What to load.
        app: App,
        /// Direct spawning: the number of slots.
        slots: Option<u32>,
    },
    /// Fork a worker. Descriptors: its control channel, its output pipe, then one data channel a slot.
    Spawn {
        /// Names this order in the answer.
        ticket: u32,
        /// The number of slots.
        slots: u32,
    },
    /// To a worker that has no request: do what the application put off until nobody waits. It answers
    /// [`FromProcess::OobWorkDone`], and has no request before that.
    OobWork,
    /// To a worker: become a preloader.
    Promote,
}

/// What to load and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The application's directory.
    pub root: String,
    /// The file that defines it (`config.ru`), absolute; `None` when `entry` says where it is.
    pub startup_file: Option<String>,
    /// Python: what to import instead, as `module:attribute`; without `:attribute` it has a usual name.
    pub entry: Option<String>,
    /// Python: whether `entry` is called without arguments to get the application.
    #[serde(default)]
    pub factory: bool,
    /// Python: the directory in which modules are looked for first, absolute; `None`: `root`.
    pub app_dir: Option<String>,
    /// How the application is called; `None` when only the loaded application can tell.
    pub interface: Option<Interface>,
    /// `development`, `production`…
    pub environment: String,
    /// Whether more than one slot serves at once (`rack.multithread`, `wsgi.multithread`).
    pub multithread: bool,
    /// Whether error pages may show exceptions.
    pub show_errors: bool,
}

/// How an application is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interface {
    /// Ruby's Rack.
    Rack,
    /// Python's WSGI (PEP 3333).
    Wsgi,
    /// Python's ASGI 3.
    Asgi,
}

/// What a process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum FromProcess {
    /// The first message of every process that was started by exec.
    Hello {
        /// [`PROTOCOL`] of the process.
        protocol: u32,
        /// `ruby` or `python`.
        language: String,
        /// The interpreter's version.
        version: String,
    },
    /// A step begins; shown as progress, and named when it fails.
    Progress {
        /// What is being done, as a noun phrase: "loading config.ru".
        step: String,
    },
    /// A worker was forked.
    Spawned {
        /// From the order.
        ticket: u32,
        /// Its process id.
        pid: i32,
    },
    /// A preloader: the application is loaded. A worker: it serves.
    Ready {
        /// The speaker.
        pid: i32,
        /// A worker: each of its data channels carries many requests at the same time.
        #[serde(default)]
        multiplexed: bool,
    },
    /// The process can't do what it was told, and ends.
    Failed {
        /// What it was doing.
        step: String,
        /// One line: the exception's class and message.
        reason: String,
        /// Backtrace and the like.
        output: String,
    },
    /// A forked worker ended, seen by the preloader that is its parent.
    Exited {
        /// Which.
        pid: i32,
        /// Its exit code, when it exited.
        code: Option<i32>,
        /// The signal that killed it, otherwise.
        signal: Option<i32>,
    },
    /// A worker wants to end. It answers what it has and what is still on its way, and ends when the agent, which sends
    /// nothing more, has ended its data channels.
    Leaving {
        /// The speaker.
        pid: i32,
    },
    /// A worker has done what [`ToProcess::OobWork`] asked for, be it without success.
    OobWorkDone {
        /// The speaker.
        pid: i32,
    },
}

impl FromProcess {
    /// A failure that fits a message whatever the application's texts are: of `output` the end is kept, of the others
    /// the beginning.
    #[must_use]
    pub fn failed(step: &str, reason: &str, output: &str) -> Self {
        Self::Failed { step: head(step).to_owned(), reason: head(reason).to_owned(), output: tail(output).to_owned() }
    }
}

/// A message as its packet.
///
/// # Errors
/// When it is longer than [`MAX_MESSAGE`].
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, ProtocolError> {
    let bytes = serde_json::to_vec(message).map_err(|error| ProtocolError::Message(error.to_string()))?;
    if bytes.len() > MAX_MESSAGE {
        return Err(ProtocolError::Message(format!("{} bytes are over the limit of {MAX_MESSAGE}", bytes.len())));
    }
    Ok(bytes)
}

/// A packet as its message.
///
/// # Errors
/// When it is not one of the messages of `T`.
pub fn decode<'a, T: Deserialize<'a>>(packet: &'a [u8]) -> Result<T, ProtocolError> {
    serde_json::from_slice(packet).map_err(|error| ProtocolError::Message(error.to_string()))
}

/// Refuses a speaker of another version.
///
/// # Errors
/// [`ProtocolError::Version`] unless `theirs` is [`PROTOCOL`].
pub fn check_version(theirs: u32) -> Result<(), ProtocolError> {
    if theirs == PROTOCOL { Ok(()) } else { Err(ProtocolError::Version { ours: PROTOCOL, theirs }) }
}

/// The end of a text, as much as takes up at most [`MAX_OUTPUT`] bytes in a message, where control characters are
/// longer than in the text.
#[must_use]
pub fn tail(text: &str) -> &str {
    let mut room = MAX_OUTPUT;
    let from = text.char_indices().rev().take_while(|&(_, character)| take(&mut room, character)).last();
    from.map_or("", |(from, _)| &text[from..])
}

/// The beginning of a text, as much as takes up at most [`MAX_REASON`] bytes in a message.
fn head(text: &str) -> &str {
    let mut room = MAX_REASON;
    let end = text.char_indices().find(|&(_, character)| !take(&mut room, character));
    end.map_or(text, |(end, _)| &text[..end])
}

/// Takes what `character` takes up in JSON off `room`, if it fits.
fn take(room: &mut usize, character: char) -> bool {
    let length = match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    };
    let left = room.checked_sub(length);
    *room = left.unwrap_or(*room);
    left.is_some()
}

/// One end of a control channel, as the application's process uses it: blocking.
pub struct ControlSocket {
    socket: OwnedFd,
    receiver: Receiver,
    packet: Vec<u8>,
}

impl ControlSocket {
    /// Wraps a connected `SOCK_SEQPACKET` socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, receiver: Receiver::new(MAX_DESCRIPTORS), packet: Vec::new() }
    }

    /// Waits for the next message; `None` when the agent has closed the channel.
    ///
    /// # Errors
    /// I/O errors, `EINTR` included; [`ProtocolError`] as `InvalidData`.
    pub fn receive(&mut self) -> io::Result<Option<(ToProcess, Vec<OwnedFd>)>> {
        self.packet.resize(MAX_MESSAGE, 0);
        let received = self.receiver.receive(self.socket.as_fd(), &mut self.packet, MsgFlags::empty());
        let message = received.and_then(|length| match length {
            0 => Ok(None),
            _ => Ok(Some((decode(&self.packet[..length])?, self.receiver.take_all()))),
        });
        // An idle preloader should not keep 64 KB for messages that come once in a while.
        self.packet = Vec::new();
        message
    }

    /// Sends a message, waiting while the channel is full.
    ///
    /// # Errors
    /// I/O errors; a message over [`MAX_MESSAGE`].
    pub fn send(&self, message: &FromProcess) -> io::Result<()> {
        let packet = encode(message)?;
        fds::send(self.socket.as_fd(), &[IoSlice::new(&packet)], &[], MsgFlags::empty()).map(drop)
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
