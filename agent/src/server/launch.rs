//! `passenger start`, until it becomes the instance's watchdog: everything that can be wrong before an application is loaded
//! is found out while the terminal is still there.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::listeners::{self, Bound};
use super::report::Report;
use super::{Plan, StartError, daemon, logging};
use crate::instance::{self, InstanceDir, Properties};
use crate::watchdog::{self, Estate};
use crate::{pid_file, sys};

/// Starts an instance that serves what is planned. Returns in the process that waits for one in the background, when that
/// is ready; else only with an error, as the process becomes the watchdog.
///
/// # Errors
/// An address that can't be had, files that can't be written; in the background, why no agent could start.
pub fn launch(mut plan: Plan) -> Result<(), StartError> {
    let mut bound = listeners::activated(&|name| std::env::var(name).ok()).map_err(StartError)?;
    if bound.is_empty() {
        bound = listeners::bind(&plan.instance.listen).map_err(StartError)?;
    }
    let log = logging::open(plan.instance.log_file.as_deref()).map_err(StartError)?;
    let report = match daemon::split(&plan.instance, log.as_ref())? {
        daemon::Side::Parent(outcome) => {
            // They are the instance's now; dropping them here would remove its socket files.
            std::mem::forget(bound);
            return outcome;
        }
        daemon::Side::Instance(report) => report,
    };
    plan.instance.listen = bound.iter().map(|bound| bound.address.clone()).collect();
    let failed = |error| match report.as_ref().map(|report| report.try_clone()) {
        Some(Ok(pipe)) => {
            Report::parent(pipe).failed(&error);
            error
        }
        _ => error,
    };
    let program = std::env::current_exe().map_err(StartError::new).map_err(failed)?;
    let directory = register(&plan).map_err(failed)?;
    let estate = |directory: &InstanceDir| -> std::io::Result<Estate> {
        Ok(Estate {
            directory: directory.path().to_owned(),
            lock: directory.lock().try_clone_to_owned()?,
            log: log.map(Into::into),
            report: report.as_ref().map(|report| report.try_clone()).transpose()?.map(Into::into),
            oom_score: sys::oom::score(),
            ignores_hangups: sys::process::ignores_hangups(),
            listeners: bound.iter().map(Bound::descriptor).collect::<Result<_, _>>()?,
        })
    };
    let error = match estate(&directory) {
        Ok(estate) => watchdog::become_watchdog(&program, &estate),
        Err(error) => error,
    };
    Err(failed(StartError(format!("{} could not be executed: {error}", program.display()))))
}

/// Makes the instance's directory and its pid file.
fn register(plan: &Plan) -> Result<InstanceDir, StartError> {
    let config = &plan.instance;
    let properties = Properties {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        root: config.root.clone(),
        app_roots: plan.apps.iter().map(|planned| planned.config.root.clone()).collect(),
        addresses: config.listen.iter().map(ToString::to_string).collect(),
        environment: config.environment.clone(),
        started_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()),
        pid_file: config.pid_file.clone(),
    };
    let write = |path: &Path| pid_file::write(path, properties.pid);
    config.pid_file.as_deref().map(write).transpose().map_err(StartError::new)?;
    let directory = InstanceDir::create(&config.registry_dir, &properties).map_err(StartError::new)?;
    instance::write(directory.path(), instance::PLAN, plan).map_err(StartError::new)?;
    Ok(directory)
}
