//! Workers that have had their time are replaced, and nobody waits for that.

use nix::sys::signal::Signal;
use passenger_tests::{App, Connection, Language, Process, Request, Server, Status, ours_only, wait_for, wait_until};
use rstest::rstest;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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

/// An application that asks for out-of-band work when `/ask` is called, and waits in it for a file. `/wait-NAME` waits for the file
/// of that name.
fn with_oob_work() -> App {
    let ruby = r#"
        require "fileutils"
        PhusionPassenger.on_event(:oob_work) do
          FileUtils.mkdir_p("tmp")
          File.write("tmp/oob-work-#{Process.pid}", "")
          sleep 0.002 until File.exist?("tmp/go-on")
        end
        run lambda { |env|
          path = env["PATH_INFO"]
          sleep 0.002 until !path.start_with?("/wait") || File.exist?("tmp#{path}")
          headers = { "content-type" => "text/plain" }
          headers["X-Passenger-Request-OOB-Work"] = "true" if env["PATH_INFO"] == "/ask"
          [200, headers, [Process.pid.to_s]]
        }
    "#;
    let hook = r#"
import os
import time

import passenger


@passenger.on("oob_work")
def work():
    os.makedirs("tmp", exist_ok=True)
    open(f"tmp/oob-work-{os.getpid()}", "w").close()
    while not os.path.exists("tmp/go-on"):
        time.sleep(0.002)

"#;
    let wsgi = r#"
def application(environ, start_response):
    path = environ["PATH_INFO"]
    while path.startswith("/wait") and not os.path.exists("tmp" + path):
        time.sleep(0.002)
    headers = [("Content-Type", "text/plain")]
    if environ["PATH_INFO"] == "/ask":
        headers.append(("X-Passenger-Request-OOB-Work", "true"))
    start_response("200 OK", headers)
    return [str(os.getpid()).encode()]
"#;
    let asgi = r#"
async def application(scope, receive, send):
    headers = [(b"content-type", b"text/plain")]
    if scope["path"] == "/ask":
        headers.append((b"x-passenger-request-oob-work", b"true"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"#;
    let language = Language::current();
    let source = match language {
        Language::Ruby => ruby.to_owned(),
        Language::Wsgi => [hook, wsgi].concat(),
        Language::Asgi => [hook, asgi].concat(),
    };
    App::started_by(language.startup_file(), &source)
}

fn begins_oob_work(server: &Server, worker: Process) {
    let note = format!("tmp/oob-work-{}", worker.0);
    wait_until("out-of-band work has begun", || server.app().has(&note));
}

#[rstest]
fn out_of_band_work_is_done_while_another_worker_serves() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(with_oob_work()).max_pool_size(2).argument("--min-instances=2").start();
    wait_until("both workers are there", || Status::of(&server).workers().len() == 2);
    let answer = server.get("/ask");
    assert_eq!(answer.header("X-Passenger-Request-OOB-Work"), None, "the client need not know");
    let first = Process(answer.number());
    begins_oob_work(&server, first);
    let mut others = HashSet::new();
    for _ in 0..20 {
        // The other one wants to as well, but must wait.
        others.insert(Process(server.get("/ask").number()));
    }
    assert!(!others.contains(&first) && others.len() == 1, "{others:?}");
    let state = |worker: &Process| {
        let workers = Status::of(&server).workers();
        workers.into_iter().find(|other| other.process == *worker).map(|worker| worker.state)
    };
    assert_eq!(state(&first).as_deref(), Some("oob_work"));
    server.app().write("tmp/go-on", "");
    for worker in others.iter().chain([&first]) {
        begins_oob_work(&server, *worker);
        wait_until("it serves again", || state(worker).as_deref() == Some("ready"));
    }
}

#[rstest]
fn requests_wait_while_the_only_worker_does_out_of_band_work() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(with_oob_work()).start();
    let worker = Process(server.get("/ask").number());
    begins_oob_work(&server, worker);
    let mut waiting = server.connect();
    waiting.send(Request::get("/").to_bytes());
    wait_until("a request waits", || Status::of(&server).group()["queue_size"] == 1);
    server.app().write("tmp/go-on", "");
    assert_eq!(Process(waiting.receive().number()), worker);
}

