//! Bytes with descriptors over Unix sockets (`SCM_RIGHTS`).

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// The most descriptors one message may carry; the kernel's own limit (`SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;

/// Sends `parts` with `descriptors` attached to the first byte. Returns the number of bytes taken.
///
/// # Errors
/// What `sendmsg(2)` says; `EPIPE` instead of a signal when the other side is gone.
pub fn send(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
    flags: MsgFlags,
) -> io::Result<usize> {
    let flags = flags | MsgFlags::MSG_NOSIGNAL;
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), parts, control, flags, None) {
            Err(Errno::EINTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

/// Receives into buffers, keeping the descriptors that come along, close-on-exec, in order.
pub struct Receiver {
    control: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    limit: usize,
}

impl Receiver {
    /// Makes a receiver that keeps at most `limit` descriptors; surplus ones are closed.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        // Room for all that can come, whatever the limit: what the kernel cannot deliver is lost for the receiver.
        let space = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
        Self { control: space, descriptors: VecDeque::new(), limit }
    }

    /// Receives once into `buffer`. 0 means that the other side is gone (or an empty packet, which nobody sends).
    ///
    /// # Errors
    /// What `recvmsg(2)` says, `EINTR` included, so that a language's runtime can look at its signals; `EMFILE` when
    /// descriptors were lost because this process has too many open files.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8], flags: MsgFlags) -> io::Result<usize> {
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: a msghdr consists of numbers and pointers, for which zero is a value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = self.control.as_mut_ptr().cast();
        message.msg_controllen = self.control.len() as _;
        let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
        // SAFETY: `message` points to `part` and `control` with their true lengths; both outlive the call.
        let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags.bits()) };
        let received = Errno::result(received)?;
        // SAFETY: recvmsg has just filled `message`.
        unsafe { self.keep_descriptors(&message) };
        if message.msg_flags & libc::MSG_CTRUNC != 0 {
            return Err(Errno::EMFILE.into());
        }
        Ok(received as usize)
    }

    /// Takes charge of every descriptor in `message`. Done by hand because nix refuses to show them after `MSG_CTRUNC`,
    /// when some are installed nevertheless: they would stay open for ever.
    ///
    /// # Safety
    /// `message` was filled by `recvmsg` and not given to this function before.
    unsafe fn keep_descriptors(&mut self, message: &libc::msghdr) {
        // SAFETY: the kernel wrote well-formed control messages into the buffer, up to `msg_controllen`; the payload of
        // SCM_RIGHTS is descriptors that were installed for us alone, and may be unaligned.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(message);
            while let Some(head) = control.as_ref() {
                if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_RIGHTS {
                    // Of another type in each C library.
                    let length: usize = head.cmsg_len as _;
                    let first = libc::CMSG_DATA(control).cast::<RawFd>();
                    for index in 0..(length - libc::CMSG_LEN(0) as usize) / size_of::<RawFd>() {
                        let owned = OwnedFd::from_raw_fd(first.add(index).read_unaligned());
                        if self.descriptors.len() < self.limit {
                            self.descriptors.push_back(owned);
                        }
                    }
                }
                control = libc::CMSG_NXTHDR(message, control);
            }
        }
    }

    /// Whether there is a descriptor that has not been taken.
    #[must_use]
    pub fn has_any(&self) -> bool {
        !self.descriptors.is_empty()
    }

    /// The oldest descriptor that has not been taken.
    pub fn take(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    /// All descriptors that have not been taken.
    pub fn take_all(&mut self) -> Vec<OwnedFd> {
        self.descriptors.drain(..).collect()
    }
}
