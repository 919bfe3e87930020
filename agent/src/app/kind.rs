//! Kinds of applications.

use serde::{Deserialize, Serialize};
use std::path::Path;

use passenger_native::control::Interface;

/// The kind of an application: its language, and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppKind {
    /// Ruby's Rack.
    Rack,
    /// Python's WSGI.
    Wsgi,
    /// Python's ASGI.
    Asgi,
    /// A Python application of which only the loaded one can tell how it is called.
    Python,
}

/// A programming language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// Ruby.
    Ruby,
    /// Python.
    Python,
}

impl AppKind {
    const ALL: [Self; 4] = [Self::Rack, Self::Wsgi, Self::Asgi, Self::Python];

    /// The kind that options call `name`. No option names [`AppKind::Python`], which is what is known without them.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name && kind.interface().is_some())
    }

    /// The kind that the name of a startup file tells.
    pub fn of_startup_file(file: &Path) -> Self {
        match file.file_name().and_then(|name| name.to_str()) {
            Some(WSGI_FILE) => Self::Wsgi,
            Some(ASGI_FILE) => Self::Asgi,
            _ if file.extension().is_some_and(|extension| extension == "py") => Self::Python,
            _ => Self::Rack,
        }
    }

    /// What options and status call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rack => "rack",
            Self::Wsgi => "wsgi",
            Self::Asgi => "asgi",
            Self::Python => "python",
        }
    }

    /// What it is written in.
    pub fn language(self) -> Language {
        match self {
            Self::Rack => Language::Ruby,
            Self::Wsgi | Self::Asgi | Self::Python => Language::Python,
        }
    }

    /// How it is called, if that is known.
    pub fn interface(self) -> Option<Interface> {
        match self {
            Self::Rack => Some(Interface::Rack),
            Self::Wsgi => Some(Interface::Wsgi),
            Self::Asgi => Some(Interface::Asgi),
            Self::Python => None,
        }
    }
}

/// Starts a Ruby application.
const RACK_FILE: &str = "config.ru";
/// Starts a Python application; what it calls `application` is WSGI unless the options say otherwise.
const WSGI_FILE: &str = "passenger_wsgi.py";
/// The same with ASGI.
const ASGI_FILE: &str = "passenger_asgi.py";

/// The startup files to look for, the first that is there counts. A kind that was named tells how an application is
/// called, so either file of its language may start it.
pub(super) fn startup_files(named: Option<AppKind>) -> &'static [&'static str] {
    match named {
        None => &[RACK_FILE, WSGI_FILE, ASGI_FILE],
        Some(AppKind::Rack) => &[RACK_FILE],
        Some(AppKind::Asgi) => &[ASGI_FILE, WSGI_FILE],
        Some(AppKind::Wsgi | AppKind::Python) => &[WSGI_FILE, ASGI_FILE],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("rack", Some(AppKind::Rack))]
    #[case("wsgi", Some(AppKind::Wsgi))]
    #[case("asgi", Some(AppKind::Asgi))]
    #[case("python", None)]
    #[case("auto", None)]
    fn is_named_by_how_it_is_called(#[case] name: &str, #[case] kind: Option<AppKind>) {
        assert_eq!(AppKind::from_name(name), kind);
    }

    #[rstest]
    #[case("/app/config.ru", AppKind::Rack)]
    #[case("/app/other", AppKind::Rack)]
    #[case("/app/passenger_wsgi.py", AppKind::Wsgi)]
    #[case("/app/passenger_asgi.py", AppKind::Asgi)]
    #[case("/app/main.py", AppKind::Python)]
    fn is_told_by_the_startup_file(#[case] file: &str, #[case] kind: AppKind) {
        assert_eq!(AppKind::of_startup_file(Path::new(file)), kind);
    }
}
