//! A Passengerfile as its syntax has it: names and values, each with its place in the text. What they mean is another
//! matter ([`super::passengerfile`]).

mod json;
mod toml;

use serde_json::Value as Json;
use std::fmt;

/// Line and column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    /// The place of the byte at `offset` in `text`.
    fn of(offset: usize, text: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// A whole file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// What stands at the top, but for [`TABLES`].
    pub(super) members: Vec<Member>,
    /// Its tables, if there is such a member.
    pub(super) apps: Option<Vec<Table>>,
}

/// A name with its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_at: Position,
    /// The value, as JSON has it.
    pub(super) value: Json,
    pub(super) value_at: Position,
    /// Both as errors show them: `"port": 3000` or `port = 3000`.
    pub(super) shown: String,
}

/// What is said about one application among several.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) at: Position,
    pub(super) members: Vec<Member>,
}

/// The one name at the top whose value is a list of tables.
pub(super) const TABLES: &str = "apps";

/// How a Passengerfile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Toml,
}

impl Syntax {
    pub(super) const ALL: [Self; 2] = [Self::Json, Self::Toml];

    /// The file that is written so.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Json => "Passengerfile.json",
            Self::Toml => "Passengerfile.toml",
        }
    }

    /// Reads a whole text. An error begins with the line and column.
    pub(super) fn read(self, text: &str) -> Result<Document, String> {
        // Some editors begin a file with a byte order mark, which neither syntax allows.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Json => json::read(text),
            Self::Toml => toml::read(text),
        }
    }
}
