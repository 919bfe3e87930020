//! What is to be served: each application of the configuration, found on the disk, with what runs it.

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::app::detect::{self, App};
use crate::app::runtime::Runtime;
use crate::app::user::AppUser;
use crate::config::{AppConfig, CommandLine, Config, InstanceConfig, ListenAddress};
use crate::instance::{self, PLAN};
use std::path::Path;
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

/// What every version finds in a plan: what it comes from, and where the instance listens.
#[derive(Deserialize)]
struct Gist {
    origin: Origin,
    instance: GistOfInstance,
}

#[derive(Deserialize)]
struct GistOfInstance {
    listen: Vec<ListenAddress>,
}

impl Plan {
    /// Reads the plan in an instance's directory. One of another version, which says other things, is made anew.
    ///
    /// # Errors
    /// What is wrong, a line each.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let reason = match instance::read(directory, PLAN) {
            Ok(plan) => return Ok(plan),
            Err(error) => format!("the plan in {} can't be read: {error}", directory.display()),
        };
        let Gist { origin, instance } = instance::read(directory, PLAN).map_err(|_| reason)?;
        let mut plan = origin.plan().map_err(|reasons| reasons.join("\n"))?;
        plan.instance.listen = instance.listen;
        Ok(plan)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_plan_of_another_version_is_made_anew_from_what_it_came_from() {
        let directory = tempfile::tempdir().unwrap();
        let listen = json!([{ "Tcp": { "host": "127.0.0.1", "port": 4711 } }]);
        let origin = json!({ "directory": "/missing/shop", "typed": [], "listen": listen });
        let plan = json!({ "origin": origin, "instance": { "listen": listen, "new": 1 }, "apps": [{ "new": 2 }] });
        instance::write(directory.path(), PLAN, &plan).unwrap();
        let complaint = Plan::read(directory.path()).err().unwrap();
        assert!(complaint.starts_with("/missing/shop: there is no such directory"), "{complaint}");

        instance::write(directory.path(), PLAN, &Value::Null).unwrap();
        let complaint = Plan::read(directory.path()).err().unwrap();
        assert!(complaint.contains("can't be read"), "{complaint}");
    }
}
