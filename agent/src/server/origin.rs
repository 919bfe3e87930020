//! What the configuration is made from: the directory that an instance was started for, and what was typed. An agent reads the
//! configuration again from this.

use std::ffi::OsString;
use std::path::PathBuf;

use passenger_native::options;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::app::detect;
use crate::config::{CommandLine, Config, Environment, ListenAddress};

/// Where a plan comes from.
#[derive(Serialize, Deserialize)]
pub struct Origin {
    directory: PathBuf,
    /// The options by their names.
    typed: Vec<(String, OsString)>,
    /// Where it was asked to listen; port 0 is another one when it does.
    pub listen: Vec<ListenAddress>,
}

impl Origin {
    /// What was typed to have `config`.
    #[must_use]
    pub fn new(config: &Config, typed: &CommandLine) -> Self {
        Self {
            directory: config.instance.root.clone(),
            typed: typed.iter().map(|(option, value)| (option.name.to_owned(), value.clone())).collect(),
            listen: config.instance.listen.clone(),
        }
    }

    /// Reads the configuration again.
    ///
    /// # Errors
    /// All that is wrong, a line each.
    pub fn plan(&self) -> Result<Plan, Vec<String>> {
        detect::check_root(&self.directory).map_err(|error| vec![error.to_string()])?;
        let typed: CommandLine = self
            .typed
            .iter()
            .filter_map(|(name, value)| options::find(name).map(|option| (option, value.clone())))
            .collect();
        let environment: Environment = std::env::vars_os().collect();
        let config = Config::resolve(&self.directory, &typed, &environment)
            .map_err(|errors| errors.to_string().lines().map(str::to_owned).collect::<Vec<_>>())?;
        Plan::make(config, &typed)
    }
}
