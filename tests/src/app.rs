//! Applications that a scenario may change.

use crate::{Language, Process, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// An application in a directory of its own, gone when this is dropped.
#[derive(Debug)]
pub struct App {
    scratch: TempDir,
    root: PathBuf,
}

impl App {
    /// A copy of `tests/apps/NAME`. Of a fixture that can be started in several languages it is the current one that counts.
    pub fn fixture(name: &str) -> Self {
        let app = Self::empty(name);
        copy(&fixtures().join(name), &app.root);
        let current = Language::current();
        if app.has(current.startup_file()) {
            for other in Language::ALL.into_iter().filter(|other| *other != current) {
                let _ = fs::remove_file(app.root.join(other.startup_file()));
            }
        }
        app
    }

    /// The application with a path for everything a server must get right, in the current language.
    pub fn reference() -> Self {
        Self::fixture(Language::current().reference())
    }

    /// An application in the current language that answers every request with this text.
    pub fn answering(text: &str) -> Self {
        Self::started_by(Language::current().startup_file(), &Language::current().answering(text))
    }

    /// An application that is nothing but this `config.ru`.
    pub fn of(config_ru: &str) -> Self {
        Self::started_by("config.ru", config_ru)
    }

    /// An application that is nothing but this file.
    pub fn started_by(file: &str, contents: &str) -> Self {
        let app = Self::empty("app");
        app.write(file, contents);
        app
    }

    /// A directory without an application.
    pub fn empty(name: &str) -> Self {
        let scratch = tempfile::Builder::new().prefix("passenger-test.").tempdir().expect("a temporary directory");
        let root = scratch.path().join(name);
        fs::create_dir(&root).expect("the application's directory");
        Self { scratch, root }
    }

    /// The Rails fixture with its database.
    pub fn rails(environment: &str) -> Self {
        let app = Self::fixture("rails");
        let migrated = Command::new("bin/rails")
            .arg("db:migrate")
            .current_dir(&app.root)
            .env("RAILS_ENV", environment)
            .output()
            .expect("bin/rails runs");
        assert!(migrated.status.success(), "bin/rails db:migrate: {}", String::from_utf8_lossy(&migrated.stderr));
        app
    }

    /// The application's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory around it, for files that belong to the scenario and not to the application.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes a file, its directories included.
    pub fn write(&self, file: &str, contents: impl AsRef<[u8]>) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("the file's directory");
        fs::write(&path, contents).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Reads a file.
    pub fn read(&self, file: &str) -> String {
        let path = self.root.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Whether the file is there.
    pub fn has(&self, file: &str) -> bool {
        self.root.join(file).exists()
    }

    /// Changes a part of a file, as an editor would.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let before = self.read(file);
        assert!(before.contains(from), "{file} has no {from:?}");
        self.write(file, before.replace(from, to));
    }

    /// Makes the startup file note in `tmp/boots` which processes have loaded it.
    pub fn note_boots(&self) {
        let language = Language::current();
        self.write("tmp/boots", "");
        self.write(language.startup_file(), [language.noting_boots(), &self.read(language.startup_file())].concat());
    }

    /// The processes that have loaded an application that notes its boots.
    pub fn boots(&self) -> Vec<Process> {
        self.read("tmp/boots").lines().map(|pid| Process(pid.parse().expect("a process id"))).collect()
    }

    /// Replaces the startup file, in the current language, and asks for a restart.
    pub fn deploy(&self, startup_file: &str) {
        self.write(Language::current().startup_file(), startup_file);
        self.touch_restart_txt();
    }

    /// Asks the server for a restart of the application.
    pub fn touch_restart_txt(&self) {
        self.write("tmp/restart.txt", "");
    }

    /// Waits until a request is at this gate (`/wait/KEY` of the reference application); its worker is in the midst of it.
    pub fn worker_at_gate(&self, key: &str) -> Process {
        let note = format!("tmp/at-gate-{key}");
        wait_for(&format!("a request is at gate {key}"), || {
            // It is not complete as soon as it is there.
            if self.has(&note) { self.read(&note).parse().ok().map(Process) } else { None }
        })
    }

    /// Lets everything go on that waits at this gate.
    pub fn open_gate(&self, key: &str) {
        self.write(&format!("tmp/gate-{key}"), "");
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps")
}

/// Copies a directory, but for what an application writes when it runs.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the copy's directory");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("no fixture {}: {error}", from.display())) {
        let entry = entry.expect("a directory entry");
        let name = entry.file_name();
        if name == "log" || name == "tmp" || name == "Gemfile.lock" || name == "__pycache__" {
            continue;
        }
        let target = to.join(&name);
        // The twins of an application share directories by links.
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copied file");
        }
    }
}
