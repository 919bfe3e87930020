//! The pool has as many workers as the traffic needs and the limits allow, and gets over the loss of any.

use nix::sys::signal::Signal;
use passenger_tests::{
    App, Connection, Language, Process, Request, Server, Status, not_over, ours_only, wait_for, wait_until,
};
use rstest::rstest;
use std::collections::HashSet;

/// Sends a request that waits at this gate.
fn send_to_gate(server: &Server, gate: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(Request::get(&format!("/wait/{gate}")).to_bytes());
    connection
}

#[rstest]
fn there_are_as_many_workers_as_asked_for_before_any_request() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).max_pool_size(3).argument("--min-instances").argument("3").start();
    wait_until("there are 3 workers", || Status::of(&server).workers().len() == 3);
}

#[rstest]
fn the_pool_grows_with_the_traffic_up_to_its_limit() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).one_request_at_a_time().max_pool_size(2).start();
    let mut connections: Vec<_> = (1..=5).map(|i| (i, send_to_gate(&server, &format!("grow-{i}")))).collect();
    let at_gate = |i: &i32| server.app().has(&format!("tmp/at-gate-grow-{i}"));
    wait_until("two requests are being served", || (1..=5).filter(at_gate).count() == 2);
    let busy = Status::of(&server).worker_processes();
    assert_eq!(busy.len(), 2);

    (1..=5).for_each(|i| server.app().open_gate(&format!("grow-{i}")));
    let pids: HashSet<_> =
        connections.iter_mut().map(|(_, connection)| Process(connection.receive().number())).collect();
    assert_eq!(pids, busy.into_iter().collect());
    let status = Status::of(&server);
    assert_eq!(status.workers().iter().map(|worker| worker.handled).sum::<u64>(), 5);
    assert!(status.workers().iter().all(|worker| (worker.sessions, worker.state.as_str()) == (0, "ready")));
}

#[rstest]
fn a_request_goes_to_an_idle_worker() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .one_request_at_a_time()
        .max_pool_size(2)
        .argument("--min-instances")
        .argument("2")
        .start();
    wait_until("there are 2 workers", || Status::of(&server).workers().len() == 2);
    // Workers that are known to be fast must not be trusted to be so always.
    for _ in 0..40 {
        server.get("/hello");
    }
    let mut busy = send_to_gate(&server, "idle");
    let busy_worker = server.app().worker_at_gate("idle");
    let mut connections: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for connection in &mut connections {
        connection.send(Request::get("/pid").to_bytes());
    }
    for connection in &mut connections {
        assert_ne!(Process(connection.receive().number()), busy_worker);
    }
    server.app().open_gate("idle");
    assert_eq!(busy.receive().status, 200);
}

#[rstest]
fn a_full_queue_is_answered_with_503() {
    ours_only!("about Passenger's own pool");
    let server =
        Server::of(App::reference()).one_request_at_a_time().argument("--max-request-queue-size").argument("2").start();
    let mut patient = vec![send_to_gate(&server, "queue")];
    server.app().worker_at_gate("queue");
    let refused = wait_for("a request is refused", || {
        assert!(patient.len() < 10, "the queue has no limit");
        let mut connection = send_to_gate(&server, "queue");
        connection.send(Request::get("/hello").to_bytes());
        let status = Status::of(&server);
        if connection.has_received() {
            return Some(connection.receive());
        }
        assert!(status.group()["queue_size"].as_u64().is_some_and(|size| size <= 2), "{status:?}");
        patient.push(connection);
        None
    });
    assert_eq!(refused.status, 503);
    assert!(refused.header("Retry-After").is_some_and(|value| value.parse::<u32>().is_ok()), "{refused:?}");
    server.app().open_gate("queue");
    for connection in &mut patient {
        assert_eq!(connection.receive().status, 200);
    }
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_get_whose_worker_is_killed_is_served_by_another() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .one_request_at_a_time()
        .max_pool_size(2)
        .argument("--min-instances")
        .argument("2")
        .start();
    let mut doomed = send_to_gate(&server, "doomed");
    let victim = server.app().worker_at_gate("doomed");
    let mut safe = send_to_gate(&server, "safe");
    let survivor = server.app().worker_at_gate("safe");
    assert_ne!(victim, survivor);

    victim.signal(Signal::SIGKILL);
    wait_until("the worker is replaced", || {
        let workers = Status::of(&server).worker_processes();
        workers.len() == 2 && !workers.contains(&victim) && workers.contains(&survivor)
    });
    server.wait_for_log(&victim.0.to_string());
    server.wait_for_log("SIGKILL");
    server.app().open_gate("safe");
    assert_eq!(Process(safe.receive().number()), survivor);
    server.app().open_gate("doomed");
    let answer = doomed.receive();
    assert_eq!(answer.status, 200);
    assert_ne!(Process(answer.number()), victim);
}

#[rstest]
fn a_get_that_kills_its_workers_is_given_up_after_the_second() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::fixture("crashing")).start();
    assert_eq!(server.get("/kill").status, 502);
    wait_until("the second worker is reported", || server.log().matches("was killed by SIGKILL").count() >= 2);
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.log().matches("was killed by SIGKILL").count(), 2, "{}", server.log());
}

