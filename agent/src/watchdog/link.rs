//! What watchdog and agent say to each other: packets of one byte. That one of them is gone is heard by the other as the end
//! of the link.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

/// One word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    /// The agent: it serves.
    Ready = b'R',
    /// The agent: it has been told to stop, and finishes what it has.
    Leaving = b'L',
    /// The watchdog: is the agent's event loop turning?
    Ping = b'p',
    /// The agent: it is.
    Pong = b'P',
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A word.
    Word(Word),
    /// A word of another version.
    Unknown,
    /// Nothing for now.
    Nothing,
    /// The other side is gone.
    End,
}

/// A link, both ends.
///
/// # Errors
/// What `socketpair(2)` says.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// Says a word. That nobody hears it is noticed when the end of the link is heard; that there is no room means that the
/// other side does not listen, which is noticed, too.
pub fn say(link: &impl AsFd, word: Word) {
    let _ = send(link.as_fd().as_raw_fd(), &[word as u8], MsgFlags::MSG_NOSIGNAL);
}

/// What has come.
pub fn hear(link: &impl AsFd) -> Heard {
    let mut word = [0];
    match recv(link.as_fd().as_raw_fd(), &mut word, MsgFlags::empty()) {
        Ok(0) => Heard::End,
        Ok(_) => [Word::Ready, Word::Leaving, Word::Ping, Word::Pong]
            .into_iter()
            .find(|known| *known as u8 == word[0])
            .map_or(Heard::Unknown, Heard::Word),
        Err(Errno::EAGAIN | Errno::EINTR) => Heard::Nothing,
        Err(_) => Heard::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_one_by_one_until_the_end() {
        let (ours, theirs) = pair().unwrap();
        assert_eq!(hear(&ours), Heard::Nothing);
        say(&theirs, Word::Ready);
        say(&theirs, Word::Pong);
        send(theirs.as_raw_fd(), b"?", MsgFlags::empty()).unwrap();
        drop(theirs);
        let heard: Vec<Heard> = (0..4).map(|_| hear(&ours)).collect();
        assert_eq!(heard, [Heard::Word(Word::Ready), Heard::Word(Word::Pong), Heard::Unknown, Heard::End]);
        say(&ours, Word::Ping);
    }
}
