//! Limits on how long requests wait and run, and what happens when they are reached.

use passenger_tests::{
    App, Connection, Language, Launch, Process, Request, Server, Status, WebSocket, not_over, ours_only, wait_until,
};
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

#[rstest]
fn a_request_that_runs_too_long_gets_504_and_its_worker_is_replaced() {
    ours_only!("about Passenger's own pool");
    not_over!(Asgi, "there the request alone is ended");
    let server = one_at_a_time().argument("--max-request-time=1").start();
    let mut endless = send(&server, "/wait/never?secret=1");
    let culprit = server.app().worker_at_gate("never");
    let answer = endless.receive();
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("took too long"), "{answer:?}");
    server.wait_for_log(&format!("GET /wait/never has been running in worker {}", culprit.0));
    assert!(!server.log().contains("secret"), "{}", server.log());
    server.wait_for_log(&Language::current().source_file("gate"));
    assert_ne!(Process(server.get("/pid").number()), culprit, "it serves nobody any more");
    culprit.wait_until_gone();
    server.wait_for_log(&format!("worker {} still has not ended that request after 5 s; it is killed", culprit.0));
    assert_eq!(server.get("/hello").status, 200);
    wait_until("there is one worker", || Status::of(&server).workers().len() == 1);
}

#[rstest]
fn a_worker_that_ends_its_request_in_time_is_not_killed() {
    ours_only!("about Passenger's own pool");
    not_over!(Asgi, "there the request alone is ended");
    let server = one_at_a_time().argument("--max-request-time=1").start();
    let mut late = send(&server, "/wait/late");
    let worker = server.app().worker_at_gate("late");
    assert_eq!(late.receive().status, 504);
    server.app().open_gate("late");
    worker.wait_until_gone();
    assert!(!server.log().contains("it is killed"), "{}", server.log());
    assert_eq!(late.request(&Request::get("/hello")).status, 200, "its client's connection goes on");
}

#[rstest]
fn a_response_that_has_begun_is_cut_off_when_it_takes_too_long() {
    ours_only!("about Passenger's own pool");
    let server = one_at_a_time().argument("--max-request-time=1").start();
    let mut endless = send(&server, "/gated/never");
    let begun = endless.receive_until("before the gate\n\r\n");
    assert!(begun.starts_with("HTTP/1.1 200"), "{begun}");
    assert!(!endless.receive_rest().ends_with("0\r\n\r\n"), "it must not look complete");
    server.wait_for_log("GET /gated/never has been running");
}

#[rstest]
fn a_worker_that_reads_nothing_is_replaced() {
    ours_only!("about Passenger's own pool");
    let server = one_at_a_time().argument("--max-request-time=1").start();
    let stopped = Process(server.get("/pid").number());
    stopped.stop();
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::post("/echo", "hello")).status, 504);
    stopped.wait_until_gone();
    assert_eq!(connection.request(&Request::post("/echo", "hello")).status, 200);
}

#[rstest]
fn of_many_requests_in_a_worker_only_the_one_that_takes_too_long_is_ended() {
    ours_only!("about Passenger's own pool");
    if Language::current() != Language::Asgi {
        return;
    }
    let server = Server::of(App::reference()).argument("--max-request-time=1").start();
    // Older than the request, so that it would be ended before it.
    let mut socket = WebSocket::open(&server, "/echo");
    let mut endless = send_to_gate(&server, "never");
    let worker = server.app().worker_at_gate("never");
    assert_eq!(endless.receive().status, 504);
    server.wait_for_log("cancels a request");
    server.wait_for_log("gate.py");
    assert_eq!(Process(server.get("/pid").number()), worker);
    socket.send("hello");
    assert_eq!(socket.receive(), "hello");
    assert!(!server.log().contains("is replaced"), "{}", server.log());
}

#[rstest]
fn a_worker_whose_event_loop_hangs_is_replaced() {
    ours_only!("about Passenger's own pool");
    if Language::current() != Language::Asgi {
        return;
    }
    let app = App::started_by(
        "passenger_asgi.py",
        "import time\n\n\nasync def application(scope, receive, send):\n    \
             if scope[\"path\"] == \"/hang\":\n        \
                 time.sleep(600)\n    \
             await send({\"type\": \"http.response.start\", \"status\": 200, \"headers\": []})\n    \
             await send({\"type\": \"http.response.body\", \"body\": b\"ok\"})\n",
    );
    let server = Server::of(app).argument("--max-request-time=1").start();
    let worker = Status::of(&server).worker_processes()[0];
    assert_eq!(server.get("/hang").status, 504);
    server.wait_for_log(&format!("the event loop of worker {} hangs", worker.0));
    server.wait_for_log("passenger_asgi.py");
    worker.wait_until_gone();
    assert_eq!(server.get("/").text(), "ok");
}

#[rstest]
#[case::smart("smart")]
#[case::direct("direct")]
fn an_application_that_hangs_while_it_starts_tells_where(#[case] method: &str) {
    ours_only!("about Passenger's own pool");
    let language = Language::current();
    let hanging = match language {
        Language::Ruby => "def waiting_for_godot = sleep\nwaiting_for_godot\n",
        _ => "import time\n\n\ndef waiting_for_godot():\n    time.sleep(600)\n\n\nwaiting_for_godot()\n",
    };
    let failure = Server::of(App::started_by(language.startup_file(), hanging))
        .argument("--start-timeout=8")
        .argument("--spawn-method")
        .argument(method)
        .start_in_vain();
    assert!(failure.output.contains("not ready within 8 s"), "{failure:?}");
    assert!(failure.output.contains("waiting_for_godot"), "{failure:?}");
}
