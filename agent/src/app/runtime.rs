//! Which interpreter runs an application, and where our part in its language is.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::sys;

/// The interpreter that `exe/passenger` was started with; the application's unless told otherwise.
const DEFAULT_RUBY: &str = "PASSENGER_DEFAULT_RUBY";
/// The gem's `lib` directory, told by `exe/passenger`.
const RUBY_LIBDIR: &str = "PASSENGER_RUBY_LIBDIR";
/// The first file that a Ruby process of ours runs, in the gem's `lib`.
const BOOT: &str = "passenger/boot.rb";

/// A Ruby, and the program that it runs for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruby {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// `boot.rb`.
    pub boot: PathBuf,
}

/// Something that is needed is not there; says what, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Finds the Ruby to use. `configured` is the `ruby` option: a path, or a name to look up in `PATH`.
///
/// # Errors
/// When the interpreter can't be executed or our Ruby files are not there.
pub fn ruby(configured: Option<&Path>) -> Result<Ruby, Missing> {
    let inherited = env::var_os(DEFAULT_RUBY).map(PathBuf::from);
    let wanted = configured.map(Path::to_owned).or(inherited).unwrap_or_else(|| PathBuf::from("ruby"));
    let search = env::var_os("PATH").unwrap_or_default();
    let interpreter = find_program(&wanted, &search).ok_or_else(|| {
        Missing(format!(
            "the Ruby interpreter {} is not there or can't be executed; install it or name another one with --ruby",
            wanted.display()
        ))
    })?;
    Ok(Ruby { interpreter, boot: boot()? })
}

fn find_program(name: &Path, search: &OsStr) -> Option<PathBuf> {
    let usable = |path: &PathBuf| path.is_file() && sys::process::is_executable(path.as_os_str());
    if name.components().count() > 1 {
        // The interpreter is started in the application's directory, so its path must not depend on where we are.
        return std::path::absolute(name).ok().filter(usable);
    }
    env::split_paths(search).map(|directory| directory.join(name)).find(usable)
}

fn boot() -> Result<PathBuf, Missing> {
    let told = env::var_os(RUBY_LIBDIR).map(PathBuf::from);
    // In the gem the agent is `lib/passenger/passenger-agent`.
    let beside = || Some(env::current_exe().ok()?.parent()?.parent()?.to_owned());
    let libdir = told.or_else(beside).unwrap_or_default();
    let boot = libdir.join(BOOT);
    if boot.is_file() {
        return Ok(boot);
    }
    Err(Missing(format!(
        "Passenger's Ruby files are not in {}; start it with the `passenger` command of the gem, or set {RUBY_LIBDIR}",
        libdir.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_the_shell_finds_them() {
        let found = find_program(Path::new("sh"), OsStr::new("/nonexistent:/bin")).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        assert_eq!(find_program(Path::new("/bin/sh"), OsStr::new("")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find_program(Path::new("/etc/passwd"), OsStr::new("")), None, "not executable");
        assert_eq!(find_program(Path::new("no-such-ruby"), OsStr::new("/bin")), None);
    }

    #[test]
    fn a_missing_interpreter_is_named_with_the_remedy() {
        let message = ruby(Some(Path::new("/nonexistent/ruby"))).unwrap_err().to_string();
        assert!(message.contains("/nonexistent/ruby") && message.contains("--ruby"), "{message}");
    }
}
