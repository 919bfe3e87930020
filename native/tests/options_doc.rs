//! Keeps `docs/options.md` equal to the option table. `UPDATE_DOCS=1 cargo test -p passenger-native --test
//! options_doc` rewrites it.

#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

use passenger_native::options::{DefaultValue, Kind, OPTIONS, OptionSpec, Section};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Options

<!-- Generated from native/src/options.rs. To change it, edit that file and run
     UPDATE_DOCS=1 cargo test -p passenger-native --test options_doc -->

Every option can be set in three places. What comes later in this list wins:

1. `Passengerfile.json` in the application's directory: `{ \"max_pool_size\": 4 }`
2. the environment: `PASSENGER_MAX_POOL_SIZE=4` (a variable that is set but empty counts as not set)
3. the command line: `passenger start --max-pool-size 4`

A relative path starts at the working directory, and at the application's directory when it stands in `Passengerfile.json`.
`startup_file`, `rackup` and `static_files_dir` always start at the application's directory. `~/` stands for the home directory.

By default the pid file and the log file lie in the application's directory, the pid file in `tmp/pids` if there is a `tmp`, the log file
in `log` if there is one. With a Unix socket they are called `passenger.pid` and `passenger.log`.

A flag is `true` or `false` in `Passengerfile.json`; `1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off` in the environment;
`--name` or `--no-name` on the command line.

`address` and `port` do not matter when `socket` is set, unless one of them is set in a later place than `socket`.
";

fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for section in Section::ALL {
        let _ = write!(text, "\n## {}\n\n", section.title());
        text.push_str(
            "| Command line | Environment | Passengerfile.json | Default | Meaning |\n|---|---|---|---|---|\n",
        );
        for option in OPTIONS.iter().filter(|option| option.section == section) {
            let (flags, environment, key) = spellings(option);
            let meaning = format!("{}{}", option.help, values(option));
            let default = match option.default {
                DefaultValue::Fixed(value) => format!("`{value}`"),
                DefaultValue::Computed(how) => how.to_owned(),
                DefaultValue::Unset => "none".to_owned(),
            };
            let _ = writeln!(text, "| {flags} | {environment} | {key} | {default} | {meaning}. |");
        }
    }
    text
}

fn spellings(option: &OptionSpec) -> (String, String, String) {
    let mut flags: Vec<String> = option.short.map(|short| format!("`-{short}`")).into_iter().collect();
    for name in std::iter::once(&option.name).chain(option.aliases) {
        flags.push(format!("`{}`", format!("--{} {}", name.replace('_', "-"), option.value_name).trim_end()));
    }
    if option.kind == Kind::Flag {
        flags.push(format!("`--no-{}`", option.long()));
    }
    let environment: Vec<String> = option.environment_variables().map(|name| format!("`{name}`")).collect();
    let keys: Vec<String> =
        std::iter::once(&option.name).chain(option.aliases).map(|name| format!("`{name}`")).collect();
    (flags.join(", "), environment.join(", "), keys.join(", "))
}

fn values(option: &OptionSpec) -> String {
    match option.kind {
        Kind::Integer { min, max } => format!(" ({min} to {max})"),
        Kind::Choice { values, synonyms } => {
            let words: Vec<String> = values
                .iter()
                .map(|value| {
                    let also: Vec<&str> =
                        synonyms.iter().filter(|(_, word)| word == value).map(|(also, _)| *also).collect();
                    if also.is_empty() { format!("`{value}`") } else { format!("`{value}` or {}", also.join(", ")) }
                })
                .collect();
            format!(" ({})", words.join("; "))
        }
        Kind::Text | Kind::Path | Kind::AppPath | Kind::Program | Kind::Flag => String::new(),
    }
}

#[test]
fn the_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == document(), "docs/options.md is out of date; rewrite it with UPDATE_DOCS=1");
}
