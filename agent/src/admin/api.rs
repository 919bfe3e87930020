//! What is said over the admin socket.

use crate::pool::snapshot::InstanceStatus;
use serde::{Deserialize, Serialize};

/// The version of these messages. It grows when an older side would misread a newer one.
pub const VERSION: u32 = 1;

/// The longest request, in bytes, its line end included.
pub const LONGEST_REQUEST: usize = 4 * 1024;

/// The longest answer, in bytes, its line end included: 10,000 workers fit.
pub const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// What a client asks for. The command is text, so that one which the agent does not know can be named in its answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client's [`VERSION`].
    pub version: u32,
    /// The command's name, one of [`Command::NAMES`].
    pub command: String,
    /// What it is to be done to, for commands that take that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
}

/// What the agent can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Say how it is doing.
    Status,
    /// Restart the application of this name. The status tells what becomes of it.
    Restart(String),
    /// Have the worker with this process id take no more requests, and leave when it is done.
    Detach(i32),
    /// Have one worker, or all, print what their threads are doing.
    Backtraces(Option<i32>),
}

impl Command {
    /// What requests call them.
    const NAMES: [&str; 4] = ["status", "restart", "detach", "backtraces"];

    /// The request that asks for it.
    pub fn request(&self) -> Request {
        let (command, argument) = match self {
            Self::Status => ("status", None),
            Self::Restart(app) => ("restart", Some(app.clone())),
            Self::Detach(pid) => ("detach", Some(pid.to_string())),
            Self::Backtraces(pid) => ("backtraces", pid.map(|pid| pid.to_string())),
        };
        Request { version: VERSION, command: command.to_owned(), argument }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// Says what the client got wrong: both versions, or both the unknown command and the known ones.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let request: Request = serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))?;
        if request.version != VERSION {
            return Err(format!(
                "the request has version {}, this agent speaks version {VERSION}; use the passenger command that belongs to it",
                request.version
            ));
        }
        let argument = request.argument.as_deref();
        match request.command.as_str() {
            "status" => Ok(Self::Status),
            "restart" => match request.argument {
                Some(app) => Ok(Self::Restart(app)),
                None => Err("it is not said which application to restart".to_owned()),
            },
            "detach" => Ok(Self::Detach(process_id(argument.unwrap_or_default())?)),
            "backtraces" => Ok(Self::Backtraces(argument.map(process_id).transpose()?)),
            unknown => {
                let known = Self::NAMES.join(", ");
                Err(format!("unknown command {unknown:?}; this agent knows: {known}"))
            }
        }
    }
}

fn process_id(argument: &str) -> Result<i32, String> {
    argument.parse().map_err(|_| format!("{argument:?} is not a process id"))
}

/// What the agent answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The agent's [`VERSION`].
    pub version: u32,
    /// What was asked for, or why not.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To [`Command::Status`].
    Status(InstanceStatus),
    /// To [`Command::Restart`]: it has begun.
    Restarting,
    /// To [`Command::Detach`] and [`Command::Backtraces`]: the process ids of the workers that it was done to.
    Workers(Vec<i32>),
    /// To a request that cannot be carried out.
    Error(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn reads_a_request() {
        assert_eq!(Command::read(br#"{"version":1,"command":"status"}"#), Ok(Command::Status));
        assert_eq!(Command::read(br#"{"version":1,"command":"status","later":true}"#), Ok(Command::Status));
    }

    #[rstest]
    #[case(Command::Status, r#"{"version":1,"command":"status"}"#)]
    #[case(Command::Restart("shop".to_owned()), r#"{"version":1,"command":"restart","argument":"shop"}"#)]
    #[case(Command::Detach(7), r#"{"version":1,"command":"detach","argument":"7"}"#)]
    #[case(Command::Backtraces(Some(7)), r#"{"version":1,"command":"backtraces","argument":"7"}"#)]
    #[case(Command::Backtraces(None), r#"{"version":1,"command":"backtraces"}"#)]
    fn a_command_is_read_as_it_was_meant(#[case] command: Command, #[case] request: &str) {
        assert_eq!(serde_json::to_string(&command.request()).unwrap(), request);
        assert_eq!(Command::read(request.as_bytes()), Ok(command));
    }

    #[rstest]
    #[case(r#"{"version":2,"command":"status"}"#, "the request has version 2, this agent speaks version 1; use")]
    #[case(
        r#"{"version":1,"command":"explode"}"#,
        r#"unknown command "explode"; this agent knows: status, restart, detach, backtraces"#
    )]
    #[case(r#"{"version":1,"command":"restart"}"#, "it is not said which application to restart")]
    #[case(r#"{"version":1,"command":"detach"}"#, r#""" is not a process id"#)]
    #[case(r#"{"version":1,"command":"backtraces","argument":"all"}"#, r#""all" is not a process id"#)]
    #[case(r#"{"version":1}"#, "not a request: missing field `command`")]
    #[case("GET / HTTP/1.1", "not a request: expected value")]
    #[case("", "not a request: EOF")]
    fn says_what_is_wrong_with_a_request(#[case] line: &str, #[case] complaint: &str) {
        let said = Command::read(line.as_bytes()).unwrap_err();
        assert!(said.starts_with(complaint), "{said}");
    }

    #[test]
    fn an_answer_is_one_flat_object() {
        let answer = Answer { version: VERSION, outcome: Outcome::Error("no".to_owned()) };
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(json, r#"{"version":1,"error":"no"}"#);
        assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
    }
}
