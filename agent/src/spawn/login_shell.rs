//! The environment that a user's login shell sets up, for those who keep settings in `~/.profile` and the like.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::{Uid, User};
use passenger_native::control::tail;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::timeout;

use super::SpawnError;
use super::command::Launch;
use super::environment::Environment;
use super::output::Output;
use super::reaper::Reaper;
use super::worker_process::Process;
use crate::sys;
use crate::sys::user::Identity;

/// How long a shell may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than the kernel hands to a program.
const LARGEST: usize = 4 * 1024 * 1024;
/// Whatever start-up files print goes elsewhere than what is asked for.
const TELL: &str = "exec env -0 >&3";

/// The variables of the login shell of `user`, or of this process's own, which starts with `variables`.
pub async fn environment(
    launch: &Launch,
    user: Option<&Identity>,
    variables: Environment,
    reaper: &Rc<Reaper>,
) -> Result<Environment, SpawnError> {
    let shell = match user {
        Some(user) => user.shell.clone(),
        None => User::from_uid(Uid::effective()).ok().flatten().map_or_else(|| "/bin/sh".into(), |user| user.shell),
    };
    let step = format!("asking the login shell {} for its environment", shell.display());
    let failed = |reason: String| {
        SpawnError::new(&launch.app, &step, reason).with_hint(
            "Repair the shell's start-up files, give the user a shell (chsh), or switch load_shell_envvars off",
        )
    };
    let broken = |error: std::io::Error| failed(error.to_string());
    (launch.progress)(&step);

    let mut command = Command::new(&shell);
    command.args(["-l", "-c", TELL]).env_clear().envs(variables).current_dir(&launch.app.root);
    sys::process::confine(&mut command, user, None);
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| broken(errno.into()))?;
    sys::socket::set_nonblocking(&reader).map_err(broken)?;
    let mut reader = pipe::Receiver::from_owned_fd(reader).map_err(broken)?;
    let (output, stdout) = Output::open(user).map_err(broken)?;
    let pid = reaper.system().start(&mut command, writer, stdout).map_err(broken)?;
    // Dropping it at the end kills what the start-up files have started.
    let process = Process::new(pid, user, reaper).map_err(broken)?;

    let mut told = Vec::new();
    let listen = async {
        loop {
            // Whatever the shell has left running may keep the pipe open.
            let read = tokio::select! {
                biased;
                read = reader.read_buf(&mut told) => read,
                () = process.ended() => return reader.try_read_buf(&mut told).map(drop).or(Ok(())),
            };
            match read {
                Ok(1..) if told.len() < LARGEST => {}
                read => return read.map(drop),
            }
        }
    };
    let in_time = timeout(PATIENCE, listen).await;
    let said = async || tail(&output.kept().await).to_owned();
    match in_time {
        Err(_) => {
            let reason = format!("it did not end within {} s", PATIENCE.as_secs());
            process.kill();
            Err(SpawnError { output: said().await, ..failed(reason) })
        }
        Ok(Err(error)) => Err(broken(error)),
        Ok(Ok(())) if told.is_empty() => {
            let reason = format!("it {} and told nothing", process.exit().await);
            Err(SpawnError { output: said().await, ..failed(reason) })
        }
        Ok(Ok(())) => Ok(read(&told)),
    }
}

/// Reads `NAME=value`, each with a NUL behind it.
fn read(told: &[u8]) -> Environment {
    let variable = |text: &[u8]| {
        let equals = text.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (text.get(..equals)?, text.get(equals + 1..)?);
        (!name.is_empty()).then(|| (OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned()))
    };
    told.split(|&byte| byte == 0).filter_map(variable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_have_anything_but_a_nul() {
        let expected = [("A", "1"), ("B", "x=y\nz"), ("C", "")];
        let expected = expected.iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(read(b"A=1\0B=x=y\nz\0C=\0nonsense\0=odd\0"), expected);
    }
}
