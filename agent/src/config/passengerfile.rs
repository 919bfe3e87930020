//! `Passengerfile.json`: one JSON object whose keys are option names.

use super::ConfigError;
use super::value::{self, Bases, Value};
use passenger_native::options::{self, OPTIONS, OptionSpec};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const FILE_NAME: &str = "Passengerfile.json";

/// Far more than all options together need, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// How alike a mistyped key and an option's name must be for the name to be suggested, from 0 to 1.
const ALIKE: f64 = 0.8;

/// One setting in the file.
pub(super) struct Entry {
    pub(super) option: &'static OptionSpec,
    pub(super) value: Value,
    /// How errors name it.
    pub(super) shown: String,
}

/// The settings in the file in `app_root`; none when there is no such file.
pub(super) fn read(app_root: &Path, bases: &Bases) -> Result<Vec<Entry>, ConfigError> {
    let path = app_root.join(FILE_NAME);
    let failed = |reason: String| ConfigError::new(format!("{}{reason}", path.display()));
    match load(&path).map_err(|reason| failed(format!(": {reason}")))? {
        None => Ok(Vec::new()),
        Some(text) => parse(&text, &path, bases).map_err(|reason| failed(format!(":{reason}"))),
    }
}

/// An error begins with the line and column.
fn parse(text: &str, path: &Path, bases: &Bases) -> Result<Vec<Entry>, String> {
    // Some editors begin a file with a byte order mark, which is not JSON.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Members(members) = serde_json::from_str(text).map_err(|error| explain(&error))?;
    let mut entries: Vec<Entry> = Vec::new();
    for (raw_key, raw_value) in members {
        let key: String = decode(text, raw_key)?;
        let json: Json = decode(text, raw_value)?;
        let option = options::find(&key).ok_or_else(|| format!("{}: {}", position(text, raw_key), unknown(&key)))?;
        // `null` is how a file says "as if this were not here".
        if json.is_null() {
            continue;
        }
        let shown = format!("{}: {}: {json}", position(text, raw_value), raw_key.get());
        if entries.iter().any(|entry| entry.option.name == option.name) {
            return Err(format!("{shown}: is the second value of {}; remove one", option.name));
        }
        let value = value::read_json(option, &json, bases).map_err(|reason| format!("{shown}: {reason}"))?;
        entries.push(Entry { option, value, shown: format!("{}:{shown}", path.display()) });
    }
    Ok(entries)
}

fn load(path: &Path) -> Result<Option<String>, String> {
    let readable = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => "may not be read; give its reader permission or remove it".to_owned(),
        _ => format!("cannot be read ({error}); repair or remove it"),
    };
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(readable(error)),
        // A named pipe would keep the server waiting for good.
        Ok(metadata) if !metadata.is_file() => return Err("is not a file; remove it or make it one".to_owned()),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(readable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("is larger than {LARGEST_FILE} bytes, so it is hardly a list of options"));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| format!("is not UTF-8 text: {}", error.utf8_error()))
}

/// What the JSON parser found wrong in the whole text.
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