#[rstest]
fn a_post_whose_worker_dies_is_answered_with_502_and_never_repeated() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).start();
    let mut connection = server.connect();
    connection.send(Request::post("/wait/post", "").to_bytes());
    let victim = server.app().worker_at_gate("post");
    std::fs::remove_file(server.app().root().join("tmp/at-gate-post")).expect("the note");
    victim.signal(Signal::SIGKILL);
    assert_eq!(connection.receive().status, 502);
    assert_eq!(server.get("/hello").status, 200);
    assert!(!server.app().has("tmp/at-gate-post"), "the request was sent again");
}

#[rstest]
fn an_idle_worker_that_is_killed_costs_no_request() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).start();
    let mut connection = server.connect();
    for _ in 0..10 {
        let victim = Process(connection.request(&Request::get("/pid")).number());
        victim.signal(Signal::SIGKILL);
        let successor = connection.request(&Request::get("/pid"));
        assert_eq!(successor.status, 200);
        assert_ne!(Process(successor.number()), victim);
    }
}

#[rstest]
fn a_request_that_its_worker_never_read_goes_to_another() {
    ours_only!("about Passenger's own pool");
    not_over!(Asgi, "what is on a channel of many requests may have been read");
    let server = Server::of(App::reference()).start();
    let victim = Process(server.get("/pid").number());
    victim.stop();
    let mut connection = server.connect();
    connection.send(Request::get("/pid").to_bytes());
    wait_until("the request is with the worker", || {
        Status::of(&server).workers().iter().any(|worker| worker.sessions > 0)
    });
    victim.signal(Signal::SIGKILL);
    let answer = connection.receive();
    assert_eq!(answer.status, 200);
    assert_ne!(Process(answer.number()), victim);
}

#[rstest]
#[case::killed("/kill", "SIGKILL")]
#[case::exited("/exit", "4")]
fn a_worker_that_ends_itself_is_reported_and_replaced(#[case] path: &str, #[case] cause: &str) {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::fixture("crashing")).start();
    let victim = server.get("/").number();
    assert_eq!(server.request(&Request::post(path, "")).status, 502);
    server.wait_for_log(&victim.to_string());
    server.wait_for_log(cause);
    assert_ne!(server.get("/").number(), victim);
}

#[rstest]
fn the_threads_of_a_worker_serve_at_the_same_time() {
    let server = Server::of(App::reference()).threads(4).start();
    let mut connections: Vec<_> = (1..=4).map(|i| send_to_gate(&server, &format!("thread-{i}"))).collect();
    let workers: HashSet<_> = (1..=4).map(|i| server.app().worker_at_gate(&format!("thread-{i}"))).collect();
    assert_eq!(workers.len(), 1);
    assert_eq!(connections.iter_mut().filter_map(|connection| connection.has_received().then_some(())).count(), 0);
    (1..=4).for_each(|i| server.app().open_gate(&format!("thread-{i}")));
    for connection in &mut connections {
        assert_eq!(connection.receive().status, 200);
    }
    let multithread = match Language::current() {
        Language::Ruby => "rack.multithread",
        Language::Wsgi => "wsgi.multithread",
        // It has one thread, and no name for that.
        Language::Asgi => return,
    };
    assert_eq!(server.get("/env").json()[multithread], true);
}

#[rstest]
fn a_client_that_does_not_wait_for_its_turn_leaves_the_queue() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).start();
    let mut busy = send_to_gate(&server, "turn");
    server.app().worker_at_gate("turn");
    for i in 0..5 {
        let mut impatient = server.connect();
        impatient.send(Request::get(&format!("/log/impatient-{i}")).to_bytes());
    }
    server.app().open_gate("turn");
    assert_eq!(busy.receive().status, 200);
    wait_until("the queue is empty", || Status::of(&server).group()["queue_size"] == 0);
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_short_request_does_not_wait_behind_one_that_turns_out_to_be_long() {
    ours_only!("about Passenger's own pool");
    let server =
        Server::of(App::reference()).one_request_at_a_time().max_pool_size(2).argument("--min-instances=2").start();
    wait_until("both workers are there", || Status::of(&server).workers().len() == 2);
    // Both paths are known to be short now.
    server.app().open_gate("sometimes");
    for _ in 0..40 {
        assert_eq!(server.get("/wait/sometimes").status, 200);
        assert_eq!(server.get("/pid").status, 200);
    }
    std::fs::remove_file(server.app().root().join("tmp/gate-sometimes")).expect("the gate was open");
    let mut other = server.connect();
    other.send(Request::get("/wait/other").to_bytes());
    server.app().worker_at_gate("other");

    let (mut long, mut short) = (server.connect(), server.connect());
    long.send(Request::get("/wait/sometimes").to_bytes());
    short.send(Request::get("/pid").to_bytes());
    server.app().open_gate("other");
    assert_eq!(other.receive().status, 200);
    assert_eq!(short.receive().status, 200, "while the long one is still being served");
    server.app().open_gate("sometimes");
    assert_eq!(long.receive().status, 200);
}
