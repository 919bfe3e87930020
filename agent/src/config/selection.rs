//! Which instance a command such as `passenger stop` means.

use super::settings::{Layer, Outside, Settings, Source};
use super::value::Bases;
use super::{CommandLine, ConfigErrors, Environment, passengerfile, places};
use std::path::{Path, PathBuf};

/// What was said about the instance, and where to look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The directory that holds the instance directories.
    pub registry_dir: PathBuf,
    /// The TCP port, when it was typed.
    pub port: Option<u16>,
    /// The pid file, when it was typed.
    pub pid_file: Option<PathBuf>,
}

impl Selection {
    /// The registry directory comes from the same places as when an instance in `app_root` is started; mistakes in
    /// other options are no reason not to stop it.
    ///
    /// # Errors
    /// When something that counts here was typed or set badly.
    pub fn resolve(
        app_root: &Path,
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Self, ConfigErrors> {
        let app_root = &places::absolute(app_root);
        let file = passengerfile::read(app_root).unwrap_or_default();
        let bases = Bases::in_file(app_root, app_root, environment);
        let layer = Layer { source: Source::Passengerfile, entries: &file.entries, bases };
        let nothing = Environment::new();
        let outside = Outside { command_line, environment };
        let settings = Settings::merge_one("instance_registry_dir", app_root, &[layer], &outside)?;
        let typed = Settings::merge("", app_root, &[], &Outside { environment: &nothing, ..outside })?;
        let port = (typed.source("port") > Source::Default).then(|| typed.integer("port"));
        Ok(Self {
            registry_dir: settings.path("instance_registry_dir").unwrap_or_else(|| places::temporary_dir(environment)),
            port: port.and_then(|port| u16::try_from(port).ok()),
            pid_file: typed.path("pid_file"),
        })
    }
}
