//! Finding out what is to be run in an application's directory.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::kind::{AppKind, startup_files};

/// What was said about the application; what was not is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Where it begins.
    pub start: Option<Start>,
    /// Its kind.
    pub kind: Option<AppKind>,
    /// Python: the directory in which modules are looked for first, absolute; `None` is the application's.
    pub app_dir: Option<PathBuf>,
}

/// Where an application begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// With this file, absolute.
    File(PathBuf),
    /// With an import.
    Entry(Entry),
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// What people call it; no other application of the instance has this name.
    pub name: String,
    /// The application's directory, absolute.
    pub root: PathBuf,
    /// Its kind.
    pub kind: AppKind,
    /// Where it begins.
    pub start: Start,
    /// Python: the directory in which modules are looked for first, absolute; `None` is `root`.
    pub app_dir: Option<PathBuf>,
}

/// Why there is nothing to run, with the remedy, in one line.
#[derive(Debug, PartialEq, Eq)]
pub struct DetectError(String);

impl fmt::Display for DetectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for DetectError {}

/// Checks that `root` can be an application's directory.
///
/// # Errors
/// When it does not exist, is no directory or may not be entered.
pub fn check_root(root: &Path) -> Result<(), DetectError> {
    let shown = root.display();
    let reason = match root.join(".").metadata() {
        Ok(_) => return Ok(()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => format!("{shown}: there is no such directory; give the application's directory"),
            io::ErrorKind::NotADirectory => format!("{shown} is not a directory; give the directory that it is in"),
            io::ErrorKind::PermissionDenied => {
                format!("{shown} may not be entered; give this user permission to read it")
            }
            _ => format!("{shown} cannot be read: {error}"),
        },
    };
    Err(DetectError(reason))
}

/// Finds the application called `name` in `root`, an absolute path that passed [`check_root`].
///
/// # Errors
/// When the file that starts the application is not there.
pub fn detect(name: &str, root: &Path, wanted: &Wanted) -> Result<App, DetectError> {
    let start = match &wanted.start {
        Some(Start::File(file)) => Start::File(check_file(file)?),
        Some(entry) => entry.clone(),
        None => Start::File(find_file(root, wanted.kind)?),
    };
    let told = || match &start {
        Start::File(file) => AppKind::of_startup_file(file),
        Start::Entry(_) => AppKind::Python,
    };
    let kind = wanted.kind.unwrap_or_else(told);
    Ok(App { name: name.to_owned(), root: root.to_owned(), kind, start, app_dir: wanted.app_dir.clone() })
}

fn check_file(file: &Path) -> Result<PathBuf, DetectError> {
    if file.is_file() {
        return Ok(file.to_owned());
    }
    Err(DetectError(format!(
        "the startup file {} {}; correct --startup-file or --rackup",
        file.display(),
        if file.exists() { "is not a file" } else { "does not exist" },
    )))
}