/// Two workers that each serve one request at a time: one does its out-of-band work, the other is busy, and a client of the
/// first comes. Then that client's next request must not stand before those of others.
#[rstest]
fn who_came_for_a_worker_during_its_out_of_band_work_holds_nobody_up() {
    ours_only!("about Passenger's own pool");
    if Language::current() == Language::Asgi {
        return; // Its application knows no waiting.
    }
    let server = Server::of(with_oob_work())
        .one_request_at_a_time()
        .max_pool_size(2)
        .argument("--min-instances=2")
        .argument("--sticky-sessions")
        .start();
    wait_until("both workers are there", || Status::of(&server).workers().len() == 2);
    let answer = server.get("/ask");
    let worker = Process(answer.number());
    let cookie = answer.header("Set-Cookie").and_then(|line| line.split(';').next()).expect("a cookie").to_owned();
    begins_oob_work(&server, worker);
    let in_line = |request: Request, before: u64| {
        let mut connection = server.connect();
        connection.send(request.to_bytes());
        wait_until("it waits", || Status::of(&server).group()["queue_size"] == before + 1);
        connection
    };
    let mut busy = server.connect();
    busy.send(Request::get("/wait-busy").to_bytes());
    wait_until("the other is busy", || Status::of(&server).workers().iter().any(|worker| worker.state == "busy"));
    let mut long = in_line(Request::get("/wait-long").header("Cookie", &cookie), 0);
    let mut next = in_line(Request::get("/").header("Cookie", &cookie), 1);
    let mut other = in_line(Request::get("/"), 2);
    server.app().write("tmp/go-on", "");
    wait_until("the first in line is served", || Status::of(&server).group()["queue_size"] == 2);
    server.app().write("tmp/wait-busy", "");
    assert_ne!(Process(busy.receive().number()), worker);
    assert_eq!(next.receive().status, 200);
    assert_eq!(other.receive().status, 200);
    server.app().write("tmp/wait-long", "");
    assert_eq!(Process(long.receive().number()), worker);
}

#[rstest]
fn a_worker_that_never_ends_its_out_of_band_work_is_replaced() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(with_oob_work()).argument("--max-request-time=1").start();
    let worker = Process(server.get("/ask").number());
    begins_oob_work(&server, worker);
    assert_ne!(Process(server.get("/").number()), worker);
    server.wait_for_log("has not done its out-of-band work within 1 s");
    server.app().write("tmp/go-on", "");
    worker.wait_until_gone();
}

#[rstest]
fn of_the_requests_only_those_in_a_killed_worker_can_fail() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::fixture("slow")).max_pool_size(2).argument("--min-instances=2").start();
    wait_until("both workers are there", || Status::of(&server).workers().len() == 2);
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let is_over = AtomicBool::new(false);
    let (served, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let mut kills = 0;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::tcp(address);
                while !is_over.load(Ordering::Relaxed) {
                    let answer = connection.request(&Request::get("/0.01"));
                    assert!(answer.status == 200 || answer.status == 502, "{answer:?}");
                    if answer.status == 200 { &served } else { &failed }.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while kills < 10 {
            let before = served.load(Ordering::Relaxed);
            let victims = Status::of(&server).workers();
            let index = kills % victims.len().max(1);
            if let Some(victim) = victims.get(index).filter(|worker| worker.state != "draining") {
                victim.process.signal(Signal::SIGKILL);
                kills += 1;
            }
            wait_until("the others are served", || served.load(Ordering::Relaxed) > before + 5);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let failed = failed.into_inner() as usize;
    // One at a time was in a worker, or many in one that is multiplexed. Each has a second chance.
    let in_flight = if Language::current() == Language::Asgi { 4 } else { 1 };
    assert!(failed <= kills * in_flight, "{failed} failed, {kills} workers were killed");
    eprintln!("{kills} workers were killed; {failed} of {} requests failed", served.into_inner() as usize + failed);
}
