//! What is to be run, as far as the settings say.

use super::ConfigError;
use super::settings::{Settings, Source};
use crate::app::detect::{Start, Wanted};
use crate::app::entry::Entry;
use crate::app::kind::AppKind;
use std::path::PathBuf;

/// What was named in the strongest place counts. Within one place `rackup` goes before `startup_file`, and `app` beside
/// either is a mistake.
pub(super) fn resolve(settings: &Settings) -> Result<Wanted, ConfigError> {
    let file = if settings.source("rackup") >= settings.source("startup_file") { "rackup" } else { "startup_file" };
    let (by_file, by_entry) = (settings.source(file), settings.source("app"));
    let named = settings.text("app_type").and_then(AppKind::from_name);
    let (start, kind) = if by_file.max(by_entry) == Source::Default {
        if settings.flag("factory") {
            return Err(settings.error("factory", "there is no function named; name it as module:function by --app"));
        }
        (None, named)
    } else if by_file == by_entry {
        return Err(settings.error("app", &format!("{file} names what to run, too; remove one of them")));
    } else if by_file > by_entry {
        let kind = if file == "rackup" { Some(AppKind::Rack) } else { named };
        (settings.path(file).map(Start::File), kind)
    } else if named == Some(AppKind::Rack) {
        return Err(settings.error("app", "is for Python, but app_type is rack; remove one of them"));
    } else {
        (Some(Start::Entry(entry(settings)?)), named)
    };
    Ok(Wanted { start, kind, app_dir: app_dir(settings)? })
}

fn entry(settings: &Settings) -> Result<Entry, ConfigError> {
    let text = settings.text("app").unwrap_or_default();
    let entry = Entry::parse(text).map_err(|reason| settings.error("app", &reason))?;
    let factory = entry.factory || settings.flag("factory");
    if factory && !entry.has_attribute() {
        return Err(settings.error("app", &format!("does not name the factory; write {text}:create_app")));
    }
    Ok(Entry { factory, ..entry })
}

fn app_dir(settings: &Settings) -> Result<Option<PathBuf>, ConfigError> {
    match settings.path("app_dir") {
        Some(directory) if !directory.is_dir() => {
            let reason = "there is no such directory in the application; give the one that has its modules";
            Err(settings.error("app_dir", reason))
        }
        directory => Ok(directory),
    }
}
