//! The asking side, for commands.

use super::api::{Answer, Command, LONGEST_ANSWER, Outcome};
use crate::pool::snapshot::InstanceStatus;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an agent may take for each part of its answer. It answers between two requests, so more means that it
/// hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the agent behind `socket` how it is doing.
///
/// # Errors
/// As [`ask`].
pub fn status(socket: &Path) -> Result<InstanceStatus, String> {
    match ask(socket, &Command::Status)? {
        Outcome::Status(status) => Ok(status),
        other => Err(unexpected(&other)),
    }
}

/// Has the agent behind `socket` begin to restart an application.
///
/// # Errors
/// As [`ask`], and when there is no such application.
pub fn restart(socket: &Path, app: &str) -> Result<(), String> {
    match ask(socket, &Command::Restart(app.to_owned()))? {
        Outcome::Restarting => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// Asks the agent behind `socket` to do something to workers; the process ids of those that it did it to.
///
/// # Errors
/// As [`ask`].
pub fn workers(socket: &Path, command: &Command) -> Result<Vec<i32>, String> {
    match ask(socket, command)? {
        Outcome::Workers(pids) => Ok(pids),
        other => Err(unexpected(&other)),
    }
}

/// Asks the agent behind `socket` for something.
///
/// # Errors
/// When the agent cannot be reached, hangs, refuses or does not understand; the text follows a name of the instance.
fn ask(socket: &Path, command: &Command) -> Result<Outcome, String> {
    let answer = exchange(socket, command).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("did not answer within {} s", PATIENCE.as_secs())
        }
        _ => format!("cannot be asked: {error}"),
    })?;
    match serde_json::from_slice(&answer) {
        Ok(Answer { outcome: Outcome::Error(reason), .. }) => Err(format!("refused: {reason}")),
        Ok(Answer { outcome, .. }) => Ok(outcome),
        Err(error) => Err(format!(
            "gave an answer that is not understood ({error}); use the passenger command of the version that runs"
        )),
    }
}

fn unexpected(outcome: &Outcome) -> String {
    format!("answered something else than it was asked: {outcome:?}")
}

fn exchange(socket: &Path, command: &Command) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(&command.request())?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER as u64).read_to_end(&mut answer)?;
    Ok(answer)
}
