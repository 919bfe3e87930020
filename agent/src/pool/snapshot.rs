//! What the instance looks like at one moment: what `passenger status` shows.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long measuring the memory of all workers may take; those that are left then are not measured.
const MEASURING: Duration = Duration::from_secs(2);

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Passenger's version.
    pub version: String,
    /// The process that serves.
    pub pid: u32,
    /// The environment that it was started for.
    pub environment: String,
    /// Where it listens, such as `127.0.0.1:3000` or `unix:/run/app.sock`.
    pub addresses: Vec<String>,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// How many workers there may be at most.
    pub max_pool_size: usize,
    /// Why it is that many, when that was found out.
    #[serde(default)]
    pub max_pool_size_reason: Option<String>,
    /// One entry an application.
    pub groups: Vec<GroupStatus>,
}

impl InstanceStatus {
    /// Measures the workers' memory. The kernel takes up to milliseconds for each, so this is not for a thread that serves.
    pub fn measure_memory(&mut self) {
        let deadline = Instant::now() + MEASURING;
        for worker in self.groups.iter_mut().flat_map(|group| &mut group.workers) {
            if Instant::now() > deadline {
                return;
            }
            if let Ok(memory) = memory(worker.pid) {
                worker.private_memory_bytes = Some(memory.private);
                worker.proportional_memory_bytes = Some(memory.proportional);
            }
        }
    }
}

/// All workers of one application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// The application's name.
    pub name: String,
    /// Where it is reached, such as `example.com/shop`.
    #[serde(default)]
    pub places: Vec<String>,
    /// The application's directory.
    pub app_root: PathBuf,
    /// The kind of application, such as `rack`.
    pub kind: String,
    /// The application's environment.
    pub environment: String,
    /// As which user it runs.
    #[serde(default)]
    pub user: String,
    /// How it is doing.
    pub state: GroupState,
    /// How many requests wait for a worker.
    pub queue_size: usize,
    /// How many may wait; 0 means no limit.
    pub queue_max: usize,
    /// How many workers are being started.
    pub spawning: usize,
    /// Why the last worker that should have started did not.
    pub last_spawn_error: Option<String>,
    /// The restart that is under way.
    #[serde(default)]
    pub restart: Option<RestartStatus>,
    /// How many times its workers were forked anew from one of them since the application was loaded.
    #[serde(default)]
    pub generation: u32,
    /// What its workers are forked from, while that is there.
    #[serde(default)]
    pub preloader: Option<PreloaderStatus>,
    /// The workers.
    pub workers: Vec<WorkerStatus>,
}

impl GroupStatus {
    /// The memory that its workers take in all, in bytes, as far as it was measured.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.workers.iter().filter_map(|worker| worker.proportional_memory_bytes).reduce(|sum, bytes| sum + bytes)
    }
}

/// A preloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreloaderStatus {
    /// Its process.
    pub pid: u32,
    /// How it came to be one.
    pub origin: PreloaderOrigin,
}

impl PreloaderStatus {
    /// Of process `pid`.
    #[must_use]
    pub fn new(pid: u32, was_worker: bool) -> Self {
        Self { pid, origin: if was_worker { PreloaderOrigin::Promoted } else { PreloaderOrigin::Loaded } }
    }
}

/// How a process came to be a preloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreloaderOrigin {
    /// It has loaded the application.
    Loaded,
    /// It was a worker before.
    Promoted,
}

/// A restart that replaces one worker after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartStatus {
    /// How many workers it has replaced.
    pub replaced: usize,
    /// How many it replaces in all.
    pub total: usize,
    /// Why it does not go on.
    pub error: Option<DeploymentError>,
}

/// A new version that does not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentError {
    /// Why not.
    pub message: String,
    /// When it was last tried, in seconds since 1970.
    pub at: u64,
    /// When it is tried again.
    pub retry_in_seconds: u64,
}

/// How a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupState {
    /// It has workers that serve.
    Running,
    /// Its first worker is being started.
    Spawning,
    /// It has no worker; the next request brings one.
    Asleep,
    /// Its application does not start.
    Broken,
}

impl fmt::Display for GroupState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Running => "running",
            Self::Spawning => "spawning",
            Self::Asleep => "asleep",
            Self::Broken => "broken",
        })
    }
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its process.
    pub pid: u32,
    /// What it is doing.
    pub state: WorkerState,
    /// How many requests it serves at the same time; 0 means any number.
    pub slots: usize,
    /// How many it is serving now.
    pub sessions: usize,
    /// How many WebSockets it has open besides.
    #[serde(default)]
    pub websockets: usize,
    /// How many it has served.
    pub handled: u64,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// How long the request has been running that has been running longest; `None` when there is none.
    #[serde(default)]
    pub longest_request_seconds: Option<u64>,
    /// The memory that would be free without it, in bytes; `None` when the system does not say, or not soon enough.
    pub private_memory_bytes: Option<u64>,
    /// The same with its part of what it shares with others, in bytes: the sum over all workers is what they take in all.
    #[serde(default)]
    pub proportional_memory_bytes: Option<u64>,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// It starts and does not serve yet.
    Booting,
    /// It has a free slot.
    Ready,
    /// All its slots are taken.
    Busy,
    /// It does out-of-band work and takes no requests.
    #[serde(rename = "oob_work")]
    OobWork,
    /// It finishes what it has and then ends.
    Draining,
}

impl fmt::Display for WorkerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Booting => "booting",
            Self::Ready => "ready",
            Self::Busy => "busy",
            Self::OobWork => "oob work",
            Self::Draining => "draining",
        })
    }
}

/// The memory of a process, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Memory {
    /// What would be free if it were gone.
    pub private: u64,
    /// The same and its part of what it shares: half of what it shares with one other, and so on.
    pub proportional: u64,
}

/// The memory of process `pid`.
///
/// # Errors
/// When the process is gone or belongs to somebody else.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(Memory { private: sum(&smaps, &["Private_Clean", "Private_Dirty"]), proportional: sum(&smaps, &["Pss"]) })
}

/// The memory that would be free if process `pid` were gone, in bytes.
///
/// # Errors
/// When the process is gone or belongs to somebody else.
pub fn private_memory(pid: u32) -> io::Result<u64> {
    memory(pid).map(|memory| memory.private)
}

/// Lines look like `Private_Dirty:      1234 kB`. What the kernel adds to the format one day is skipped.
fn sum(smaps: &str, names: &[&str]) -> u64 {
    let kilobytes = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let number: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
        names.contains(&name).then_some(number)
    };
    smaps.lines().filter_map(kilobytes).sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", 0)]
    #[case("00400000-7ffd [rollup]\nRss: 99 kB\nPrivate_Clean:   4 kB\nPrivate_Dirty:\t12 kB\nPrivate_Hugetlb: 8 kB\n", 16 * 1024)]
    #[case("Private_Dirty: many kB\nPrivate_Clean: 1\n", 0)]
    fn adds_clean_and_dirty(#[case] smaps: &str, #[case] bytes: u64) {
        assert_eq!(sum(smaps, &["Private_Clean", "Private_Dirty"]), bytes);
    }

    #[test]
    fn reads_a_living_process_only() {
        let memory = memory(std::process::id()).unwrap();
        assert!(0 < memory.private && memory.private <= memory.proportional, "{memory:?}");
        super::memory(u32::MAX).unwrap_err();
    }
}
