//! A process's end of its control channel.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::MsgFlags;
use passenger_native::control::{self, FromProcess, MAX_MESSAGE, ToProcess};
use passenger_native::fds::{self, MAX_DESCRIPTORS, Receiver};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::spawn::reaper::Exit;
use crate::sys;

pub struct Control {
    socket: AsyncFd<OwnedFd>,
    receiver: RefCell<Receiver>,
}

impl Control {
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = sys::watch::register(socket, Interest::READABLE)?;
        Ok(Self { socket, receiver: RefCell::new(Receiver::new(MAX_DESCRIPTORS)) })
    }

    /// The next message; `None` when the agent has closed the channel.
    pub async fn receive(&self) -> Option<(ToProcess, Vec<OwnedFd>)> {
        let mut packet = vec![0; MAX_MESSAGE];
        loop {
            let received = self.receiver.borrow_mut().receive(self.socket.as_fd(), &mut packet, MsgFlags::MSG_DONTWAIT);
            match received {
                Ok(0) => return None,
                Ok(length) => {
                    let descriptors = self.receiver.borrow_mut().take_all();
                    return Some((control::decode(&packet[..length]).ok()?, descriptors));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
            self.socket.readable().await.ok()?.clear_ready();
        }
    }

    /// Whether the agent has closed the channel, as far as nothing is in front of that.
    pub fn is_closed(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        nix::sys::socket::recv(self.socket.as_raw_fd(), &mut [0], flags) == Ok(0)
    }

    /// Says something; an agent that does not listen any more is no concern of the process.
    pub fn send(&self, message: &FromProcess) {
        if let Ok(packet) = control::encode(message) {
            let _ = fds::send(self.socket.as_fd(), &[IoSlice::new(&packet)], &[], MsgFlags::MSG_DONTWAIT);
        }
    }

    /// A preloader tells that a worker has ended.
    pub fn tell_end(&self, pid: i32, exit: Exit) {
        let (code, signal) = match exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
            Exit::Unknown => (Some(0), None),
        };
        self.send(&FromProcess::Exited { pid, code, signal });
    }
}
