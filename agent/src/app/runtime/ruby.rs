//! Ruby.

use std::path::PathBuf;

use super::{Interpreters, Missing, Part, Surroundings, not_there};

/// The interpreter that `passenger` was started with.
const DEFAULT: &str = "PASSENGER_DEFAULT_RUBY";

pub(super) const ENVIRONMENT_VARIABLES: &[&str] = &["RACK_ENV", "RAILS_ENV", "PASSENGER_APP_ENV"];

pub(super) const PART: Part = Part {
    language: "Ruby",
    libdir_variable: "PASSENGER_RUBY_LIBDIR",
    boot: "passenger/boot.rb",
    install: "gem install passenger",
};

/// The one that was named, else the one that `passenger` was started with, else the one in `PATH`.
pub(super) fn find(named: &Interpreters, surroundings: &Surroundings) -> Result<PathBuf, Missing> {
    let inherited = || surroundings.get(DEFAULT).map(PathBuf::from);
    let wanted = named.ruby.clone().or_else(inherited).unwrap_or_else(|| "ruby".into());
    surroundings.program(&wanted).ok_or_else(|| not_there(PART.language, &wanted, "--ruby"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_default(name: &str) -> Option<std::ffi::OsString> {
        (name == DEFAULT).then(|| "/bin/sh".into())
    }

    #[test]
    fn the_one_that_was_named_goes_first() {
        let named = |ruby: Option<&str>| Interpreters { ruby: ruby.map(PathBuf::from), python: None };
        let surroundings = Surroundings(&with_default);
        assert_eq!(find(&named(Some("/bin/true")), &surroundings), Ok("/bin/true".into()));
        assert_eq!(find(&named(None), &surroundings), Ok("/bin/sh".into()));
    }

    #[test]
    fn a_missing_interpreter_is_named_with_the_remedy() {
        let named = Interpreters { ruby: Some("/nonexistent/ruby".into()), python: None };
        let message = find(&named, &Surroundings(&with_default)).unwrap_err().to_string();
        assert!(message.contains("/nonexistent/ruby") && message.contains("--ruby"), "{message}");
        let message = find(&Interpreters::default(), &Surroundings(&|_| None)).unwrap_err().to_string();
        assert!(message.contains("interpreter ruby") && message.contains("--ruby"), "{message}");
    }
}
