//! Going into the background: the process that was started waits until the server is ready or has failed.

use std::fs::File;
use std::io::{Read, Write};

use super::report::READY;
use super::{StartError, logging};
use crate::config::InstanceConfig;
use crate::sys;
use crate::sys::process::Fork;

/// Which process this is after [`split`].
pub enum Side {
    /// The one that was started, with what it has to tell.
    Parent(Result<(), StartError>),
    /// The one that becomes the instance, with the pipe to the other.
    Instance(Option<File>),
}

/// With `daemonize`, forks the server off and waits for its word. Must be called before any thread is started.
///
/// # Errors
/// When the system can't fork.
pub fn split(config: &InstanceConfig, log: Option<&File>) -> Result<Side, StartError> {
    if !config.daemonize {
        return Ok(Side::Instance(None));
    }
    let (reader, writer) = std::io::pipe().map_err(StartError::new)?;
    match sys::process::detach().map_err(StartError::new)? {
        Fork::Parent => {
            drop(writer);
            Ok(Side::Parent(wait(reader)))
        }
        Fork::Child => {
            drop(reader);
            let log = match log {
                Some(log) => log.try_clone().map_err(StartError::new)?,
                None => logging::discard().map_err(StartError::new)?,
            };
            sys::process::redirect_output(&log).map_err(StartError::new)?;
            Ok(Side::Instance(Some(File::from(std::os::fd::OwnedFd::from(writer)))))
        }
    }
}

fn wait(mut pipe: impl Read) -> Result<(), StartError> {
    let mut word = Vec::new();
    pipe.read_to_end(&mut word).map_err(StartError::new)?;
    match word.split_first() {
        Some((&READY, text)) => {
            let _ = std::io::stdout().write_all(text);
            Ok(())
        }
        Some((_, reason)) => Err(StartError(String::from_utf8_lossy(reason).into_owned())),
        None => Err(StartError("the server ended while it was starting; its log tells more".to_owned())),
    }
}
