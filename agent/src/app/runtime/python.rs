//! Python and its virtual environments.
//!
//! A path to an interpreter is never resolved: a virtual environment's `bin/python` is a link to the Python that it
//! was made from, and is in the environment only as long as it is called by its own name.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Interpreters, Missing, Part, Surroundings, is_program, not_there};

/// The interpreter that `passenger` was started with.
const DEFAULT: &str = "PASSENGER_DEFAULT_PYTHON";
/// Where people keep an application's virtual environment.
const VENVS: [&str; 2] = [".venv", "venv"];

pub(super) const ENVIRONMENT_VARIABLES: &[&str] = &["PASSENGER_APP_ENV"];

pub(super) const PART: Part = Part {
    language: "Python",
    libdir_variable: "PASSENGER_PYTHON_LIBDIR",
    boot: "passenger/boot.py",
    install: "pip install passenger",
};

/// The one that was named, else that of the application's own virtual environment, else that of the active one, else
/// the one that `passenger` was started with, else the one in `PATH`. The first of these counts even if it is broken:
/// another Python would not have the application's packages.
pub(super) fn find(named: &Interpreters, root: &Path, surroundings: &Surroundings) -> Result<PathBuf, Missing> {
    if let Some(named) = &named.python {
        let is_venv = named.components().count() > 1 && named.is_dir();
        return if is_venv { of_venv(named, "--python") } else { program(named, "--python", surroundings) };
    }
    // A file may be of this name, too: some tools write down there where the environment is.
    let is_directory = |venv: &PathBuf| venv.symlink_metadata().is_ok() && !venv.is_file();
    if let Some(venv) = VENVS.iter().map(|name| root.join(name)).find(is_directory) {
        return of_venv(&venv, "the application's");
    }
    if let Some(active) = surroundings.get("VIRTUAL_ENV").and_then(|path| std::path::absolute(path).ok()) {
        return of_venv(&active, "VIRTUAL_ENV");
    }
    if let Some(inherited) = surroundings.get(DEFAULT) {
        return program(Path::new(&inherited), "passenger's", surroundings);
    }
    ["python3", "python"].iter().find_map(|name| surroundings.program(Path::new(name))).ok_or_else(|| {
        Missing("there is no Python (python3 or python) in PATH; install one or name it with --python".to_owned())
    })
}

fn of_venv(venv: &Path, origin: &str) -> Result<PathBuf, Missing> {
    let python = venv.join("bin/python");
    if is_program(&python) { Ok(python) } else { Err(broken(venv, &python, origin)) }
}

fn program(name: &Path, origin: &str, surroundings: &Surroundings) -> Result<PathBuf, Missing> {
    surroundings.program(name).ok_or_else(|| match name.ancestors().nth(2) {
        Some(venv) if venv.join("pyvenv.cfg").is_file() => broken(venv, name, origin),
        _ => not_there(PART.language, name, "--python"),
    })
}

