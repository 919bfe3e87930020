//! What `passenger start` is to run, as typed: a directory, an entry such as `shop.wsgi:application`, or both.

use super::failure::Failure;
use super::start::NAME;
use crate::app::entry::Entry;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The application's directory; it need not exist.
    pub(super) dir: PathBuf,
    /// What to import there, in the words of the option `app`.
    pub(super) entry: Option<String>,
}

/// What one argument can be.
#[derive(Clone, Copy)]
enum Word<'a> {
    Dir(&'a Path),
    Entry(&'a str),
    /// A module, or a directory that is missing.
    Name(&'a str),
}

impl<'a> Word<'a> {
    /// What exists or has a slash is a directory, what has a colon an entry.
    fn read(argument: &'a OsStr) -> Self {
        let path = Path::new(argument);
        match argument.to_str() {
            Some(text) if !text.contains('/') && path.symlink_metadata().is_err() => {
                if text.contains(':') {
                    Self::Entry(text)
                } else {
                    Self::Name(text)
                }
            }
            _ => Self::Dir(path),
        }
    }
}

impl Target {
    /// Tells directory and entry apart, in whatever order they were typed. `app_dir` was typed, too: modules are
    /// looked for there.
    pub(super) fn read(arguments: &[&OsStr], app_dir: Option<&OsStr>) -> Result<Self, Failure> {
        let words: Vec<_> = arguments.iter().map(|argument| Word::read(argument)).collect();
        let here = Path::new(".");
        let (dir, entry) = match words[..] {
            [] => (here, None),
            [Word::Dir(dir)] => (dir, None),
            [Word::Entry(entry)] => (here, Some(entry)),
            [Word::Name(name)] => (here, Some(module(name, here, app_dir)?)),
            [Word::Dir(dir), Word::Name(name)] => (dir, Some(module(name, dir, app_dir)?)),
            [Word::Dir(dir), Word::Entry(entry)] | [Word::Entry(entry), Word::Dir(dir)] => (dir, Some(entry)),
            [Word::Name(dir), Word::Entry(entry)] | [Word::Entry(entry), Word::Name(dir)] => {
                (Path::new(dir), Some(entry))
            }
            [Word::Entry(_), Word::Entry(second)] => {
                return Err(usage(&format!(
                    "{second:?} is a second entry; name several applications in a Passengerfile"
                )));
            }
            [_, _, ..] => return Err(usage(&format!("{:?} is one argument too many", arguments[1].display()))),
        };
        if let Some(Err(reason)) = entry.map(Entry::parse) {
            return Err(usage(&format!("{:?}: {reason}", entry.unwrap_or_default())));
        }
        Ok(Self { dir: dir.to_owned(), entry: entry.map(str::to_owned) })
    }
}

/// `name`, if it is a module of the application in `dir`.
fn module<'a>(name: &'a str, dir: &Path, app_dir: Option<&OsStr>) -> Result<&'a str, Failure> {
    let directory = app_dir.map_or(dir.to_owned(), |app_dir| dir.join(app_dir));
    match Entry::parse(name) {
        Ok(entry) if entry.is_below(&directory) || entry.is_below(dir) => Ok(name),
        _ => Err(Failure::failed(format!(
            "{name:?} is neither a directory nor a module in {}; give the application's directory (passenger start DIR), or what to import in Python (passenger start module:app)",
            std::path::absolute(&directory).unwrap_or(directory).display()
        ))),
    }
}

fn usage(message: &str) -> Failure {
    Failure::usage(message, Some(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tempfile::TempDir;

    /// A directory with the application `shop` in it, whose modules are `shop.wsgi` and, in `src`, `main`.
    fn scratch() -> TempDir {
        let scratch = tempfile::tempdir().unwrap();
        for file in ["shop/shop/wsgi.py", "shop/src/main.py", "file"] {
            let path = scratch.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        scratch
    }

    /// What is read with `~` for the directory; an answer has `DIR ENTRY`.
    fn read(arguments: &[&str], app_dir: Option<&str>) -> Result<String, String> {
        let scratch = scratch();
        let scratch = scratch.path().to_str().unwrap();
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.replace('~', scratch)).collect();
        let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
        match Target::read(&arguments, app_dir.map(OsStr::new)) {
            Ok(Target { dir, entry }) => {
                Ok(format!("{} {}", dir.display(), entry.unwrap_or_default()).replace(scratch, "~"))
            }
            Err(failure) => Err(failure.to_string().replace(scratch, "~")),
        }
    }

    #[rstest]
    #[case::nothing(&[], None, ". ")]
    #[case::a_directory(&["~/shop"], None, "~/shop ")]
    #[case::a_directory_by_its_name(&["src"], None, "src ")]
    #[case::a_directory_that_is_missing(&["~/missing"], None, "~/missing ")]
    #[case::a_file(&["~/file"], None, "~/file ")]
    #[case::an_entry(&["shop.wsgi:application"], None, ". shop.wsgi:application")]
    #[case::a_factory(&["shop:create_app()"], None, ". shop:create_app()")]
    #[case::both(&["~/shop", "shop.wsgi:app"], None, "~/shop shop.wsgi:app")]
    #[case::both_reversed(&["shop.wsgi:app", "~/shop"], None, "~/shop shop.wsgi:app")]
    #[case::both_and_no_directory(&["missing", "shop.wsgi:app"], None, "missing shop.wsgi:app")]
    #[case::a_module(&["~/shop", "shop.wsgi"], None, "~/shop shop.wsgi")]
    #[case::a_module_elsewhere(&["~/shop", "main"], Some("src"), "~/shop main")]
    fn tells_directories_from_entries(
        #[case] arguments: &[&str],
        #[case] app_dir: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(read(arguments, app_dir).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case(&["~/shop", "~/shop"], "\"~/shop\" is one argument too many (see: passenger help start)")]
    #[case(&["a", "b"], "\"b\" is one argument too many (see: passenger help start)")]
    #[case(&["a:b", "c:d"], "\"c:d\" is a second entry; name several applications in a Passengerfile (see: passenger help start)")]
    #[case(&["main.py:app"], "\"main.py:app\": is a file where a module is needed; write main:application (see: passenger help start)")]
    #[case(
        &["~/shop", "main"],
        "\"main\" is neither a directory nor a module in ~/shop; give the application's directory (passenger start DIR), or what to import in Python (passenger start module:app)"
    )]
    fn says_what_to_type(#[case] arguments: &[&str], #[case] complaint: &str) {
        assert_eq!(read(arguments, None), Err(complaint.to_owned()));
    }

    #[test]
    fn a_name_alone_could_mean_either() {
        let complaint = read(&["shop"], None).unwrap_err();
        assert!(complaint.starts_with("\"shop\" is neither a directory nor a module in "), "{complaint}");
        assert!(complaint.contains("start DIR") && complaint.contains("start module:app"), "{complaint}");
    }
}
