//! Finding out what is to be run in an application's directory.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The kind of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// A Ruby application with a rackup file.
    Rack,
}

impl AppKind {
    const ALL: [Self; 1] = [Self::Rack];

    /// The kind that options call `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What options and status call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rack => "rack",
        }
    }

    /// The file by which it is recognised, relative to the application's directory.
    fn startup_file(self) -> &'static str {
        match self {
            Self::Rack => "config.ru",
        }
    }
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The application's directory, absolute.
    pub root: PathBuf,
    /// Its kind.
    pub kind: AppKind,
    /// The file that starts it, absolute.
    pub startup_file: PathBuf,
}

impl App {
    /// What people call it: the name of its directory.
    pub fn name(&self) -> String {
        self.root.file_name().unwrap_or(self.root.as_os_str()).display().to_string()
    }
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

/// Finds the application in `root`, an absolute path that passed [`check_root`]. What was named, by an absolute
/// path or by kind, is not searched for.
///
/// # Errors
/// When the file that starts the application is not there.
pub fn detect(root: &Path, startup_file: Option<&Path>, kind: Option<AppKind>) -> Result<App, DetectError> {
    if let Some(file) = startup_file {
        if !file.is_file() {
            return Err(DetectError(format!(
                "the startup file {} {}; correct --startup-file or --rackup",
                file.display(),
                if file.exists() { "is not a file" } else { "does not exist" },
            )));
        }
        let kind = kind.unwrap_or(AppKind::Rack);
        return Ok(App { root: root.to_owned(), kind, startup_file: file.to_owned() });
    }
    let kinds = kind.map_or(AppKind::ALL.to_vec(), |kind| vec![kind]);
    let found = kinds.iter().map(|kind| (*kind, root.join(kind.startup_file()))).find(|(_, file)| file.is_file());
    match found {
        Some((kind, startup_file)) => Ok(App { root: root.to_owned(), kind, startup_file }),
        None => {
            let names: Vec<&str> = kinds.iter().map(|kind| kind.startup_file()).collect();
            Err(DetectError(format!(
                "no application found in {} (looked for {}); `cd` into the application or name it: passenger start DIR",
                root.display(),
                names.join(", "),
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::{fixture, rstest};
    use tempfile::TempDir;

    #[fixture]
    fn app() -> TempDir {
        let app = tempfile::tempdir().unwrap();
        std::fs::write(app.path().join("config.ru"), "").unwrap();
        std::fs::write(app.path().join("other.ru"), "").unwrap();
        app
    }

    #[rstest]
    fn a_rackup_file_makes_a_rack_application(app: TempDir) {
        let found = detect(app.path(), None, None).unwrap();
        assert_eq!(found.startup_file, app.path().join("config.ru"));
        assert_eq!(found.kind, AppKind::Rack);
        assert_eq!(found.name(), app.path().file_name().unwrap().to_str().unwrap());
    }

    #[rstest]
    fn a_named_file_is_taken_as_it_is(app: TempDir) {
        let file = app.path().join("other.ru");
        assert_eq!(detect(app.path(), Some(&file), None).unwrap().startup_file, file);
    }

    #[rstest]
    #[case("missing.ru", "does not exist")]
    #[case(".", "is not a file")]
    fn a_named_file_must_be_one(app: TempDir, #[case] name: &str, #[case] reason: &str) {
        let complaint = detect(app.path(), Some(&app.path().join(name)), None).unwrap_err().to_string();
        assert!(complaint.contains(reason), "{complaint}");
    }

    #[rstest]
    #[case(None)]
    #[case(Some(AppKind::Rack))]
    fn without_an_application_says_what_was_looked_for(#[case] kind: Option<AppKind>) {
        let complaint = detect(Path::new("/proc/self"), None, kind).unwrap_err().to_string();
        assert!(
            complaint.starts_with("no application found in /proc/self (looked for config.ru); `cd` into"),
            "{complaint}"
        );
    }

    #[rstest]
    #[case("missing", "there is no such directory")]
    #[case("config.ru", "is not a directory")]
    fn the_root_must_be_a_directory(app: TempDir, #[case] name: &str, #[case] reason: &str) {
        assert_eq!(check_root(app.path()), Ok(()));
        let complaint = check_root(&app.path().join(name)).unwrap_err().to_string();
        assert!(complaint.contains(reason), "{complaint}");
    }
}
