//! TOML.

use super::{Document, Member, Position, TABLES, Table};
use serde_json::Value as Json;
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) fn read(text: &str) -> Result<Document, String> {
    let table = DeTable::parse(text).map_err(|error| explain(text, &error))?;
    let apps = table.get_ref().get(TABLES).map(|value| tables(text, value)).transpose()?;
    let mut members = members(text, table.get_ref());
    members.retain(|member| member.key != TABLES);
    Ok(Document { members, apps })
}

/// What is in a table, in the order of the text.
fn members(text: &str, table: &DeTable<'_>) -> Vec<Member> {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    let member = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let json = plain(value.get_ref());
        Member {
            key: key.get_ref().to_string(),
            key_at: Position::of(key.span().start, text),
            shown: format!("{} = {json}", key.get_ref()),
            value: json,
            value_at: Position::of(value.span().start, text),
        }
    };
    members.into_iter().map(member).collect()
}

fn tables(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<Table>, String> {
    let wrong = |at: usize| format!("{}: applications must be tables, each under [[{TABLES}]]", Position::of(at, text));
    let DeValue::Array(items) = value.get_ref() else { return Err(wrong(value.span().start)) };
    let table = |item: &Spanned<DeValue<'_>>| {
        let DeValue::Table(table) = item.get_ref() else { return Err(wrong(item.span().start)) };
        Ok(Table { at: Position::of(item.span().start, text), members: members(text, table) })
    };
    items.iter().map(table).collect()
}

/// The value as JSON has it. A number that JSON has not, and a date, is text that no option takes for a number.
fn plain(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Json::from(number),
            Err(_) => Json::from(integer.as_str()),
        },
        DeValue::Float(float) => float.as_str().parse::<f64>().map_or_else(|_| Json::from(float.as_str()), Json::from),
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(time) => Json::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().clone().into_owned(), plain(value.get_ref()))).collect()
        }
    }
}

/// What the parser found wrong.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let at = Position::of(error.span().map_or(0, |span| span.start), text);
    let reason = error.message().lines().next().unwrap_or_default();
    format!("{at}: {reason}; this is not valid TOML, look for a missing quote or bracket")
}