/// Line and column, counted from 1, of `part`, which is a piece of `text`.
fn position(text: &str, part: &RawValue) -> String {
    let offset = (part.get().as_ptr().addr()).saturating_sub(text.as_ptr().addr());
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{line}:{column}")
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

fn unknown(key: &str) -> String {
    let typed = key.to_lowercase().replace('-', "_");
    let nearest = OPTIONS
        .iter()
        .map(|option| (strsim::jaro_winkler(option.name, &typed), option.name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let key = Json::from(key);
    match nearest {
        Some((_, name)) => format!("{key} is not an option; did you mean \"{name}\"?"),
        None => format!("{key} is not an option; `passenger help start` lists them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tempfile::TempDir;

    fn app_with(json: impl AsRef<[u8]>) -> TempDir {
        let app = tempfile::tempdir().unwrap();
        std::fs::write(app.path().join(FILE_NAME), json).unwrap();
        app
    }

    /// What `read` says about the file, without the directory's name.
    fn read_in(app: &TempDir) -> Result<Vec<(&'static str, Value)>, String> {
        let bases = Bases::in_file(app.path(), &Default::default());
        let entries = read(app.path(), &bases)
            .map_err(|error| error.to_string().replace(&format!("{}/", app.path().display()), ""))?;
        Ok(entries.into_iter().map(|entry| (entry.option.name, entry.value)).collect())
    }

    #[test]
    fn no_file_means_no_settings() {
        assert_eq!(read_in(&tempfile::tempdir().unwrap()), Ok(Vec::new()));
    }

    #[test]
    fn reads_settings_with_aliases_and_null_and_a_byte_order_mark() {
        let app = app_with("\u{feff}{ \"thread_count\": \"4\", \"port\": null, \"pid_file\": \"run/pid\" }");
        let expected = vec![("threads", Value::Integer(4)), ("pid_file", Value::Path(app.path().join("run/pid")))];
        assert_eq!(read_in(&app), Ok(expected));
    }

    #[rstest]
    #[case::unknown(
        r#"{"max_pool_sizes": 3}"#,
        r#"1:2: "max_pool_sizes" is not an option; did you mean "max_pool_size"?"#
    )]
    #[case::dashes(
        r#"{"Max-Pool-Size": 3}"#,
        r#"1:2: "Max-Pool-Size" is not an option; did you mean "max_pool_size"?"#
    )]
    #[case::no_idea(
        "{\n\"port\": 1,\n\"xyz\": 3}",
        r#"3:1: "xyz" is not an option; `passenger help start` lists them"#
    )]
    #[case::value("{\n  \"port\": 99999\n}", r#"2:11: "port": 99999: must be a whole number between 0 and 65535"#)]
    #[case::object(r#"{"port": {"a": 1}}"#, r#"1:10: "port": {"a":1}: must be a whole number between 0 and 65535"#)]
    #[case::twice(
        r#"{"threads": 1, "thread_count": 2}"#,
        r#"1:32: "thread_count": 2: is the second value of threads; remove one"#
    )]
    #[case::list("[1]", "1:0: invalid type: sequence, expected an object such as { \"max_pool_size\": 4 }")]
    #[case::comma(
        "{\n  \"port\": 1\n  \"threads\": 2\n}",
        "3:3: expected `,` or `}`; this is not valid JSON, look for a missing comma, quote or brace"
    )]
    #[case::empty(
        "",
        "1:0: EOF while parsing a value; this is not valid JSON, look for a missing comma, quote or brace"
    )]
    #[case::trailing(
        "{} {}",
        "1:4: trailing characters; this is not valid JSON, look for a missing comma, quote or brace"
    )]
    fn explains_what_is_wrong_and_where(#[case] json: &str, #[case] complaint: &str) {
        assert_eq!(read_in(&app_with(json)), Err(format!("{FILE_NAME}:{complaint}")));
    }

    #[test]
    fn survives_what_is_not_meant_for_it() {
        let complaint = read_in(&app_with(b"{\"port\xff\": 1}")).unwrap_err();
        assert_eq!(
            complaint,
            format!("{FILE_NAME}: is not UTF-8 text: invalid utf-8 sequence of 1 bytes from index 6")
        );
        for nested in ["[".repeat(100_000), format!("{{\"port\": {}", "[".repeat(100_000))] {
            assert!(read_in(&app_with(nested)).is_err());
        }
        let closed = format!("{{\"port\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read_in(&app_with(closed)).unwrap_err().contains("recursion limit exceeded"));
    }

    #[test]
    fn a_directory_or_an_endless_file_is_one_clear_line() {
        let app = tempfile::tempdir().unwrap();
        std::fs::create_dir(app.path().join(FILE_NAME)).unwrap();
        assert_eq!(read_in(&app), Err(format!("{FILE_NAME}: is not a file; remove it or make it one")));
        let app = app_with(vec![b' '; LARGEST_FILE as usize + 1]);
        assert!(read_in(&app).unwrap_err().contains("is larger than"));
    }
}
