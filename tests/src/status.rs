//! What `passenger status --json` tells about one instance.

use crate::{Process, Server};
use serde_json::Value;

/// The status of an instance with one application.
#[derive(Debug)]
pub struct Status(Value);

/// A worker, as the status has it.
#[derive(Debug)]
pub struct Worker {
    /// Its process.
    pub process: Process,
    /// `booting`, `ready`, `busy` or `draining`.
    pub state: String,
    /// How many requests it serves now.
    pub sessions: u64,
    /// How many it has served.
    pub handled: u64,
}

impl Status {
    /// Asks the server.
    pub fn of(server: &Server) -> Self {
        let finished = server.run_passenger(["status", "--json"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let status: Value = serde_json::from_str(&finished.stdout).expect("the status is JSON");
        Self(status["instances"][0].clone())
    }

    /// Everything there is to know about the instance.
    pub fn instance(&self) -> &Value {
        &self.0
    }

    /// The agent that answered.
    pub fn agent(&self) -> Process {
        let pid = self.0["pid"].as_i64().unwrap_or_else(|| panic!("no pid in {self:?}"));
        Process(i32::try_from(pid).expect("a process id"))
    }

    /// The same about its application.
    pub fn group(&self) -> &Value {
        &self.0["groups"][0]
    }

    /// The workers that serve or will.
    pub fn workers(&self) -> Vec<Worker> {
        let workers = self.group()["workers"].as_array().unwrap_or_else(|| panic!("no workers in {self:?}"));
        let count =
            |worker: &Value, name: &str| worker[name].as_u64().unwrap_or_else(|| panic!("no {name} in {worker}"));
        let known = workers.iter().map(|worker| Worker {
            process: Process(i32::try_from(count(worker, "pid")).expect("a process id")),
            state: worker["state"].as_str().expect("a state").to_owned(),
            sessions: count(worker, "sessions"),
            handled: count(worker, "handled"),
        });
        known.collect()
    }

    /// The processes of those workers.
    pub fn worker_processes(&self) -> Vec<Process> {
        self.workers().iter().map(|worker| worker.process).collect()
    }
}
