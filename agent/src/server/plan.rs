//! What is to be served: each application of the configuration, found on the disk, with what runs it.

use serde::{Deserialize, Serialize};

use crate::app::detect::{self, App};
use crate::app::runtime::Runtime;
use crate::app::user::AppUser;
use crate::config::{AppConfig, Config, InstanceConfig};
use std::rc::Rc;

/// Everything that an instance needs to know before it starts.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// About the instance as a whole.
    pub instance: InstanceConfig,
    /// Its applications; never empty.
    pub apps: Vec<PlannedApp>,
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

impl Plan {
    /// Finds all applications.
    ///
    /// # Errors
    /// What is not there of each application, and what to do, in a line each.
    pub fn make(config: Config) -> Result<Self, Vec<String>> {
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
        if errors.is_empty() { Ok(Self { instance, apps: planned }) } else { Err(errors) }
    }
}

fn find(config: &AppConfig) -> Result<(App, Runtime, Rc<AppUser>), String> {
    detect::check_root(&config.root).map_err(|error| error.to_string())?;
    let app = detect::detect(&config.name, &config.root, &config.wanted).map_err(|error| error.to_string())?;
    let runtime = Runtime::find(&app, &config.interpreters).map_err(|error| error.to_string())?;
    let user = AppUser::of(&app, config.user.clone())?;
    Ok((app, runtime, Rc::new(user)))
}
