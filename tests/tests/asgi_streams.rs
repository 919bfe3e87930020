//! Workers that serve many requests at once, as the pool sees them.

use nix::sys::signal::Signal;
use passenger_tests::{App, Connection, Process, Request, Server, Status, wait_until};
use rstest::rstest;
use std::collections::HashSet;

/// Sends a request that waits at this gate.
fn send_to_gate(server: &Server, gate: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(Request::get(&format!("/wait/{gate}")).to_bytes());
    connection
}

fn sessions(server: &Server) -> u64 {
    Status::of(server).workers().iter().map(|worker| worker.sessions).sum()
}

#[rstest]
fn a_few_requests_need_one_worker_and_many_need_more() {
    let server = Server::of(App::fixture("asgi")).max_pool_size(2).start();
    let mut few: Vec<_> = (0..10).map(|_| send_to_gate(&server, "crowd")).collect();
    wait_until("all are being served", || sessions(&server) == 10);
    assert_eq!(Status::of(&server).workers().len(), 1);
    let mut more: Vec<_> = (0..2).map(|_| send_to_gate(&server, "crowd")).collect();
    wait_until("there is another worker", || Status::of(&server).workers().len() == 2);
    let mut late: Vec<_> = (0..8).map(|_| send_to_gate(&server, "crowd")).collect();
    wait_until("all are being served", || sessions(&server) == 20);
    let loads: Vec<_> = Status::of(&server).workers().iter().map(|worker| worker.sessions).collect();
    assert_eq!(loads, [12, 8], "the worker with the fewest requests is the one to ask");
    server.app().open_gate("crowd");
    let all = few.iter_mut().chain(&mut more).chain(&mut late);
    let workers: HashSet<_> = all.map(|connection| Process(connection.receive().number())).collect();
    assert_eq!(workers.len(), 2);
}

#[rstest]
fn beyond_the_limit_requests_wait_in_the_queue() {
    let launch = Server::of(App::fixture("asgi")).argument("--force-max-concurrent-requests-per-process=2");
    let server = launch.start();
    let mut first = send_to_gate(&server, "first");
    let mut second = send_to_gate(&server, "second");
    wait_until("both are being served", || sessions(&server) == 2);
    let mut third = send_to_gate(&server, "third");
    wait_until("the third waits", || Status::of(&server).group()["queue_size"] == 1);
    assert!(!server.app().has("tmp/at-gate-third"));
    server.app().open_gate("first");
    assert_eq!(first.receive().status, 200);
    server.app().worker_at_gate("third");
    for (gate, connection) in [("second", &mut second), ("third", &mut third)] {
        server.app().open_gate(gate);
        assert_eq!(connection.receive().status, 200);
    }
}

#[rstest]
fn a_client_that_leaves_the_queue_is_not_served() {
    let launch = Server::of(App::fixture("asgi")).argument("--force-max-concurrent-requests-per-process=1");
    let server = launch.start();
    let mut busy = send_to_gate(&server, "busy");
    server.app().worker_at_gate("busy");
    let mut impatient = server.connect();
    impatient.send(Request::get("/log/impatient").to_bytes());
    wait_until("it waits", || Status::of(&server).group()["queue_size"] == 1);
    drop(impatient);
    wait_until("it has left the queue", || Status::of(&server).group()["queue_size"] == 0);
    server.app().open_gate("busy");
    assert_eq!(busy.receive().status, 200);
    assert_eq!(server.get("/log/patient").status, 200);
    server.wait_for_log("stdout: patient");
    assert!(!server.log().contains("impatient"), "{}", server.log());
}

#[rstest]
#[case::that_must_not_be_repeated("POST", [200, 200, 200, 502, 502, 502])]
#[case::that_may_be_repeated("GET", [200; 6])]
fn a_worker_that_dies_takes_its_requests_along(#[case] method: &str, #[case] expected: [u16; 6]) {
    let server = Server::of(App::fixture("asgi")).max_pool_size(2).argument("--min-instances=2").start();
    wait_until("there are 2 workers", || Status::of(&server).workers().len() == 2);
    let mut connections: Vec<_> = (0..6).map(|_| server.connect()).collect();
    for connection in &mut connections {
        connection.send(Request::new(method, "/wait/dying").to_bytes());
    }
    wait_until("all are being served", || sessions(&server) == 6);
    let victim = Status::of(&server).worker_processes()[0];
    victim.signal(Signal::SIGKILL);
    wait_until("it is replaced", || {
        let workers = Status::of(&server).worker_processes();
        workers.len() == 2 && !workers.contains(&victim)
    });
    server.app().open_gate("dying");
    let mut statuses: Vec<_> = connections.iter_mut().map(|connection| connection.receive().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, expected);
}

#[rstest]
fn a_restart_lets_all_requests_finish() {
    let server = Server::of(App::fixture("asgi")).environment("production").max_pool_size(2).start();
    let mut old: Vec<_> = (0..5).map(|_| send_to_gate(&server, "old")).collect();
    wait_until("all are being served", || sessions(&server) == 5);
    let before = server.app().worker_at_gate("old");
    server.app().touch_restart_txt();
    wait_until("the new version serves", || Process(server.get("/pid").number()) != before);
    assert!(before.is_alive());
    server.app().open_gate("old");
    for connection in &mut old {
        assert_eq!(Process(connection.receive().number()), before);
    }
    before.wait_until_gone();
}

#[rstest]
fn a_worker_is_replaced_after_max_requests_without_losing_one() {
    let server = Server::of(App::fixture("asgi")).argument("--max-requests=20").max_pool_size(2).start();
    let mut pids = HashSet::new();
    // A worker serves on until its successor is ready.
    wait_until("two workers have been replaced", || {
        let mut connections: Vec<_> = (0..8).map(|_| server.connect()).collect();
        connections.iter_mut().for_each(|connection| connection.send(Request::get("/pid").to_bytes()));
        for connection in &mut connections {
            let answer = connection.receive();
            assert_eq!(answer.status, 200);
            pids.insert(Process(answer.number()));
        }
        pids.len() >= 3
    });
    wait_until("the old workers are gone", || pids.iter().filter(|pid| pid.is_alive()).count() <= 2);
}

#[rstest]
fn pipelined_requests_are_kept_while_the_first_is_served() {
    let server = Server::of(App::fixture("asgi")).start();
    let mut connection = send_to_gate(&server, "first-of-many");
    server.app().worker_at_gate("first-of-many");
    (0..3000).for_each(|_| connection.send(Request::get("/hello").to_bytes()));
    assert!(!connection.has_received());
    server.app().open_gate("first-of-many");
    assert!(connection.receive().number() > 0);
    (0..3000).for_each(|_| assert_eq!(connection.receive().status, 200));
}
