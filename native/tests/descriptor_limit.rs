//! Descriptors that were not asked for or cannot be had must not stay open: a process could bring the agent to its
//! limit of open files with them. Alone in this file, as the limit is the whole process's.
#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::MsgFlags;
use passenger_native::fds::{self, MAX_DESCRIPTORS, Receiver};

#[test]
fn surplus_and_half_delivered_descriptors_are_closed() {
    let (sender, socket) = UnixStream::pair().unwrap();
    let (mut reader, writer) = io::pipe().unwrap();
    let send = |count| {
        let descriptors = vec![writer.as_fd(); count];
        fds::send(sender.as_fd(), &[IoSlice::new(b"x")], &descriptors, MsgFlags::empty()).unwrap();
    };
    let mut receiver = Receiver::new(2);
    let mut receive = || receiver.receive(socket.as_fd(), &mut [0; 8], MsgFlags::empty());

    send(MAX_DESCRIPTORS);
    assert_eq!(receive().unwrap(), 1, "more than wanted is no error");

    send(MAX_DESCRIPTORS);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let lowest_free = reader.try_clone().unwrap().as_raw_fd() as u64;
    setrlimit(Resource::RLIMIT_NOFILE, lowest_free + 5, hard).unwrap();
    let error = receive().unwrap_err();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));

    let kept = receiver.take_all();
    assert_eq!(kept.len(), 2);
    assert!(receiver.take().is_none());
    let flags = nix::fcntl::fcntl(&kept[0], nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    drop((kept, writer));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "no copy of the writing end is left");
}
