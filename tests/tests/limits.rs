//! Limits on how long requests wait and run, and what happens when they are reached.

use passenger_tests::{App, Connection, Launch, Request, Server, Status, ours_only, wait_until};
use rstest::rstest;

/// Sends a request that waits at this gate.
fn send_to_gate(server: &Server, gate: &str) -> Connection {
    send(server, &format!("/wait/{gate}"))
}

fn send(server: &Server, path: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(Request::get(path).to_bytes());
    connection
}

fn one_at_a_time() -> Launch {
    Server::of(App::reference()).one_request_at_a_time()
}

fn wait_for_queue(server: &Server, size: u64) {
    wait_until(&format!("{size} requests wait"), || Status::of(server).group()["queue_size"] == size);
}

#[rstest]
fn a_request_that_waits_too_long_for_a_worker_gets_504() {
    ours_only!("about Passenger's own pool");
    let server = one_at_a_time().argument("--max-request-queue-time=1").start();
    let mut busy = send_to_gate(&server, "busy");
    server.app().worker_at_gate("busy");
    let mut late: Vec<_> = (0..3).map(|i| send(&server, &format!("/log/late-{i}"))).collect();
    for connection in &mut late {
        let refused = connection.receive();
        assert_eq!(refused.status, 504);
        assert!(refused.header("Retry-After").is_some_and(|value| value.parse::<u32>().is_ok()), "{refused:?}");
        assert!(refused.text().contains("waited"), "{refused:?}");
    }
    server.wait_for_log("max_request_queue_time (1 s)");
    assert!(server.log().contains("rack: ") || server.log().contains("sgi: "), "the application is named");
    server.app().open_gate("busy");
    assert_eq!(busy.receive().status, 200, "the time in the worker does not count");
    assert_eq!(server.get("/hello").status, 200);
    assert!(!server.log().contains("late-"), "what was refused is not served: {}", server.log());
}

#[rstest]
fn a_health_check_goes_to_the_front_and_does_not_count() {
    ours_only!("about Passenger's own pool");
    let server = one_at_a_time()
        .argument("--health-check-paths=/up,/hello")
        .argument("--max-request-queue-size=1")
        .argument("--max-requests=1000")
        .start();
    let mut first = send_to_gate(&server, "first");
    server.app().worker_at_gate("first");
    let mut second = send_to_gate(&server, "second");
    wait_for_queue(&server, 1);
    let mut checks = [send(&server, "/hello?one"), send(&server, "/hello?two")];
    assert_eq!(server.get("/pid").status, 503, "the queue is full");

    server.app().open_gate("first");
    assert_eq!(first.receive().status, 200);
    for check in &mut checks {
        assert_eq!(check.receive().status, 200, "though another was there before it");
    }
    server.app().worker_at_gate("second");
    server.app().open_gate("second");
    assert_eq!(second.receive().status, 200);
    let handled: u64 = Status::of(&server).workers().iter().map(|worker| worker.handled).sum();
    assert_eq!(handled, 2, "without the health checks");
}

#[rstest]
fn a_health_check_may_wait_for_any_time() {
    ours_only!("about Passenger's own pool");
    let server = one_at_a_time().argument("--health-check-paths=/hello").argument("--max-request-queue-time=1").start();
    let mut busy = send_to_gate(&server, "busy");
    server.app().worker_at_gate("busy");
    let mut check = send(&server, "/hello");
    assert_eq!(server.get("/pid").status, 504, "it came later than the health check");
    server.app().open_gate("busy");
    assert_eq!(check.receive().status, 200);
    assert_eq!(busy.receive().status, 200);
}
