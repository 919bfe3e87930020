//! What was said about an application's processes, whatever they run.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Environment and limits of processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessConfig {
    /// Environment variables. Their values may be secrets, which no log and no error may show.
    pub envvars: BTreeMap<String, String>,
    /// Whether they get the variables of a login shell, too.
    pub load_shell_envvars: bool,
    /// How many files a process may have open; `None` is as many as the server was allowed when it was started.
    pub open_files: Option<u64>,
}
