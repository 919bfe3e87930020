//! What is to be served: each application of the configuration, found on the disk, with what runs it.

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::app::detect::{self, App};
use crate::app::runtime::Runtime;
use crate::app::user::AppUser;
use crate::config::{AppConfig, CommandLine, Config, InstanceConfig};
use std::rc::Rc;

/// Everything that an instance needs to know before it starts.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// About the instance as a whole.
    pub instance: InstanceConfig,
    /// Its applications; never empty.
    pub apps: Vec<PlannedApp>,
    /// What all of this comes from.
    pub origin: Origin,
}

/// An application that can be started.
#[derive(Serialize, Deserialize)]
pub struct PlannedApp {
    /// What was said about it.
    pub config: AppConfig,
    /// What it is.
    pub app: App,
    /// What runs it.
    pub runtime: Runtime,
    /// As which user.
    pub user: Rc<AppUser>,
}

impl PlannedApp {
    /// Whether nothing has changed; who the user is, is found out with every start anyway.
    pub fn is_as(&self, other: &Self) -> bool {
        (&self.config, &self.app, &self.runtime) == (&other.config, &other.app, &other.runtime)
    }
}

impl Plan {
    /// Finds all applications of the configuration, which comes from what was typed.
    ///
    /// # Errors
    /// What is not there of each application, and what to do, in a line each.
    pub fn make(config: Config, typed: &CommandLine) -> Result<Self, Vec<String>> {
        let origin = Origin::new(&config, typed);
        let Config { instance, apps } = config;
        let are_several = apps.len() > 1;
        let (mut planned, mut errors) = (Vec::with_capacity(apps.len()), Vec::new());
        for config in apps {
            match find(&config) {
                Ok((app, runtime, user)) => planned.push(PlannedApp { config, app, runtime, user }),
                Err(reason) if are_several => errors.push(format!("{}: {reason}", config.name)),
                Err(reason) => errors.push(reason),
            }
        }
        if errors.is_empty() { Ok(Self { instance, apps: planned, origin }) } else { Err(errors) }
    }
}

fn find(config: &AppConfig) -> Result<(App, Runtime, Rc<AppUser>), String> {
    detect::check_root(&config.root).map_err(|error| error.to_string())?;
    let app = detect::detect(&config.name, &config.root, &config.wanted).map_err(|error| error.to_string())?;
    let runtime = Runtime::find(&app, &config.interpreters).map_err(|error| error.to_string())?;
    let user = AppUser::of(&app, config.user.clone())?;
    Ok((app, runtime, Rc::new(user)))
}
