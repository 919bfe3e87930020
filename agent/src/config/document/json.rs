//! JSON.

use super::{Document, Member, Position, TABLES, Table};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::fmt;

pub(super) fn read(text: &str) -> Result<Document, String> {
    let Members(raw) = serde_json::from_str(text).map_err(|error| explain(&error))?;
    let mut document = Document::default();
    for (raw_key, raw_value) in raw {
        let key: String = decode(text, raw_key)?;
        if key != TABLES {
            document.members.push(member(text, raw_key, raw_value)?);
        } else if raw_value.get() != "null" && document.apps.replace(tables(text, raw_value)?).is_some() {
            return Err(format!("{}: \"{TABLES}\" is there a second time; remove one", position(text, raw_key)));
        }
    }
    Ok(document)
}

fn member(text: &str, raw_key: &RawValue, raw_value: &RawValue) -> Result<Member, String> {
    let value: Json = decode(text, raw_value)?;
    Ok(Member {
        key: decode(text, raw_key)?,
        key_at: position(text, raw_key),
        shown: format!("{}: {value}", raw_key.get()),
        value,
        value_at: position(text, raw_value),
    })
}

fn tables(text: &str, raw: &RawValue) -> Result<Vec<Table>, String> {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| {
        let at = position(text, raw);
        format!("{at}: \"{TABLES}\" must be a list of applications, such as [{{ \"root\": \"shop\" }}]")
    })?;
    let table = |item: &RawValue| {
        let at = position(text, item);
        let Members(raw) = serde_json::from_str(item.get())
            .map_err(|_| format!("{at}: an application must be an object, such as {{ \"root\": \"shop\" }}"))?;
        Ok(Table {
            at,
            members: raw.into_iter().map(|(key, value)| member(text, key, value)).collect::<Result<_, _>>()?,
        })
    };
    items.into_iter().map(table).collect()
}

/// What the parser found wrong in the whole text.
fn explain(error: &serde_json::Error) -> String {
    let remedy =
        if error.is_data() { "" } else { "; this is not valid JSON, look for a missing comma, quote or brace" };
    format!("{}:{}: {}{remedy}", error.line(), error.column(), without_position(error))
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// Reads `part`, which is a piece of `text`. Fails only for what JSON allows and we do not, such as very deep
/// nesting.
fn decode<'a, T: Deserialize<'a>>(text: &str, part: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(part.get()).map_err(|error| format!("{}: {}", position(text, part), without_position(&error)))
}

/// The place of `part`, which is a piece of `text`.
fn position(text: &str, part: &RawValue) -> Position {
    Position::of(part.get().as_ptr().addr().saturating_sub(text.as_ptr().addr()), text)
}

/// The members of an object as they stand in the text, which says where they stand.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object such as { \"max_pool_size\": 4 }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
