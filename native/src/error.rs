//! What can be wrong with bytes that came from the other side.

use std::fmt;

/// A frame or message that breaks the protocol. The side that meets one closes the channel: after it nothing on
/// that channel can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtocolError {
    /// A kind byte that this version does not define.
    UnknownKind(u8),
    /// A payload longer than [`crate::frame::MAX_PAYLOAD`].
    PayloadTooLong(usize),
    /// The payload ends before the field that is named.
    Truncated(&'static str),
    /// A field holds a value outside its range.
    Invalid(&'static str),
    /// A frame announced a descriptor that did not come with it.
    MissingDescriptor,
    /// A frame that is valid by itself arrived where it makes no sense.
    Unexpected(&'static str),
    /// A control message that is not valid JSON or has an unknown shape; with the parser's words.
    Message(String),
    /// The other side speaks another version of the control protocol.
    Version {
        /// What this side speaks.
        ours: u32,
        /// What the other side said.
        theirs: u32,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "unknown frame kind {kind}"),
            Self::PayloadTooLong(len) => {
                write!(f, "a frame of {len} bytes is over the limit of {} bytes", crate::frame::MAX_PAYLOAD)
            }
            Self::Truncated(field) => write!(f, "the frame ends inside {field}"),
            Self::Invalid(field) => write!(f, "invalid {field}"),
            Self::MissingDescriptor => write!(f, "a descriptor was announced but did not arrive"),
            Self::Unexpected(what) => write!(f, "unexpected {what}"),
            Self::Message(reason) => write!(f, "unreadable control message: {reason}"),
            Self::Version { ours, theirs } => {
                write!(
                    f,
                    "this side speaks control protocol {ours}, the other {theirs}; install the same version on both"
                )
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<ProtocolError> for std::io::Error {
    fn from(error: ProtocolError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
