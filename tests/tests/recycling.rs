//! Workers that have had their time are replaced, and nobody waits for that.

use passenger_tests::{App, Process, Request, Server, Status, ours_only, wait_for, wait_until};
use rstest::rstest;
use std::collections::{HashMap, HashSet};

/// The worker that answers by a text that begins with its number.
fn worker_of(text: &str) -> Process {
    text.split(' ').next().and_then(|pid| pid.parse().ok()).map(Process).expect("a process id")
}

#[rstest]
fn a_worker_is_replaced_after_max_requests() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).argument("--max-requests").argument("5").start();
    let mut connection = server.connect();
    let mut handled: HashMap<Process, u32> = HashMap::new();
    wait_until("three workers were replaced", || {
        let answer = connection.request(&Request::get("/pid"));
        assert_eq!(answer.status, 200);
        *handled.entry(Process(answer.number())).or_default() += 1;
        handled.len() > 3
    });
    let least = handled.values().filter(|count| **count < 5).count();
    assert!(least <= 1, "only the last may have served less than 5: {handled:?}");
    server.wait_for_log("requests; it is replaced");
    wait_until("the old workers are gone", || handled.keys().filter(|worker| worker.is_alive()).count() <= 1);
    wait_until("there is one worker", || Status::of(&server).workers().len() == 1);
}

#[rstest]
fn nobody_waits_for_the_successor_of_the_only_worker() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::fixture("slow"))
        .variable("BOOT_SECONDS", "2")
        .argument("--spawn-method=direct")
        .argument("--max-requests=1")
        .start();
    let mut connection = server.connect();
    let mut served: HashMap<Process, u32> = HashMap::new();
    wait_until("the worker was replaced", || {
        let answer = connection.request(&Request::get("/0"));
        assert_eq!(answer.status, 200);
        *served.entry(worker_of(answer.text())).or_default() += 1;
        served.len() > 1
    });
    let first = served.values().max().copied().unwrap_or_default();
    assert!(first > 1, "the first one serves until the second has started: {served:?}");
}

#[rstest]
fn workers_have_different_limits_with_jitter() {
    ours_only!("about Passenger's own pool");
    let server =
        Server::of(App::reference()).argument("--max-requests=3").argument("--max-requests-jitter=1000000").start();
    let worker = server.get("/pid").number();
    for _ in 0..100 {
        assert_eq!(server.get("/pid").number(), worker, "1,000,000 requests, more or less, were to come");
    }
}

#[rstest]
fn memory_limit_replaces_a_worker_that_has_grown() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::fixture("leaky")).argument("--memory-limit=150").start();
    let first = Status::of(&server).worker_processes()[0];
    assert!(server.get("/200").text().contains("leaked 200 MB"));
    let second = wait_for("the worker was replaced", || {
        let workers = Status::of(&server).worker_processes();
        assert_eq!(server.get("/0").status, 200, "there is always one that serves");
        workers.into_iter().find(|worker| *worker != first)
    });
    first.wait_until_gone();
    server.wait_for_log(&format!("worker {} has ", first.0));
    server.wait_for_log("memory_limit (150 MB); it is replaced");
    assert!(second.is_alive());
    assert_eq!(worker_of(server.get("/1").text()), second);
}

#[rstest]
fn a_memory_limit_below_what_the_application_needs_is_told_and_replaces_nobody() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).argument("--memory-limit=1").start();
    let workers = Status::of(&server).worker_processes();
    server.wait_for_log("memory_limit (1 MB) is too low for this application");
    assert_eq!(Status::of(&server).worker_processes(), workers);
}

#[rstest]
fn max_requests_holds_a_leak_in_check() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::fixture("leaky")).argument("--max-requests").argument("3").start();
    let mut workers = HashSet::new();
    wait_until("four workers have leaked", || {
        let answer = server.get("/1");
        workers.insert(worker_of(answer.text()));
        workers.len() > 3
    });
}
