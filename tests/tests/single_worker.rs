//! What is done to one worker while all serve: it is told to end, detached, asked what it is doing, killed.

use nix::sys::signal::Signal;
use passenger_tests::{App, Language, Process, Request, Server, Status, ours_only, wait_for, wait_until};
use rstest::rstest;
use std::sync::atomic::{AtomicBool, Ordering};

/// Clients of a server under load.
const CLIENTS: usize = 6;

/// Sets the flag when dropped. A scope waits for its threads even when it fails, so they must hear of that.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn server(threads: u32) -> Server {
    Server::of(App::reference()).threads(threads).max_pool_size(3).argument("--min-instances").argument("2").start()
}

/// Does something while clients send requests of which each must be answered, and done once.
fn under_load(server: &Server, action: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    let mut keys: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let stop = &stop;
                    move || send_until(stop, server, client)
                })
            })
            .collect();
        let stop_when_done = Stop(&stop);
        wait_until("all clients are served", || server.app().has("tmp/notes") && notes(server).len() > 10 * CLIENTS);
        action();
        drop(stop_when_done);
        clients.into_iter().flat_map(|client| client.join().expect("no request is lost")).collect()
    });
    let mut done = notes(server);
    done.sort();
    keys.sort();
    assert!(done == keys, "{} requests were answered, {} were done", keys.len(), done.len());
}

/// Requests that may be repeated, and such that must not be; the keys of the latter.
fn send_until(stop: &AtomicBool, server: &Server, client: usize) -> Vec<String> {
    let mut connection = server.connect();
    let mut keys = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{client}-{}", keys.len());
        assert_eq!(connection.request(&Request::post(&format!("/note/{key}"), "")).status, 200);
        keys.push(key);
        assert_eq!(connection.request(&Request::get("/hello")).status, 200);
    }
    keys
}

fn notes(server: &Server) -> Vec<String> {
    server.app().read("tmp/notes").lines().map(str::to_owned).collect()
}

/// A worker that takes requests; another one each time.
fn serving(server: &Server, number: usize) -> Process {
    wait_for("workers serve", || {
        let workers = Status::of(server).workers();
        let serving: Vec<_> = workers.iter().filter(|worker| worker.state != "draining").collect();
        (serving.len() > 1).then(|| serving[number % serving.len()].process)
    })
}

#[rstest]
#[case::sigterm(Signal::SIGTERM)]
#[case::sigusr1(Signal::SIGUSR1)]
fn a_signal_to_end_costs_no_request(#[case] signal: Signal, #[values(1, 3)] threads: u32) {
    ours_only!("Passenger's own pool");
    let server = server(threads);
    under_load(&server, || {
        for number in 0..8 {
            let leaving = serving(&server, number);
            leaving.signal(signal);
            // Several may be on their way out at once.
            if number % 2 == 0 {
                leaving.wait_until_gone();
            }
            server.wait_for_log(&format!("worker {} has left by itself", leaving.0));
        }
    });
    assert!(!server.log().contains("unexpectedly"), "{}", server.log());
}

#[rstest]
fn a_detached_worker_costs_no_request(#[values(1, 3)] threads: u32) {
    ours_only!("our command");
    let server = server(threads);
    under_load(&server, || {
        for number in 0..6 {
            let detached = serving(&server, number);
            let finished = server.run_passenger(["detach", &detached.0.to_string()]);
            assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
            let pid = detached.0;
            assert_eq!(finished.stdout, format!("Worker {pid} takes no more requests.\nWorker {pid} has left.\n"));
            assert!(!detached.is_alive());
        }
    });
    assert!(!server.log().contains("unexpectedly"), "{}", server.log());
}

#[rstest]
fn a_detached_worker_finishes_what_it_has() {
    ours_only!("our command");
    let server = server(1);
    let mut connection = server.connect();
    connection.send(Request::post("/wait/long", "").to_bytes());
    let detached = server.app().worker_at_gate("long");
    let pid = detached.0.to_string();
    let finished = std::thread::scope(|scope| {
        let command = scope.spawn(|| server.run_passenger(["detach", &pid]));
        server.wait_for_log(&format!("worker {pid} is detached"));
        assert_ne!(Process(server.get("/pid").number()), detached);
        // Asking twice changes nothing.
        detached.signal(Signal::SIGTERM);
        server.wait_for_log(&format!("worker {pid} wants to leave"));
        assert!(detached.is_alive());
        server.app().open_gate("long");
        command.join().expect("the command ends")
    });
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(Process(connection.receive().number()), detached);
}

#[rstest]
fn detaching_nobody_names_those_that_there_are() {
    ours_only!("our command");
    let server = server(1);
    wait_until("there are two", || Status::of(&server).workers().len() == 2);
    let finished = server.run_passenger(["detach", &server.process().0.to_string()]);
    assert_eq!(finished.code, Some(1));
    for worker in Status::of(&server).worker_processes() {
        assert!(finished.stderr.contains(&worker.0.to_string()), "{}", finished.stderr);
    }
}

#[rstest]
fn what_workers_do_is_told_without_losing_a_request() {
    ours_only!("our log");
    let server = server(3);
    let mut connection = server.connect();
    connection.send(Request::get("/wait/long?secret").to_bytes());
    let waiting = server.app().worker_at_gate("long");
    under_load(&server, || {
        for number in 0..5 {
            serving(&server, number).signal(Signal::SIGQUIT);
        }
        waiting.signal(Signal::SIGQUIT);
        server.wait_for_log("serves GET /wait/long");
        server.wait_for_log(&Language::current().source_file("lib/gate"));
    });
    assert!(!server.log().contains("secret"), "{}", server.log());
    server.app().open_gate("long");
    assert_eq!(Process(connection.receive().number()), waiting);
}

#[rstest]
fn a_command_asks_all_workers_what_they_do() {
    ours_only!("our command");
    let server = server(1);
    wait_until("there are two", || Status::of(&server).workers().len() == 2);
    let workers = Status::of(&server).worker_processes();
    let finished = server.run_passenger(["backtraces"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for worker in workers {
        assert!(finished.stdout.contains(&worker.0.to_string()), "{}", finished.stdout);
        let what = match Language::current() {
            Language::Ruby => "threads of",
            Language::Wsgi => "requests in",
            Language::Asgi => "tasks of",
        };
        server.wait_for_log(&format!("{what} process {}:", worker.0));
    }
    assert_eq!(server.run_passenger(["backtraces", "1"]).code, Some(1));
}

#[rstest]
#[case(Signal::SIGKILL)]
#[case(Signal::SIGABRT)]
fn a_worker_that_is_killed_is_replaced(#[case] signal: Signal) {
    ours_only!("our status");
    let server = server(1);
    let killed = serving(&server, 0);
    killed.signal(signal);
    wait_until("it is not in the status any more", || !Status::of(&server).worker_processes().contains(&killed));
    server.wait_for_log(&format!("worker {} was killed by {signal} unexpectedly", killed.0));
    wait_until("another is there", || Status::of(&server).workers().len() == 2);
    assert_eq!(server.get("/hello").status, 200);
}
