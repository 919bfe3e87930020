//! Reading one value as its kind demands. Reasons are worded so that they follow the place and the value: "--port
//! abc: must be ...".

use super::{Environment, places};
use passenger_native::options::{Kind, OptionSpec};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A value that fits its option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
    Path(PathBuf),
    Integer(u64),
    Integers(Vec<u64>),
    Flag(bool),
}

impl Value {
    /// This one where `weaker` was said, too: names with values add up, all else is replaced.
    pub(super) fn over(self, weaker: Self) -> Self {
        match (self, weaker) {
            (Self::Map(map), Self::Map(mut weaker)) => {
                weaker.extend(map);
                Self::Map(weaker)
            }
            (value, _) => value,
        }
    }
}

/// What stands for a number that is found out.
const AUTO: &str = "auto";

/// Where relative paths start.
pub(super) struct Bases {
    app: PathBuf,
    other: PathBuf,
    home: Option<OsString>,
}

impl Bases {
    /// For what stands in a Passengerfile in `directory`.
    pub(super) fn in_file(app_root: &Path, directory: &Path, environment: &Environment) -> Self {
        Self { other: directory.to_owned(), ..Self::outside(app_root, environment) }
    }

    /// For the command line and the environment.
    pub(super) fn outside(app_root: &Path, environment: &Environment) -> Self {
        let home = environment.get(OsStr::new("HOME")).filter(|home| !home.is_empty()).cloned();
        Self { app: app_root.to_owned(), other: PathBuf::new(), home }
    }

    fn resolve(&self, kind: Kind, raw: &OsStr) -> PathBuf {
        let path = Path::new(raw);
        if kind == Kind::Program && path.components().count() == 1 && path.is_relative() {
            return path.to_owned();
        }
        let base = if kind == Kind::AppPath { &self.app } else { &self.other };
        let path = match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => base.join(path),
        };
        places::absolute(&path)
    }
}

/// Reads `raw` as a value of `option`, or says why it is none.
pub(super) fn read(option: &OptionSpec, raw: &OsStr, bases: &Bases) -> Result<Value, String> {
    if raw.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if let Kind::Path | Kind::AppPath | Kind::Program = option.kind {
        return if raw.as_encoded_bytes().contains(&0) {
            Err("must not contain a NUL character".to_owned())
        } else {
            Ok(Value::Path(bases.resolve(option.kind, raw)))
        };
    }
    let text = raw.to_str().ok_or("must be valid UTF-8")?;
    let number = |text: &str, min, max| text.trim().parse().ok().filter(|number| (min..=max).contains(number));
    if option.kind == Kind::Map {
        return map(text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let value = match option.kind {
        Kind::IntegerOrAuto { .. } if text == AUTO => Some(Value::Text(text.to_owned())),
        Kind::Integer { min, max } | Kind::IntegerOrAuto { min, max } => number(text, min, max).map(Value::Integer),
        Kind::Integers { min, max } => {
            text.split(',').map(|text| number(text, min, max)).collect::<Option<_>>().map(Value::Integers)
        }
        Kind::Flag => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Some(Value::Flag(true)),
            "0" | "false" | "no" | "off" => Some(Value::Flag(false)),
            _ => None,
        },
        Kind::Choice { values, synonyms } => {
            let word = synonyms.iter().find(|(also, _)| *also == text).map_or(text, |(_, word)| word);
            values.contains(&word).then(|| Value::Text(word.to_owned()))
        }
        _ if text.contains(char::is_control) => None,
        Kind::List => {
            let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
            (!words.iter().any(String::is_empty)).then_some(Value::List(words))
        }
        _ => Some(Value::Text(text.to_owned())),
    };
    value.ok_or_else(|| format!("must be {}", demand(option.kind)))
}

/// Reads a value of a Passengerfile. A number in quotes is as good as a number.
pub(super) fn read_json(option: &OptionSpec, json: &Json, bases: &Bases) -> Result<Value, String> {
    match (json, option.kind) {
        (Json::Object(members), Kind::Map) => {
            let variables = members.iter().map(|(name, value)| Some((name.clone(), plain(value)?)));
            map(variables.collect::<Option<Vec<_>>>().unwrap_or_default())
        }
        (_, Kind::Map) => map(None),
        (Json::String(text), _) => read(option, OsStr::new(text), bases),
        (Json::Array(items), Kind::List) if items.iter().all(Json::is_string) => {
            let words: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
            read(option, OsStr::new(&words.join(",")), bases)
        }
        (Json::Array(items), Kind::Integers { .. }) if items.iter().all(Json::is_number) => {
            let numbers: Vec<String> = items.iter().map(Json::to_string).collect();
            read(option, OsStr::new(&numbers.join(",")), bases)
        }
        (
            Json::Number(_),
            Kind::Integer { .. } | Kind::Integers { .. } | Kind::IntegerOrAuto { .. } | Kind::Choice { .. },
        )
        | (Json::Bool(_), Kind::Flag) => read(option, OsStr::new(&json.to_string()), bases),
        (_, Kind::Text) => Err("must be text in quotes".to_owned()),
        (_, Kind::Path | Kind::AppPath | Kind::Program) => Err("must be a path in quotes".to_owned()),
        _ => Err(format!("must be {}", demand(option.kind))),
    }
}

/// The text that a value stands for that can be written in one way only.
fn plain(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(json.to_string()),
        _ => None,
    }
}

