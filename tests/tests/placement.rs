//! Which worker a request goes to.

use passenger_tests::{App, Connection, Process, Request, Server, Status, ours_only, wait_until};
use rstest::rstest;

/// Sends a request that waits at this gate.
fn send_to_gate(server: &Server, gate: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(Request::get(&format!("/wait/{gate}")).to_bytes());
    connection
}

/// Lets the request at this gate go on; returns the worker that has answered it.
fn let_go(server: &Server, gate: &str, connection: &mut Connection) -> Process {
    server.app().open_gate(gate);
    Process(connection.receive().number())
}

#[rstest]
#[case::the_first(["first", "second"])]
#[case::the_second(["second", "first"])]
fn of_idle_workers_the_one_that_answered_last_is_the_next(#[case] order: [&str; 2]) {
    ours_only!("about Passenger's own pool");
    let server =
        Server::of(App::reference()).one_request_at_a_time().max_pool_size(2).argument("--min-instances=2").start();
    wait_until("there are 2 workers", || Status::of(&server).workers().len() == 2);
    let mut connections = ["first", "second"].map(|gate| {
        let connection = send_to_gate(&server, gate);
        server.app().worker_at_gate(gate);
        (gate, connection)
    });
    let mut last = None;
    for gate in order {
        let (_, connection) = connections.iter_mut().find(|(name, _)| *name == gate).expect("one of the two");
        last = Some(let_go(&server, gate, connection));
    }
    for _ in 0..10 {
        // Not a GET, as those of unknown duration would be the same only until it is known.
        let answer = server.request(&Request::post("/pid", ""));
        assert_eq!(Some(Process(answer.number())), last);
    }
}

#[rstest]
fn a_worker_has_no_more_requests_than_it_may_even_if_it_has_more_threads() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .threads(4)
        .argument("--force-max-concurrent-requests-per-process=2")
        .argument("--max-request-queue-size=0")
        .start();
    let mut connections: Vec<_> = (1..=3).map(|i| send_to_gate(&server, &format!("limit-{i}"))).collect();
    wait_until("one of them waits", || Status::of(&server).group()["queue_size"] == 1);
    assert_eq!(Status::of(&server).workers()[0].sessions, 2);
    assert_eq!(Status::of(&server).group()["workers"][0]["slots"], 2);
    (1..=3).for_each(|i| server.app().open_gate(&format!("limit-{i}")));
    for connection in &mut connections {
        assert_eq!(connection.receive().status, 200);
    }
}
