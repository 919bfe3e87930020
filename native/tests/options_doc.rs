//! Keeps `docs/options.md` equal to the option table. `UPDATE_DOCS=1 cargo test -p passenger-native --test
//! options_doc` rewrites it.

#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

use passenger_native::options::{DefaultValue, Kind, OPTIONS, OptionSpec, Scope, Section};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Options

<!-- Generated from native/src/options.rs. To change it, edit that file and run
     UPDATE_DOCS=1 cargo test -p passenger-native --test options_doc -->

Every option can be set in three places. What comes later in this list wins:

1. the Passengerfile in the application's directory: `Passengerfile.json` with `{ \"max_pool_size\": 4 }`, or `Passengerfile.toml` with
   `max_pool_size = 4`
2. the environment: `PASSENGER_MAX_POOL_SIZE=4` (a variable that is set but empty counts as not set)
3. the command line: `passenger start --max-pool-size 4`

A relative path starts at the working directory, and at the Passengerfile's directory when it stands in one.
`startup_file`, `rackup`, `app_dir` and `static_files_dir` always start at the application's directory. `~/` stands for the home directory.

By default the pid file and the log file lie in the application's directory, the pid file in `tmp/pids` if there is a `tmp`, the log file
in `log` if there is one. With a Unix socket they are called `passenger.pid` and `passenger.log`.

A flag is `true` or `false` in a Passengerfile; `1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off` in the environment;
`--name` or `--no-name` on the command line. Several words are a list in a Passengerfile, and have commas between them elsewhere.

`address` and `port` do not matter when `socket` is set, unless one of them is set in a later place than `socket`. Likewise the application is
what the latest of `app`, `startup_file` and `rackup` says, and `workers` gives way to a `max_pool_size`, `max_instances` or `min_instances` of
the same place.

## Several applications in one instance

A Passengerfile with `apps`, a list of applications, serves them all:

```json
{
  \"port\": 80,
  \"max_pool_size\": 12,
  \"environment\": \"production\",
  \"apps\": [
    { \"root\": \"shop\", \"server_names\": [\"shop.example.com\"] },
    { \"root\": \"api\", \"server_names\": [\"shop.example.com\"], \"base_uri\": \"/api\", \"python\": \"/opt/python3.13/bin/python\" },
    { \"root\": \"blog\", \"ruby\": \"/opt/ruby-3.4/bin/ruby\", \"max_instances\": 2 }
  ]
}
```

In TOML each application is an `[[apps]]` table.

A request goes to the host that it names: to the applications with exactly this name in `server_names`, else to those with the longest
`*.` name that it fits, else to those without any. Among these the longest `base_uri` that its path begins with counts, in whole segments
and written exactly so: `/api` is for `/api` and `/api/x`, but not for `/apis` or `/%61pi`. A path that no application of the host has is
answered with 404, a host that nobody has with 421.

`root` starts at the Passengerfile's directory, all other relative paths in an entry start at its `root`. A Passengerfile in a `root` is not
read: one file says all.

In an entry may stand: APP_OPTIONS.

All but `root` may also stand beside `apps`, for all entries that do not say otherwise. When there are several applications, only `environment`
of these can be set on the command line and in the environment. All other options are about the instance as a whole and stand beside `apps`.

The pool is shared: when it is full and an application without any worker has requests that wait, the worker of another one that has been
idle longest ends to make room; if none is idle for long, the application with the most workers gives one up.

`passenger config --check` says whether everything that is needed is there.
";

fn introduction() -> String {
    let names: Vec<String> = OPTIONS
        .iter()
        .filter(|option| option.scope != Scope::Instance)
        .map(|option| format!("`{}`", option.name))
        .collect();
    INTRODUCTION.replace("APP_OPTIONS", &names.join(", "))
}

fn document() -> String {
    let mut text = introduction();
    for section in Section::ALL {
        let _ = write!(text, "\n## {}\n\n", section.title());
        text.push_str("| Command line | Environment | Passengerfile | Default | Meaning |\n|---|---|---|---|---|\n");
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
    let keys: Vec<String> =
        std::iter::once(&option.name).chain(option.aliases).map(|name| format!("`{name}`")).collect();
    if option.scope == Scope::Entry {
        return (String::new(), String::new(), keys.join(", "));
    }
    let mut flags: Vec<String> = option.short.map(|short| format!("`-{short}`")).into_iter().collect();
    for name in std::iter::once(&option.name).chain(option.aliases) {
        flags.push(format!("`{}`", format!("--{} {}", name.replace('_', "-"), option.value_name).trim_end()));
    }
    if option.kind == Kind::Flag {
        flags.push(format!("`--no-{}`", option.long()));
    }
    let environment: Vec<String> = option.environment_variables().map(|name| format!("`{name}`")).collect();
    (flags.join(", "), environment.join(", "), keys.join(", "))
}

fn values(option: &OptionSpec) -> String {
    match option.kind {
        Kind::Integer { min, max } | Kind::Integers { min, max } => format!(" ({min} to {max})"),
        Kind::IntegerOrAuto { min, max } => format!(" ({min} to {max}, or `auto`)"),
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
        Kind::Text | Kind::List | Kind::Map | Kind::Path | Kind::AppPath | Kind::Program | Kind::Flag => String::new(),
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
