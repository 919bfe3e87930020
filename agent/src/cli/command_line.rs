//! The commands and their flags, made from the option table.

use super::{backtraces, config, detach, help, restart, start, status, stop, version};
use crate::config::CommandLine;
use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use passenger_native::options::{DefaultValue, Kind, OPTIONS, OptionSpec, Scope};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The argument that names the application's directory.
const DIR: &str = "DIR";

/// All of it.
pub(super) fn command() -> Command {
    let version_flag =
        Arg::new(version::NAME).short('v').long("version").action(ArgAction::SetTrue).help("Show the version");
    Command::new("passenger")
        .about("Phusion Passenger(R), the application server")
        .after_help("`passenger help COMMAND` says more about a command.")
        .arg(version_flag)
        // What is typed last counts, so that a script can append to what it was given.
        .args_override_self(true)
        // Lines are as long as they are; terminals wrap them.
        .term_width(0)
        .disable_help_subcommand(true)
        .subcommands([
            start::command(),
            stop::command(),
            restart::command(),
            status::command(),
            detach::command(),
            backtraces::command(),
            config::command(),
            version::command(),
            help::command(),
        ])
}

/// The application's directory as an argument.
pub(super) fn dir_argument(help: &'static str) -> Arg {
    Arg::new(DIR).help(help).value_parser(OsStringValueParser::new())
}

/// The application's directory that was typed, for commands that take one.
pub(super) fn dir(matches: &ArgMatches) -> Option<&Path> {
    matches.try_get_one::<OsString>(DIR).ok().flatten().map(Path::new)
}

/// That directory, or the working directory.
pub(super) fn dir_or_current(matches: &ArgMatches) -> PathBuf {
    dir(matches).unwrap_or(Path::new(".")).to_owned()
}

/// The options that can be typed.
fn options() -> impl Iterator<Item = &'static OptionSpec> {
    OPTIONS.iter().filter(|option| option.scope != Scope::Entry)
}

/// The flags of every option.
pub(super) fn flags() -> impl Iterator<Item = Arg> {
    options().flat_map(|option| {
        let flag = Arg::new(option.name).short(option.short).long(option.long()).help_heading(option.section.title());
        if option.kind == Kind::Flag {
            let flag = flag.action(ArgAction::SetTrue).overrides_with(negated(option)).help(option.help);
            let negation = Arg::new(negated(option))
                .long(format!("no-{}", option.long()))
                .help_heading(option.section.title())
                .action(ArgAction::SetTrue)
                .help(option.help);
            // What is done anyway is typed only to have it not done.
            let is_on = option.default == DefaultValue::Fixed("true");
            return vec![flag.hide(is_on), negation.hide(!is_on)];
        }
        let flag = flag
            .visible_aliases(option.aliases.iter().map(|alias| alias.replace('_', "-")))
            .value_name(option.value_name)
            .action(if option.kind == Kind::Map { ArgAction::Append } else { ArgAction::Set })
            .value_parser(OsStringValueParser::new())
            // So that "must be between" answers to -1, rather than "no such option".
            .allow_negative_numbers(matches!(
                option.kind,
                Kind::Integer { .. } | Kind::Integers { .. } | Kind::IntegerOrAuto { .. }
            ))
            .help(described(option));
        vec![flag]
    })
}

/// The options that were typed.
pub(super) fn typed(matches: &ArgMatches) -> CommandLine {
    let is_set = |id: &str| matches!(matches.try_get_one::<bool>(id), Ok(Some(true)));
    let values = |option: &OptionSpec| -> Vec<OsString> {
        if option.kind != Kind::Flag {
            let values = matches.try_get_many::<OsString>(option.name).ok().flatten();
            return values.into_iter().flatten().cloned().collect();
        }
        let off = is_set(&negated(option)).then(|| OsString::from("false"));
        off.or_else(|| is_set(option.name).then(|| OsString::from("true"))).into_iter().collect()
    };
    options().flat_map(|option| values(option).into_iter().map(move |value| (option, value))).collect()
}

fn negated(option: &OptionSpec) -> String {
    format!("no_{}", option.name)
}

fn described(option: &OptionSpec) -> String {
    let choices = match option.kind {
        Kind::Choice { values, .. } => format!(" ({})", values.join(", ")),
        _ => String::new(),
    };
    let default = match option.default {
        DefaultValue::Fixed(default) | DefaultValue::Computed(default) => format!(" [default: {default}]"),
        DefaultValue::Unset => String::new(),
    };
    format!("{}{choices}{default}", option.help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parse(arguments: &[&str]) -> (Option<PathBuf>, Vec<String>) {
        let all = ["passenger", "start"].iter().chain(arguments);
        let matches = command().try_get_matches_from(all).unwrap();
        let matches = matches.subcommand().unwrap().1;
        let typed = typed(matches).into_iter().map(|(option, value)| format!("{}={}", option.name, value.display()));
        (dir(matches).map(Path::to_owned), typed.collect())
    }

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[rstest]
    #[case(&[], None, &[])]
    #[case(&["app"], Some("app"), &[])]
    #[case(&["app", "--port", "1"], Some("app"), &["port=1"])]
    #[case(&["--port=1", "app"], Some("app"), &["port=1"])]
    #[case(&["-p1", "-d", "app"], Some("app"), &["port=1", "daemonize=true"])]
    #[case(&["-dp", "1"], None, &["port=1", "daemonize=true"])]
    #[case(&["--port", "1", "--port", "2"], None, &["port=2"])]
    #[case(&["--port", "-1"], None, &["port=-1"])]
    #[case(&["--port="], None, &["port="])]
    #[case(&["--daemonize", "--no-daemonize"], None, &["daemonize=false"])]
    #[case(&["--no-daemonize", "--daemonize"], None, &["daemonize=true"])]
    #[case(&["--thread-count", "4"], None, &["threads=4"])]
    #[case(&["-R", "a.ru", "-e", "test", "-a", "::1", "-S", "s"], None, &["address=::1", "socket=s", "environment=test", "rackup=a.ru"])]
    #[case(&["--envvar", "A=1", "--envvars", "B=2"], None, &["envvars=A=1", "envvars=B=2"])]
    #[case(&["--", "--odd"], Some("--odd"), &[])]
    fn takes_options_before_and_after_the_directory(
        #[case] arguments: &[&str],
        #[case] dir: Option<&str>,
        #[case] typed: &[&str],
    ) {
        let (found, options) = parse(arguments);
        assert_eq!(found.as_deref(), dir.map(Path::new));
        assert_eq!(options, typed);
    }
}
