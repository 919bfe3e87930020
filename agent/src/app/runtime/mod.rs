//! Which interpreter runs an application, and where our part in its language is.

mod python;
mod ruby;

use serde::{Deserialize, Serialize};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::detect::App;
use super::kind::Language;
use crate::sys;

/// An interpreter, and the program that it runs for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// The interpreter, absolute. Its symbolic links are kept: they are how a Python knows its virtual environment.
    pub interpreter: PathBuf,
    /// The first file that it runs, absolute.
    pub boot: PathBuf,
    /// The variables by which an application learns of its environment.
    environment_variables: Vec<String>,
}

/// The interpreters that were named: absolute paths, or bare names to look up in `PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreters {
    /// For Ruby applications.
    pub ruby: Option<PathBuf>,
    /// For Python applications; also the directory of a virtual environment.
    pub python: Option<PathBuf>,
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

impl Runtime {
    /// Finds what runs `app`.
    ///
    /// # Errors
    /// When the interpreter can't be executed or our files in its language are not there.
    pub fn find(app: &App, named: &Interpreters) -> Result<Self, Missing> {
        let surroundings = Surroundings(&|name| env::var_os(name));
        let (interpreter, part, environment_variables) = match app.kind.language() {
            Language::Ruby => (ruby::find(named, &surroundings)?, &ruby::PART, ruby::ENVIRONMENT_VARIABLES),
            Language::Python => {
                (python::find(named, &app.root, &surroundings)?, &python::PART, python::ENVIRONMENT_VARIABLES)
            }
        };
        // In the gem the agent is `lib/passenger/passenger-agent`, in the wheel
        // `site-packages/passenger_agent/passenger-agent`.
        let beside = env::current_exe().ok().and_then(|agent| Some(agent.parent()?.parent()?.to_owned()));
        let boot = part.boot(&surroundings, beside)?;
        let environment_variables = environment_variables.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self { interpreter, boot, environment_variables })
    }

    /// One whose command nobody executes.
    #[cfg(test)]
    pub fn of_nothing() -> Self {
        Self { interpreter: "/nothing".into(), boot: "/nothing".into(), environment_variables: Vec::new() }
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(&self.boot);
        command
    }

    /// The variables by which an application learns that its environment is `environment` (`development`, `production`…).
    pub fn variables(&self, environment: &str) -> impl Iterator<Item = (OsString, OsString)> {
        self.environment_variables.iter().map(move |name| (name.into(), environment.into()))
    }
}

/// The environment variables of the agent.
struct Surroundings<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Surroundings<'_> {
    /// A variable; one that is empty counts as not set.
    fn get(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The program `name`, a path or a bare name that is looked up in `PATH`.
    fn program(&self, name: &Path) -> Option<PathBuf> {
        if name.components().count() > 1 {
            // The interpreter is started in the application's directory, so its path must not depend on where we are.
            return std::path::absolute(name).ok().filter(|path| is_program(path));
        }
        let search = self.get("PATH")?;
        env::split_paths(&search)
            .filter(|directory| !directory.as_os_str().is_empty())
            .filter_map(|directory| std::path::absolute(directory.join(name)).ok())
            .find(|path| is_program(path))
    }
}

fn is_program(path: &Path) -> bool {
    path.is_file() && sys::process::is_executable(path.as_os_str())
}

/// What we have written in one language.
struct Part {
    /// The language.
    language: &'static str,
    /// The variable that names the directory it is in, if it is not beside the agent.
    libdir_variable: &'static str,
    /// The first file that an interpreter runs, relative to that directory.
    boot: &'static str,
    /// What installs it.
    install: &'static str,
}

impl Part {
    fn boot(&self, surroundings: &Surroundings, beside: Option<PathBuf>) -> Result<PathBuf, Missing> {
        let libdir = surroundings.get(self.libdir_variable).map(PathBuf::from).or(beside).unwrap_or_default();
        let boot = libdir.join(self.boot);
        if boot.is_file() {
            return std::path::absolute(&boot).map_err(|error| Missing(format!("{}: {error}", boot.display())));
        }
        Err(Missing(format!(
            "Passenger's {} files are not in {}; use the `passenger` command that `{}` installs, or set {} to the directory that has {}",
            self.language,
            libdir.display(),
            self.install,
            self.libdir_variable,
            self.boot,
        )))
    }
}

/// The refusal of an interpreter that was named.
fn not_there(language: &str, interpreter: &Path, option: &str) -> Missing {
    Missing(format!(
        "the {language} interpreter {} is not there or can't be executed; install it or name another one with {option}",
        interpreter.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("sh", "/nonexistent:/bin", Some("/bin/sh"))]
    #[case("/bin/sh", "", Some("/bin/sh"))]
    #[case::not_executable("/etc/passwd", "", None)]
    #[case::not_there("no-such-ruby", "/bin", None)]
    #[case::no_path("sh", "", None)]
    fn programs_are_found_as_the_shell_finds_them(#[case] name: &str, #[case] path: &str, #[case] found: Option<&str>) {
        let variables = |name: &str| (name == "PATH").then(|| path.into());
        assert_eq!(Surroundings(&variables).program(Path::new(name)), found.map(PathBuf::from));
    }

    #[rstest]
    #[case(&ruby::PART, "gem install passenger")]
    #[case(&python::PART, "pip install passenger")]
    fn our_part_is_where_the_variable_says_or_beside_the_agent(#[case] part: &Part, #[case] install: &str) {
        let [told, beside] = ["told", "beside"].map(|_| tempfile::tempdir().unwrap());
        let nothing = Surroundings(&|_| None);
        let somewhere = |name: &str| (name == part.libdir_variable).then(|| told.path().into());
        let somewhere = Surroundings(&somewhere);

        let complaint = part.boot(&nothing, Some(beside.path().to_owned())).unwrap_err().to_string();
        for text in [beside.path().to_str().unwrap(), install, part.libdir_variable, part.boot] {
            assert!(complaint.contains(text), "{text:?} is not in {complaint}");
        }
        for directory in [&told, &beside] {
            std::fs::create_dir(directory.path().join("passenger")).unwrap();
            std::fs::write(directory.path().join(part.boot), "").unwrap();
        }
        let found = |surroundings| part.boot(surroundings, Some(beside.path().to_owned())).unwrap();
        assert_eq!(found(&nothing), beside.path().join(part.boot));
        assert_eq!(found(&somewhere), told.path().join(part.boot));
    }
}
