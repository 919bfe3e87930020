//! The agent's end of a control channel.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{MsgFlags, Shutdown};
use passenger_native::control::{self, FromProcess, MAX_MESSAGE, ToProcess};
use passenger_native::fds::{self, Receiver};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys;

/// Messages from and to one process. Closing it tells the process to leave.
pub struct Channel {
    socket: AsyncFd<OwnedFd>,
    receiver: RefCell<Receiver>,
}

impl Channel {
    /// Wraps the agent's end of a control pair.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = sys::watch::register(socket, Interest::READABLE)?;
        // Processes send no descriptors; what a broken one sends is closed.
        Ok(Self { socket, receiver: RefCell::new(Receiver::new(0)) })
    }

    /// Waits for the next message; `None` when the process has closed its end.
    pub async fn receive(&self) -> io::Result<Option<FromProcess>> {
        let mut packet = vec![0; MAX_MESSAGE];
        loop {
            let mut guard = self.socket.readable().await?;
            let receive = |socket: &AsyncFd<OwnedFd>| {
                self.receiver.borrow_mut().receive(socket.as_fd(), &mut packet, MsgFlags::MSG_DONTWAIT)
            };
            match guard.try_io(receive) {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(length)) => return Ok(Some(control::decode(&packet[..length])?)),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // Told once, and first, when the process left without reading all; what it said is still to come.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// Sends a message with descriptors. The channel has room for more orders than are ever under way.
    pub fn send(&self, message: &ToProcess, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let packet = control::encode(message)?;
        fds::send(self.socket.as_fd(), &[IoSlice::new(&packet)], descriptors, MsgFlags::MSG_DONTWAIT).map(drop)
    }

    /// Ends the channel for both sides.
    pub fn close(&self) {
        sys::socket::shut_down(&self.socket, Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::write;

    use super::*;

    #[tokio::test]
    async fn the_last_words_of_a_process_that_did_not_listen_are_heard() {
        let (ours, theirs) = sys::socket::control_pair().unwrap();
        let channel = Channel::new(ours).unwrap();
        let unread = ToProcess::Spawn { ticket: 1, slots: 1 };
        channel.send(&unread, &[]).unwrap();
        write(&theirs, br#"{"message":"failed","step":"a step","reason":"a reason","output":""}"#).unwrap();
        drop(theirs);
        let message = channel.receive().await.unwrap();
        assert!(matches!(message, Some(FromProcess::Failed { reason, .. }) if reason == "a reason"));
        assert!(channel.receive().await.unwrap().is_none());
    }
}
