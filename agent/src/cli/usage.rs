//! What is wrong with what was typed, in one line.

use super::command_line;
use super::failure::Failure;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// Turns the parser's error into ours.
pub(super) fn explain(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let command = command_of(arguments);
    let context = |kind| error.get(kind).and_then(first).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    let message = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let suggestion = did_you_mean(&context(ContextKind::SuggestedSubcommand));
            format!("{:?} is not a command{suggestion}", context(ContextKind::InvalidSubcommand))
        }
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("{argument} is not an option{}", did_you_mean(&context(ContextKind::SuggestedArg)))
        }
        ErrorKind::UnknownArgument => format!("{argument:?} is one argument too many"),
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        // No value is empty here: whatever was given would have been accepted.
        ErrorKind::InvalidValue => format!("{argument}: the value is missing"),
        ErrorKind::TooManyValues => format!("{argument} takes no value"),
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    };
    Failure::usage(&message, command.as_deref())
}

/// The command among `arguments`, the program's name first.
fn command_of(arguments: &[OsString]) -> Option<String> {
    let name = arguments.get(1)?.to_str()?;
    command_line::command().find_subcommand(name).map(|command| command.get_name().to_owned())
}

fn did_you_mean(suggestion: &str) -> String {
    if suggestion.is_empty() { String::new() } else { format!("; did you mean {suggestion}?") }
}

fn first(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        // The most likely one comes last.
        ContextValue::Strings(texts) => texts.last().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["strat"], "\"strat\" is not a command; did you mean start? (see: passenger help)")]
    #[case(&["xyzzy"], "\"xyzzy\" is not a command (see: passenger help)")]
    #[case(&["--prot"], "--prot is not an option (see: passenger help)")]
    #[case(&["start", "--max-pool-sizes", "3"], "--max-pool-sizes is not an option; did you mean --max-pool-size? (see: passenger help start)")]
    #[case(&["start", "--prot=3"], "--prot is not an option; did you mean --port? (see: passenger help start)")]
    #[case(&["start", "-x"], "-x is not an option (see: passenger help start)")]
    #[case(&["start", "a", "b", "c"], "\"c\" is one argument too many (see: passenger help start)")]
    #[case(&["stop", "a", "b"], "\"b\" is one argument too many (see: passenger help stop)")]
    #[case(&["start", "--port"], "--port <PORT>: the value is missing (see: passenger help start)")]
    #[case(&["start", "--daemonize=yes"], "--daemonize takes no value (see: passenger help start)")]
    #[case(&["detach"], "<PID> is missing (see: passenger help detach)")]
    #[case(&["detach", "shop"], "invalid value 'shop' for '<PID>': invalid digit found in string (see: passenger help detach)")]
    #[case(&["detach", "0"], "invalid value '0' for '<PID>': 0 is not in 1..=2147483647 (see: passenger help detach)")]
    #[case(&["stop", "--json"], "--json is not an option (see: passenger help stop)")]
    fn names_the_mistake_and_the_nearest_match(#[case] arguments: &[&str], #[case] complaint: &str) {
        let arguments: Vec<OsString> = std::iter::once(&"passenger").chain(arguments).map(Into::into).collect();
        let error = command_line::command().try_get_matches_from(&arguments).unwrap_err();
        assert_eq!(explain(&error, &arguments).to_string(), complaint);
    }
}
