//! Applications that a scenario may change.

use crate::{Process, wait_for};
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
    /// A copy of `tests/apps/NAME`.
    pub fn fixture(name: &str) -> Self {
        let app = Self::empty(name);
        copy(&fixtures().join(name), &app.root);
        app
    }

    /// An application that is nothing but this `config.ru`.
    pub fn of(config_ru: &str) -> Self {
        let app = Self::empty("app");
        app.write("config.ru", config_ru);
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

    /// Asks the server for a restart of the application.
    pub fn touch_restart_txt(&self) {
        self.write("tmp/restart.txt", "");
    }

    /// Waits until a request is at this gate (`/wait/KEY` of the Rack fixture); its worker is in the midst of it.
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
        if name == "log" || name == "tmp" || name == "Gemfile.lock" {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().expect("a file type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copied file");
        }
    }
}