fn find_file(root: &Path, kind: Option<AppKind>) -> Result<PathBuf, DetectError> {
    let names = startup_files(kind);
    names.iter().map(|name| root.join(name)).find(|file| file.is_file()).ok_or_else(|| {
        let python = if kind == Some(AppKind::Rack) { "" } else { ", or for Python: passenger start MODULE:APP" };
        DetectError(format!(
            "no application found in {} (looked for {}); `cd` into the application or name it: passenger start DIR{python}",
            root.display(),
            names.join(", "),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tempfile::TempDir;

    fn app(files: &[&str]) -> TempDir {
        let app = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(app.path().join(file), "").unwrap();
        }
        app
    }

    const ALL: &[&str] = &["config.ru", "passenger_wsgi.py", "passenger_asgi.py"];

    #[rstest]
    #[case(ALL, None, "config.ru", AppKind::Rack)]
    #[case(&ALL[1..], None, "passenger_wsgi.py", AppKind::Wsgi)]
    #[case(&ALL[2..], None, "passenger_asgi.py", AppKind::Asgi)]
    #[case(ALL, Some(AppKind::Rack), "config.ru", AppKind::Rack)]
    #[case(ALL, Some(AppKind::Wsgi), "passenger_wsgi.py", AppKind::Wsgi)]
    #[case(ALL, Some(AppKind::Asgi), "passenger_asgi.py", AppKind::Asgi)]
    #[case(&ALL[..2], Some(AppKind::Asgi), "passenger_wsgi.py", AppKind::Asgi)]
    fn a_startup_file_makes_an_application(
        #[case] files: &[&str],
        #[case] kind: Option<AppKind>,
        #[case] file: &str,
        #[case] expected: AppKind,
    ) {
        let app = app(files);
        let found = detect("shop", app.path(), &Wanted { kind, ..Wanted::default() }).unwrap();
        assert_eq!((found.start, found.kind), (Start::File(app.path().join(file)), expected));
    }

    #[rstest]
    #[case("other.ru", None, AppKind::Rack)]
    #[case("main.py", None, AppKind::Python)]
    #[case("main.py", Some(AppKind::Asgi), AppKind::Asgi)]
    fn a_named_file_is_taken_as_it_is(#[case] name: &str, #[case] kind: Option<AppKind>, #[case] expected: AppKind) {
        let app = app(&["config.ru", name]);
        let start = Start::File(app.path().join(name));
        let found = detect("shop", app.path(), &Wanted { start: Some(start.clone()), kind, app_dir: None }).unwrap();
        assert_eq!((found.start, found.kind), (start, expected));
    }

    #[rstest]
    #[case(None, AppKind::Python)]
    #[case(Some(AppKind::Wsgi), AppKind::Wsgi)]
    fn a_named_entry_needs_no_file(#[case] kind: Option<AppKind>, #[case] expected: AppKind) {
        let app = app(&["config.ru"]);
        let start = Start::Entry(Entry::parse("shop:app").unwrap());
        let wanted = Wanted { start: Some(start.clone()), kind, app_dir: Some(app.path().join("src")) };
        let name = "shop".to_owned();
        let expected =
            App { name, root: app.path().to_owned(), kind: expected, start, app_dir: wanted.app_dir.clone() };
        assert_eq!(detect("shop", app.path(), &wanted), Ok(expected));
    }

    #[rstest]
    #[case("missing.ru", "does not exist")]
    #[case(".", "is not a file")]
    fn a_named_file_must_be_one(#[case] name: &str, #[case] reason: &str) {
        let app = app(&[]);
        let wanted = Wanted { start: Some(Start::File(app.path().join(name))), ..Wanted::default() };
        let complaint = detect("shop", app.path(), &wanted).unwrap_err().to_string();
        assert!(complaint.contains(reason), "{complaint}");
    }

    #[rstest]
    #[case(None, "config.ru, passenger_wsgi.py, passenger_asgi.py", "DIR, or for Python: passenger start MODULE:APP")]
    #[case(
        Some(AppKind::Asgi),
        "passenger_asgi.py, passenger_wsgi.py",
        "DIR, or for Python: passenger start MODULE:APP"
    )]
    #[case(Some(AppKind::Rack), "config.ru", "DIR")]
    fn without_an_application_says_what_was_looked_for(
        #[case] kind: Option<AppKind>,
        #[case] files: &str,
        #[case] remedy: &str,
    ) {
        let complaint =
            detect("shop", Path::new("/proc/self"), &Wanted { kind, ..Wanted::default() }).unwrap_err().to_string();
        let expected = format!(
            "no application found in /proc/self (looked for {files}); `cd` into the application or name it: passenger start {remedy}"
        );
        assert_eq!(complaint, expected);
    }

    #[rstest]
    #[case("missing", "there is no such directory")]
    #[case("config.ru", "is not a directory")]
    fn the_root_must_be_a_directory(#[case] name: &str, #[case] reason: &str) {
        let app = app(&["config.ru"]);
        assert_eq!(check_root(app.path()), Ok(()));
        let complaint = check_root(&app.path().join(name)).unwrap_err().to_string();
        assert!(complaint.contains(reason), "{complaint}");
    }
}