fn broken(venv: &Path, python: &Path, origin: &str) -> Missing {
    let defect = match fs::read_link(python) {
        Ok(target) => format!("leads to {}, which is not there or can't be executed", target.display()),
        Err(_) if python.exists() => "can't be executed".to_owned(),
        Err(_) => "is missing".to_owned(),
    };
    let (venv, python) = (venv.display(), python.file_name().unwrap_or_default().display());
    Missing(format!(
        "the virtual environment {venv} ({origin}) is broken: its bin/{python} {defect}; make it again (python3 -m venv --clear {venv}) and install the application's packages in it, or name another Python with --python"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::ffi::OsString;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A directory with an application and, around it, what the test needs.
    fn scratch() -> TempDir {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("app")).unwrap();
        scratch
    }

    fn add_program(scratch: &TempDir, path: &str, target: &str) {
        let path = scratch.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// What is found for the application, relative to the directory.
    fn found(scratch: &TempDir, python: Option<&str>, variables: &[(&str, &str)]) -> Result<String, String> {
        let at = |path: &str| scratch.path().join(path);
        let lookup = |name: &str| -> Option<OsString> {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(if value.is_empty() { OsString::new() } else { at(value).into() })
        };
        let python = python.map(|python| if python.contains('/') { at(python) } else { python.into() });
        let within = format!("{}/", scratch.path().display());
        match find(&Interpreters { ruby: None, python }, &at("app"), &Surroundings(&lookup)) {
            Ok(path) => Ok(path.strip_prefix(scratch.path()).unwrap().to_str().unwrap().to_owned()),
            Err(missing) => Err(missing.to_string().replace(&within, "")),
        }
    }

    /// The order in which Pythons are preferred: each is taken away after it was found.
    #[test]
    fn the_nearest_to_the_application_goes_first() {
        let scratch = scratch();
        let places = [
            "app/.venv/bin/python",
            "app/venv/bin/python",
            "active/bin/python",
            "own/python3.11",
            "bin/python3",
            "bin/python",
        ];
        for place in places {
            add_program(&scratch, place, "/bin/sh");
        }
        let mut variables = vec![("VIRTUAL_ENV", "active"), (DEFAULT, "own/python3.11"), ("PATH", "bin")];
        for place in places {
            assert_eq!(found(&scratch, None, &variables).as_deref(), Ok(place));
            match place.split_once("/bin/") {
                Some((venv, _)) if venv.starts_with("app") => fs::remove_dir_all(scratch.path().join(venv)).unwrap(),
                _ if variables.len() > 1 => drop(variables.remove(0)),
                _ => fs::remove_file(scratch.path().join(place)).unwrap(),
            }
        }
        let complaint = "there is no Python (python3 or python) in PATH; install one or name it with --python";
        assert_eq!(found(&scratch, None, &variables), Err(complaint.to_owned()));
    }

    #[rstest]
    #[case::a_program("other/bin/python", "other/bin/python")]
    #[case::a_virtual_environment("other", "other/bin/python")]
    #[case::a_name("python3.11", "bin/python3.11")]
    fn the_one_that_was_named_goes_before_all(#[case] named: &str, #[case] expected: &str) {
        let scratch = scratch();
        for place in ["app/.venv/bin/python", "other/bin/python", "bin/python3.11"] {
            add_program(&scratch, place, "/bin/sh");
        }
        let named = if named == "other" { "./other" } else { named };
        assert_eq!(found(&scratch, Some(named), &[("PATH", "bin")]).as_deref(), Ok(expected));
    }

    #[test]
    fn one_that_was_named_and_is_not_there_is_not_replaced() {
        let scratch = scratch();
        add_program(&scratch, "bin/python3", "/bin/sh");
        let complaint = found(&scratch, Some("python3.99"), &[("PATH", "bin")]).unwrap_err();
        assert!(complaint.starts_with("the Python interpreter python3.99 is not there or can't be"), "{complaint}");
        assert!(complaint.ends_with("name another one with --python"), "{complaint}");
        let complaint = found(&scratch, None, &[(DEFAULT, "gone"), ("PATH", "bin")]).unwrap_err();
        assert!(complaint.starts_with("the Python interpreter gone is not there or can't be"), "{complaint}");
    }

    #[rstest]
    #[case::dangling("app/.venv", "the application's", "its bin/python leads to /gone/python3.8, which is not there")]
    #[case::empty("app/.venv", "the application's", "its bin/python is missing")]
    #[case::no_program("app/venv", "the application's", "its bin/python can't be executed")]
    #[case::gone("active", "VIRTUAL_ENV", "its bin/python is missing")]
    fn a_broken_virtual_environment_is_named_with_the_remedy(
        #[case] venv: &str,
        #[case] origin: &str,
        #[case] defect: &str,
    ) {
        let scratch = scratch();
        if defect.contains("leads") {
            add_program(&scratch, &format!("{venv}/bin/python"), "/gone/python3.8");
        } else if defect.contains("executed") {
            fs::create_dir_all(scratch.path().join(venv).join("bin/python")).unwrap();
        } else if origin != "VIRTUAL_ENV" {
            fs::create_dir(scratch.path().join(venv)).unwrap();
        }
        let complaint = found(&scratch, None, &[("VIRTUAL_ENV", "active")]).unwrap_err();
        let start = format!("the virtual environment {venv} ({origin}) is broken: {defect}");
        assert!(complaint.starts_with(&start), "{complaint}");
        let remedy = format!("make it again (python3 -m venv --clear {venv}) and install the application's packages");
        assert!(complaint.contains(&remedy) && complaint.ends_with("name another Python with --python"), "{complaint}");
    }

    #[rstest]
    #[case(Some("venv/bin/python3.8"), "--python")]
    #[case(None, "passenger's")]
    fn an_interpreter_of_a_broken_virtual_environment_is_no_other(#[case] named: Option<&str>, #[case] origin: &str) {
        let scratch = scratch();
        add_program(&scratch, "venv/bin/python3.8", "/gone/python3.8");
        fs::write(scratch.path().join("venv/pyvenv.cfg"), "").unwrap();
        let complaint = found(&scratch, named, &[(DEFAULT, "venv/bin/python3.8")]).unwrap_err();
        let start = format!("the virtual environment venv ({origin}) is broken: its bin/python3.8 leads to /gone");
        assert!(complaint.starts_with(&start), "{complaint}");
    }

    #[test]
    fn a_file_called_venv_and_an_empty_variable_do_no_harm() {
        let scratch = scratch();
        fs::write(scratch.path().join("app/.venv"), "somewhere").unwrap();
        add_program(&scratch, "bin/python3", "/bin/sh");
        let variables = [("VIRTUAL_ENV", ""), ("PATH", "bin")];
        assert_eq!(found(&scratch, None, &variables).as_deref(), Ok("bin/python3"));
    }
}