/// Environment variables, which are not named in reasons: even a name can be a misplaced secret.
fn map(variables: impl IntoIterator<Item = (String, String)>) -> Result<Value, String> {
    let map: BTreeMap<String, String> = variables.into_iter().collect();
    let is_good =
        |(name, value): (&String, &String)| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
    if map.is_empty() || !map.iter().all(is_good) {
        return Err(format!("must be {}", demand(Kind::Map)));
    }
    Ok(Value::Map(map))
}

/// The path that a value of a Passengerfile is, if it is one.
pub(super) fn read_path(option: &OptionSpec, json: &Json, bases: &Bases) -> Option<PathBuf> {
    match read_json(option, json, bases) {
        Ok(Value::Path(path)) => Some(path),
        _ => None,
    }
}

fn demand(kind: Kind) -> String {
    match kind {
        Kind::Text => "text without control characters".to_owned(),
        Kind::Path | Kind::AppPath | Kind::Program => "a path".to_owned(),
        Kind::Integer { min, max } => format!("a whole number between {min} and {max}"),
        Kind::Integers { min, max } => format!("whole numbers between {min} and {max}, such as [5, 10] or 5,10"),
        Kind::IntegerOrAuto { min, max } => format!("{AUTO}, or a whole number between {min} and {max}"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Map => "names with text for values, in a file { \"NAME\": \"value\" }, else NAME=value".to_owned(),
        Kind::List => "words, such as [\"a\", \"b\"] or a,b".to_owned(),
        Kind::Choice { values, .. } => format!("one of {}", values.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use passenger_native::options;
    use rstest::rstest;
    use serde_json::json;
    use std::os::unix::ffi::OsStrExt;

    fn bases() -> Bases {
        Bases { app: "/app".into(), other: "/elsewhere".into(), home: Some("/home/ann".into()) }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[rstest]
    #[case("port", "0", Value::Integer(0))]
    #[case("port", "65535", Value::Integer(65535))]
    #[case("refork_after", "50, 1000,0", Value::Integers(vec![50, 1000, 0]))]
    #[case("environment", "staging", text("staging"))]
    #[case("daemonize", "Yes", Value::Flag(true))]
    #[case("daemonize", "off", Value::Flag(false))]
    #[case("log_level", "debug", text("debug"))]
    #[case("log_level", "7", text("debug"))]
    #[case("pid_file", "a.pid", Value::Path("/elsewhere/a.pid".into()))]
    #[case("pid_file", "/run/a.pid", Value::Path("/run/a.pid".into()))]
    #[case("pid_file", "~/a.pid", Value::Path("/home/ann/a.pid".into()))]
    #[case("pid_file", "~bob/a.pid", Value::Path("/elsewhere/~bob/a.pid".into()))]
    #[case("startup_file", "other.ru", Value::Path("/app/other.ru".into()))]
    #[case("ruby", "ruby3.3", Value::Path("ruby3.3".into()))]
    #[case("ruby", "bin/ruby", Value::Path("/elsewhere/bin/ruby".into()))]
    #[case("python", "python3.12", Value::Path("python3.12".into()))]
    #[case("python", ".venv/bin/python", Value::Path("/elsewhere/.venv/bin/python".into()))]
    #[case("app_dir", "src", Value::Path("/app/src".into()))]
    #[case("app_type", "asgi3", text("asgi"))]
    #[case("log_level", "warning", text("warn"))]
    #[case("server_names", "a.com, b.com", Value::List(vec!["a.com".to_owned(), "b.com".to_owned()]))]
    fn reads(#[case] name: &str, #[case] raw: &str, #[case] expected: Value) {
        assert_eq!(read(options::find(name).unwrap(), OsStr::new(raw), &bases()), Ok(expected));
    }

    #[rstest]
    #[case("port", "65536", "must be a whole number between 0 and 65535")]
    #[case("port", "-1", "must be a whole number between 0 and 65535")]
    #[case("port", "80.0", "must be a whole number between 0 and 65535")]
    #[case("port", "99999999999999999999999", "must be a whole number between 0 and 65535")]
    #[case("refork_after", "5,", "must be whole numbers between 0 and 1000000000, such as [5, 10] or 5,10")]
    #[case("max_pool_size", "0", "must be auto, or a whole number between 1 and 10000")]
    #[case("max_pool_size", "Auto", "must be auto, or a whole number between 1 and 10000")]
    #[case("threads", "0", "must be a whole number between 1 and 128")]
    #[case("daemonize", "perhaps", "must be true or false")]
    #[case("spawn_method", "conservative", "must be one of smart, direct")]
    #[case("app_type", "wsgy", "must be one of auto, rack, wsgi, asgi")]
    #[case("app", "shop:\u{7}", "must be text without control characters")]
    #[case("log_level", "8", "must be one of crit, error, warn, notice, info, debug")]
    #[case("environment", "", "must not be empty")]
    #[case("server_names", "a.com,,", "must be words, such as [\"a\", \"b\"] or a,b")]
    #[case("environment", "a\nb", "must be text without control characters")]
    #[case("socket", "", "must not be empty")]
    #[case("socket", "a\0b", "must not contain a NUL character")]
    fn refuses(#[case] name: &str, #[case] raw: &str, #[case] reason: &str) {
        assert_eq!(read(options::find(name).unwrap(), OsStr::new(raw), &bases()), Err(reason.to_owned()));
    }

    #[test]
    fn a_path_may_be_any_bytes_but_text_may_not() {
        let raw = OsStr::from_bytes(b"\xff");
        assert!(read(options::find("socket").unwrap(), raw, &bases()).is_ok());
        assert_eq!(read(options::find("address").unwrap(), raw, &bases()), Err("must be valid UTF-8".to_owned()));
    }

    #[rstest]
    #[case("port", json!(80), Ok(Value::Integer(80)))]
    #[case("port", json!("80"), Ok(Value::Integer(80)))]
    #[case("max_pool_size", json!(8), Ok(Value::Integer(8)))]
    #[case("max_pool_size", json!("auto"), Ok(text("auto")))]
    #[case("log_level", json!(3), Ok(text("notice")))]
    #[case("daemonize", json!(true), Ok(Value::Flag(true)))]
    #[case("port", json!(80.5), Err("must be a whole number between 0 and 65535"))]
    #[case("port", json!(-80), Err("must be a whole number between 0 and 65535"))]
    #[case("port", json!(true), Err("must be a whole number between 0 and 65535"))]
    #[case("port", json!([80]), Err("must be a whole number between 0 and 65535"))]
    #[case("refork_after", json!(5), Ok(Value::Integers(vec![5])))]
    #[case("refork_after", json!([5, 10]), Ok(Value::Integers(vec![5, 10])))]
    #[case("refork_after", json!([5, "x"]), Err("must be whole numbers between 0 and 1000000000, such as [5, 10] or 5,10"))]
    #[case("environment", json!(5), Err("must be text in quotes"))]
    #[case("server_names", json!(["a", "b"]), Ok(Value::List(vec!["a".to_owned(), "b".to_owned()])))]
    #[case("server_names", json!(["a", 5]), Err("must be words, such as [\"a\", \"b\"] or a,b"))]
    #[case("server_names", json!([]), Err("must not be empty"))]
    #[case("socket", json!({}), Err("must be a path in quotes"))]
    fn reads_json(#[case] name: &str, #[case] json: Json, #[case] expected: Result<Value, &str>) {
        let expected = expected.map_err(str::to_owned);
        assert_eq!(read_json(options::find(name).unwrap(), &json, &bases()), expected);
    }

    #[test]
    fn every_fixed_default_fits_its_option() {
        for option in options::OPTIONS {
            if let options::DefaultValue::Fixed(default) = option.default {
                assert!(read(option, OsStr::new(default), &bases()).is_ok(), "the default of {}", option.name);
            }
        }
    }
}
