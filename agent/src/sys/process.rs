//! Starting, watching and ending processes.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg, pthread_sigmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

use super::user::Identity;

/// Where a started process finds its control channel.
pub const CONTROL_FD: RawFd = 3;

/// Starts `command` in its own process group with `control` as descriptor 3, `output` as its standard output and error
/// and nothing as its standard input. The process is this one's child; [`reap`] tells how it ended.
///
/// # Errors
/// When it can't be forked or executed, or be what [`confine`] has asked for.
pub fn start(command: &mut Command, control: OwnedFd, output: OwnedFd) -> io::Result<Pid> {
    let errors = output.try_clone()?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    let control_fd = control.as_raw_fd();
    let prepare = move || {
        // `dup2` onto itself would leave close-on-exec set; the flag goes with the copy otherwise.
        if control_fd == CONTROL_FD {
            // SAFETY: fcntl on a descriptor that this closure keeps open.
            Errno::result(unsafe { libc::fcntl(control_fd, libc::F_SETFD, 0) })?;
        } else {
            // SAFETY: both numbers are valid for dup2, which is async-signal-safe.
            Errno::result(unsafe { libc::dup2(control_fd, CONTROL_FD) })?;
        }
        // The runtime's blocked signals must not reach the application.
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    };
    // SAFETY: the closure only makes async-signal-safe system calls and does not allocate.
    unsafe { command.pre_exec(prepare) };
    let child = command.spawn()?;
    drop(control);
    Ok(Pid::from_raw(child.id() as i32))
}

/// Has the process that `command` starts begin as one of an application: with `open_files` for its limit, or else the limit that
/// it would have had without this one, and as `user`'s, if that is another one than this process's.
pub fn confine(command: &mut Command, user: Option<&Identity>, open_files: Option<u64>) {
    let user = user.cloned();
    let prepare = move || {
        super::oom::restore();
        match open_files {
            Some(limit) => super::limits::set_open_files(limit),
            None => super::limits::restore_open_files(),
        }?;
        // Last, as it takes the rights to do anything else.
        user.as_ref().map_or(Ok(()), Identity::assume)
    };
    // SAFETY: the closure only makes async-signal-safe system calls and does not allocate.
    unsafe { command.pre_exec(prepare) };
}

/// Whether whoever started this process had SIGHUP ignored, as `nohup` does.
#[must_use]
pub fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|signals| u64::from_str_radix(signals.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (Signal::SIGHUP as i32 - 1)) != 0
}

/// A descriptor that becomes readable when the process ends.
///
/// # Errors
/// `ESRCH` when it is already gone and reaped.
pub fn pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes a pid and flags, and touches no memory of ours.
    let descriptor = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), libc::PIDFD_NONBLOCK) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) })
}

/// Sends a signal to the process of a [`pidfd`].
///
/// # Errors
/// `ESRCH` when it is gone.
pub fn signal(process: &OwnedFd, signal: Signal) -> io::Result<()> {
    // SAFETY: no information comes with the signal, so that the kernel reads no memory of ours.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal as libc::c_int,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Sends a signal to every process of a group; one that is already gone is no error.
pub fn signal_group(leader: Pid, signal: Signal) {
    // Group 0 and 1 would mean our own and everybody.
    if leader.as_raw() > 1 {
        let _ = killpg(leader, signal);
    }
}

/// Makes orphaned descendants children of this process, so that none escapes.
///
/// # Errors
/// What `prctl(2)` says.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Collects one child that has ended, if there is one.
#[must_use]
pub fn reap() -> Option<WaitStatus> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(_) => None,
        Ok(status) => Some(status),
    }
}

/// Which side of a fork this is.
pub enum Fork {
    /// The caller, which waits for the child's word.
    Parent,
    /// The new process: its own session, no terminal.
    Child,
}

/// Forks into the background. Must be called before any thread is started.
///
/// # Errors
/// What `fork(2)` and `setsid(2)` say.
pub fn detach() -> io::Result<Fork> {
    // SAFETY: the caller guarantees that there is only this thread, so the child may go on as any process.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { .. } => Ok(Fork::Parent),
        ForkResult::Child => {
            nix::unistd::setsid()?;
            Ok(Fork::Child)
        }
    }
}

/// Makes `descriptor` the standard output and error of this process, and `/dev/null` its input.
///
/// # Errors
/// What `open(2)` and `dup2(2)` say.
pub fn redirect_output(descriptor: &impl AsRawFd) -> io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    for (from, to) in [(null.as_raw_fd(), 0), (descriptor.as_raw_fd(), 1), (descriptor.as_raw_fd(), 2)] {
        // SAFETY: both are open descriptors; the standard streams are addressed by number everywhere.
        Errno::result(unsafe { libc::dup2(from, to) })?;
    }
    Ok(())
}

/// Whether `path` can be executed by this process.
#[must_use]
pub fn is_executable(path: &OsStr) -> bool {
    // SAFETY: `path` is a NUL-terminated string that lives for the call.
    CString::new(path.as_bytes()).is_ok_and(|path| unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0)
}
