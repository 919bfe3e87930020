//! The status of an instance, for people.

use crate::pool::snapshot::{
    DeploymentError, GroupStatus, InstanceStatus, PreloaderOrigin, PreloaderStatus, RestartStatus, WorkerStatus,
};
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

const COLUMNS: [&str; 6] = ["PID", "STATE", "SESSIONS", "HANDLED", "UPTIME", "MEMORY"];

/// A request that has been running for longer than this is worth being looked at, in seconds.
const LONG: u64 = 10;

/// Several lines, the last one ended.
pub(super) fn render(status: &InstanceStatus) -> String {
    let workers: usize = status.groups.iter().map(|group| group.workers.len()).sum();
    let reason = status.max_pool_size_reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let mut text = format!(
        "Phusion Passenger(R) {}, pid {}, {}, up {}\nListening on {}; {workers} of at most {} workers{reason}\n",
        status.version,
        status.pid,
        status.environment,
        duration(status.uptime_seconds),
        status.addresses.join(", "),
        status.max_pool_size,
    );
    for group in &status.groups {
        render_group(&mut text, group);
    }
    text
}

// Writing to a string cannot fail.
fn render_group(text: &mut String, group: &GroupStatus) {
    // An application that is everywhere need not say so.
    let at = if group.places.iter().all(|place| place == "/") {
        String::new()
    } else {
        format!(" at {}", group.places.join(", "))
    };
    let root = group.app_root.display();
    let user = if group.user.is_empty() { String::new() } else { format!(", as {}", group.user) };
    let _ = write!(text, "\n{} ({}, {}){at} in {root}{user}\n", group.name, group.kind, group.environment);
    let max = if group.queue_max == 0 { "unlimited".to_owned() } else { group.queue_max.to_string() };
    let _ = write!(text, "  {}; requests waiting: {} (limit {max})", group.state, group.queue_size);
    if group.spawning > 0 {
        let _ = write!(text, "; workers starting: {}", group.spawning);
    }
    if let Some(bytes) = group.memory_bytes() {
        let _ = write!(text, "; memory: {}", megabytes(bytes));
    }
    text.push('\n');
    if let Some(error) = &group.last_spawn_error {
        let _ = writeln!(text, "  last spawn error: {}", error.trim_end().replace('\n', "\n    "));
    }
    if let Some(preloader) = &group.preloader {
        let _ = writeln!(text, "  {}", describe(preloader, group.generation));
    }
    if let Some(restart) = &group.restart {
        render_restart(text, restart);
    }
    if group.workers.is_empty() {
        return;
    }
    let rows: Vec<[String; 6]> =
        std::iter::once(COLUMNS.map(str::to_owned)).chain(group.workers.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:<width$}")).collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn describe(preloader: &PreloaderStatus, generation: u32) -> String {
    let generation = if generation == 0 { String::new() } else { format!("; re-forked: generation {generation}") };
    match preloader.origin {
        PreloaderOrigin::Loaded => format!("preloader: {}{generation}", preloader.pid),
        PreloaderOrigin::Promoted => format!("preloader: {}, a worker before{generation}", preloader.pid),
    }
}

fn render_restart(text: &mut String, restart: &RestartStatus) {
    let _ = writeln!(text, "  restarting: {} of {} workers replaced", restart.replaced, restart.total);
    if let Some(DeploymentError { message, at, retry_in_seconds }) = &restart.error {
        let at = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(*at));
        let message = message.trim_end().replace('\n', "\n    ");
        let _ = writeln!(
            text,
            "  the new version does not start (last tried {at}, next try in {retry_in_seconds} s): {message}"
        );
    }
}

fn row(worker: &WorkerStatus) -> [String; 6] {
    [
        worker.pid.to_string(),
        state(worker),
        sessions(worker),
        worker.handled.to_string(),
        duration(worker.uptime_seconds),
        worker.private_memory_bytes.map_or("unknown".to_owned(), megabytes),
    ]
}

