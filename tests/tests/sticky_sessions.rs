//! `sticky_sessions`: the worker that has answered a client answers its next requests, too.

use nix::sys::signal::Signal;
use passenger_tests::{App, Launch, Process, Request, Response, Server, Status, ours_only, wait_until};
use rstest::rstest;

/// A server with two workers.
fn two_workers() -> Launch {
    Server::of(App::reference()).one_request_at_a_time().max_pool_size(2).argument("--min-instances=2")
}

fn started(launch: Launch) -> Server {
    let server = launch.argument("--sticky-sessions").start();
    wait_until("there are 2 workers", || Status::of(&server).workers().len() == 2);
    server
}

/// What a client sends back after this answer.
fn cookie(answer: &Response) -> Option<String> {
    let line = answer.header("Set-Cookie")?;
    Some(line.split(';').next().expect("a name and a value").to_owned())
}

fn with(request: Request, cookie: &str) -> Request {
    request.header("Cookie", cookie)
}

/// The worker that answers a client without a cookie, and the cookie that it gives.
fn first_visit(server: &Server) -> (Process, String) {
    let answer = server.get("/pid");
    (Process(answer.number()), cookie(&answer).expect("a cookie"))
}

/// A client of each of the two workers.
fn two_clients(server: &Server) -> [(Process, String); 2] {
    let mut busy = server.connect();
    busy.send(Request::get("/wait/first").to_bytes());
    let worker = server.app().worker_at_gate("first");
    let second = first_visit(server);
    server.app().open_gate("first");
    let cookie = cookie(&busy.receive()).expect("a cookie");
    assert_ne!(second.0, worker);
    [(worker, cookie), second]
}

#[rstest]
fn a_client_comes_back_to_the_worker_that_answered_it() {
    ours_only!("about Passenger's own pool");
    let server = started(two_workers());
    let clients = two_clients(&server);
    for _ in 0..5 {
        for (worker, cookie) in &clients {
            let answer = server.request(&with(Request::get("/pid"), &format!("a=b; {cookie}; c=d")));
            assert_eq!(Process(answer.number()), *worker);
            assert_eq!(answer.header("Set-Cookie"), None, "it knows already");
            assert_eq!(Process(server.request(&with(Request::post("/pid", "body"), cookie)).number()), *worker);
        }
    }
}

#[rstest]
fn a_client_waits_for_its_worker_and_holds_nobody_up() {
    ours_only!("about Passenger's own pool");
    let server = started(two_workers());
    let [(worker, cookie), (other, _)] = two_clients(&server);
    let mut busy = server.connect();
    busy.send(with(Request::get("/wait/busy"), &cookie).to_bytes());
    assert_eq!(server.app().worker_at_gate("busy"), worker);
    let mut patient = server.connect();
    patient.send(with(Request::get("/pid"), &cookie).to_bytes());
    wait_until("it waits", || Status::of(&server).group()["queue_size"] == 1);
    assert_eq!(Process(server.get("/pid").number()), other);
    assert!(!patient.has_received());
    server.app().open_gate("busy");
    assert_eq!(Process(busy.receive().number()), worker);
    assert_eq!(Process(patient.receive().number()), worker);
}

#[rstest]
fn a_client_of_a_worker_that_is_gone_gets_another() {
    ours_only!("about Passenger's own pool");
    let server = started(two_workers());
    let [(worker, cookie_before), _] = two_clients(&server);
    let mut busy = server.connect();
    busy.send(with(Request::post("/wait/doomed", ""), &cookie_before).to_bytes());
    assert_eq!(server.app().worker_at_gate("doomed"), worker);
    let mut patient = server.connect();
    patient.send(with(Request::get("/pid"), &cookie_before).to_bytes());
    wait_until("it waits", || Status::of(&server).group()["queue_size"] == 1);
    worker.signal(Signal::SIGKILL);
    assert_eq!(busy.receive().status, 502);
    let answer = patient.receive();
    assert_eq!(answer.status, 200);
    assert_ne!(Process(answer.number()), worker);
    assert_ne!(cookie(&answer).expect("another cookie"), cookie_before);
}

#[rstest]
fn the_cookie_has_the_attributes_that_were_asked_for() {
    ours_only!("about Passenger's own pool");
    let attributes = |launch: Launch| {
        let server = launch.argument("--sticky-sessions").start();
        let line = server.get("/pid").header("Set-Cookie").expect("a cookie").to_owned();
        let (name, rest) = line.split_once('=').expect("a name and a value");
        let (number, rest) = rest.split_once(';').expect("attributes");
        assert!(number.parse::<u32>().is_ok_and(|number| number > 0), "{line}");
        format!("{name}{rest}")
    };
    // Browsers would not send a Secure one back over plain HTTP.
    assert_eq!(attributes(Server::of(App::reference())), "_passenger_route Path=/; HttpOnly; SameSite=Lax");
    let other = Server::of(App::reference())
        .argument("--sticky-sessions-cookie-name=where")
        .argument("--sticky-sessions-cookie-attributes=SameSite=None; Secure;");
    assert_eq!(attributes(other), "where Path=/; HttpOnly; SameSite=None; Secure");
}

#[rstest]
fn there_is_no_cookie_unless_asked_for() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).start();
    assert_eq!(server.get("/pid").header("Set-Cookie"), None);
}

#[rstest]
fn a_made_up_number_is_replaced() {
    ours_only!("about Passenger's own pool");
    let server = started(two_workers());
    let answer = server.request(&with(Request::get("/pid"), "_passenger_route=1; _passenger_route=x"));
    let cookie = cookie(&answer).expect("a cookie");
    assert_eq!(server.request(&with(Request::get("/pid"), &cookie)).number(), answer.number());
}
