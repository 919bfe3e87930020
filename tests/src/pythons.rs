//! Pythons: the frameworks' environment, and other versions than the machine's.

use crate::command::{self, repository};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Version and program of the interpreter that is asked.
const WHO: &str = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name if sys.version_info > (3,) else 'cpython', sys.executable)";

/// The interpreter of the virtual environment that `rake python_apps` makes, with Flask, Django, FastAPI and Starlette. None if that could not
/// be made; that is said, and not only when the scenario fails.
pub fn python_with_frameworks() -> Option<PathBuf> {
    let python = repository().join("target/python-apps/bin/python");
    if python.with_file_name("../installed").exists() {
        return Some(python);
    }
    skip("there are no Python frameworks; `rake python_apps` gets them");
    None
}

/// A Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// Major and minor version.
    pub version: (u32, u32),
    /// `cpython`, `pypy`...
    pub implementation: String,
    /// The program.
    pub interpreter: PathBuf,
}

impl Python {
    /// The one that runs an application if nothing is said.
    pub fn usual() -> Self {
        Self::at(Path::new("python3")).expect("python3 is installed")
    }

    /// All others that are in `PATH` under the name of their version, or were installed by pyenv: one of each version, oldest first.
    pub fn others() -> Vec<Self> {
        let named =
            (7..30).map(|minor| format!("python3.{minor}")).chain(["python2.7", "python3.6", "pypy3"].map(Into::into));
        let installed = output(Command::new("pyenv").arg("root")).map(|root| {
            let versions = std::fs::read_dir(Path::new(&root).join("versions")).into_iter().flatten().flatten();
            versions.map(|version| version.path().join("bin/python")).collect::<Vec<_>>()
        });
        let candidates = named.map(PathBuf::from).chain(installed.into_iter().flatten());
        let usual = Self::usual().version;
        let found = candidates.filter_map(|candidate| Self::at(&candidate)).filter(|python| python.version != usual);
        found
            .map(|python| ((python.version, python.implementation.clone()), python))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    }

    /// Those of the others that this holds for. Says so if there is none: `what` is what they were needed for.
    pub fn others_that(what: &str, holds: impl Fn(&Self) -> bool) -> Vec<Self> {
        let others: Vec<_> = Self::others().into_iter().filter(holds).collect();
        if others.is_empty() {
            skip(&format!("there is no other Python for {what}"));
        }
        others
    }

    fn at(program: &Path) -> Option<Self> {
        let answer = output(Command::new(program).args(["-c", WHO]))?;
        let mut words = answer.splitn(3, ' ');
        let (major, minor) = words.next()?.split_once('.')?;
        let version = (major.parse().ok()?, minor.parse().ok()?);
        Some(Self { version, implementation: words.next()?.to_owned(), interpreter: PathBuf::from(words.next()?) })
    }
}

/// What the command prints, without its last line end, if it succeeds.
fn output(command: &mut Command) -> Option<String> {
    command::without_foreign_settings(command);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn skip(why: &str) {
    // Not `eprintln!`: what a passing test prints by that is not shown.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