/// What it does, and for how long it has been with the same request if that is long.
fn state(worker: &WorkerStatus) -> String {
    match worker.longest_request_seconds {
        Some(seconds) if seconds >= LONG => format!("{} for {}", worker.state, duration(seconds)),
        _ => worker.state.to_string(),
    }
}

/// Requests out of how many at most, and the WebSockets that are open besides: `3/1000 + 12`.
fn sessions(worker: &WorkerStatus) -> String {
    let of = if worker.slots == 0 { String::new() } else { format!("/{}", worker.slots) };
    let and = if worker.websockets == 0 { String::new() } else { format!(" + {}", worker.websockets) };
    format!("{}{of}{and}", worker.sessions)
}

/// The two largest units, such as `3h 5m`.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::snapshot::{GroupState, WorkerState};
    use rstest::rstest;

    #[rstest]
    #[case(0, "0s")]
    #[case(59, "59s")]
    #[case(61, "1m 1s")]
    #[case(3599, "59m 59s")]
    #[case(11_100, "3h 5m")]
    #[case(90_000, "1d 1h")]
    fn shows_a_duration_by_its_two_largest_units(#[case] seconds: u64, #[case] shown: &str) {
        assert_eq!(duration(seconds), shown);
    }

    #[test]
    fn shows_groups_and_workers_in_columns() {
        let worker = |pid, state, handled, private_memory_bytes| WorkerStatus {
            pid,
            state,
            slots: 1,
            sessions: 1,
            websockets: 0,
            handled,
            uptime_seconds: 75,
            longest_request_seconds: (handled == 7).then_some(61),
            private_memory_bytes,
            proportional_memory_bytes: private_memory_bytes.map(|bytes| bytes * 2),
        };
        let status = InstanceStatus {
            version: "7.0.0".to_owned(),
            pid: 100,
            environment: "production".to_owned(),
            addresses: vec!["0.0.0.0:3000".to_owned()],
            uptime_seconds: 80,
            max_pool_size: 6,
            max_pool_size_reason: Some("3 a processor, 2 processors".to_owned()),
            groups: vec![GroupStatus {
                name: "shop".to_owned(),
                places: vec!["example.com/shop".to_owned()],
                app_root: "/srv/shop".into(),
                kind: "rack".to_owned(),
                environment: "production".to_owned(),
                user: "deploy".to_owned(),
                state: GroupState::Running,
                queue_size: 2,
                queue_max: 100,
                spawning: 1,
                last_spawn_error: Some("it raised\nthere\n".to_owned()),
                generation: 2,
                preloader: Some(PreloaderStatus::new(99, true)),
                restart: Some(RestartStatus {
                    replaced: 1,
                    total: 3,
                    error: Some(DeploymentError {
                        message: "no such file\nin x\n".to_owned(),
                        at: 1_000_000_000,
                        retry_in_seconds: 4,
                    }),
                }),
                workers: vec![
                    worker(101, WorkerState::Busy, 12345, Some(47_395_635)),
                    worker(102, WorkerState::Draining, 0, None),
                    WorkerStatus { slots: 1000, websockets: 12, ..worker(103, WorkerState::Busy, 7, Some(1 << 20)) },
                ],
            }],
        };
        let expected = "\
Phusion Passenger(R) 7.0.0, pid 100, production, up 1m 20s
Listening on 0.0.0.0:3000; 3 of at most 6 workers (3 a processor, 2 processors)

shop (rack, production) at example.com/shop in /srv/shop, as deploy
  running; requests waiting: 2 (limit 100); workers starting: 1; memory: 92.4 MB
  last spawn error: it raised
    there
  preloader: 99, a worker before; re-forked: generation 2
  restarting: 1 of 3 workers replaced
  the new version does not start (last tried Sun, 09 Sep 2001 01:46:40 GMT, next try in 4 s): no such file
    in x
  PID  STATE           SESSIONS     HANDLED  UPTIME  MEMORY
  101  busy            1/1          12345    1m 15s  45.2 MB
  102  draining        1/1          0        1m 15s  unknown
  103  busy for 1m 1s  1/1000 + 12  7        1m 15s  1.0 MB
";
        assert_eq!(render(&status), expected);
    }
}
