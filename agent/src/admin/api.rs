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
    /// The command's name, see [`Command::name`].
    pub command: String,
}

/// What the agent can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Say how it is doing.
    Status,
}

impl Command {
    const ALL: [Self; 1] = [Self::Status];

    /// What requests call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
        }
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
        Self::ALL.into_iter().find(|command| command.name() == request.command).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("unknown command {:?}; this agent knows: {known}", request.command)
        })
    }
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
    #[case(r#"{"version":2,"command":"status"}"#, "the request has version 2, this agent speaks version 1; use")]
    #[case(r#"{"version":1,"command":"explode"}"#, r#"unknown command "explode"; this agent knows: status"#)]
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
