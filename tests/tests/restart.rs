//! `touch tmp/restart.txt` brings a new version: at once in development, without losing a request in production.

use passenger_tests::{App, Language, Process, Request, Server, ours_only, wait_until};
use rstest::rstest;
use std::sync::atomic::{AtomicBool, Ordering};

fn version(number: u32) -> String {
    Language::current().answering(&format!("version {number}"))
}

fn broken() -> String {
    Language::current().raising("broken on purpose")
}

#[rstest]
fn in_development_the_next_request_meets_the_new_version(#[values("smart", "direct")] spawn_method: &str) {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1")).argument("--spawn-method").argument(spawn_method).start();
    let mut connection = server.connect();
    for number in 2..=4 {
        server.app().deploy(&version(number));
        assert_eq!(connection.request(&Request::get("/")).text(), format!("version {number}"));
    }
}

/// A version that is never ready, and says when it has begun.
fn hanging() -> &'static str {
    match Language::current() {
        Language::Ruby => "File.write(\"hangs\", \"\")\nsleep\n",
        Language::Wsgi | Language::Asgi => "import time\nopen(\"hangs\", \"w\").close()\ntime.sleep(100000)\n",
    }
}

#[rstest]
fn a_version_that_hangs_when_it_starts_does_not_hold_up_the_next(
    #[values("smart", "direct")] spawn_method: &str,
    #[values("development", "production")] environment: &str,
) {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1"))
        .environment(environment)
        .argument("--start-timeout=3600")
        .argument("--spawn-method")
        .argument(spawn_method)
        .start();
    assert_eq!(server.get("/").text(), "version 1");
    server.app().deploy(hanging());
    let mut waiting = server.connect();
    waiting.send(Request::get("/").to_bytes());
    wait_until("it hangs", || server.app().has("hangs"));
    server.app().deploy(&version(2));
    wait_until("the next version serves", || server.get("/").text() == "version 2");
    assert_eq!(waiting.receive().status, 200);
}

#[rstest]
fn without_a_restart_the_old_version_stays(#[values("development", "production")] environment: &str) {
    ours_only!("Passenger's own restart");
    let app = App::answering("version 1");
    // One that was there before is no request for a restart.
    app.touch_restart_txt();
    let server = Server::of(app).environment(environment).start();
    let pids: Vec<_> = (0..3).map(|_| server.get("/").text().to_owned()).collect();
    assert_eq!(pids, ["version 1", "version 1", "version 1"]);
    server.app().write(Language::current().startup_file(), version(2));
    assert_eq!(server.get("/").text(), "version 1");
}

#[rstest]
fn files_that_the_startup_file_requires_are_loaded_anew() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::reference()).start();
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    server.app().edit(
        &Language::current().source_file("lib/requests"),
        "Hello from the app",
        "Good morning from the app",
    );
    server.app().touch_restart_txt();
    assert_eq!(server.get("/hello").text(), "Good morning from the app\n");
}

/// Sets the flag when dropped. A scope waits for its threads even when it fails, so they must hear of that.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[rstest]
fn in_production_the_old_version_serves_until_the_new_one_is_ready() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1")).environment("production").max_pool_size(2).start();
    let stop = AtomicBool::new(false);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = server.connect();
                    let mut answers = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let response = connection.request(&Request::get("/"));
                        assert_eq!(response.status, 200);
                        answers.push(response.text().to_owned());
                    }
                    answers.push(connection.request(&Request::get("/")).text().to_owned());
                    answers
                })
            })
            .collect();
        let stop_when_done = Stop(&stop);
        for number in 2..=4 {
            server.app().deploy(&version(number));
            wait_until("the new version serves", || server.get("/").text() == format!("version {number}"));
        }
        drop(stop_when_done);
        clients.into_iter().flat_map(|client| client.join().expect("no request is lost")).collect()
    });
    assert!(answers.iter().any(|answer| answer == "version 1"), "the clients came too late");
    assert!(answers.iter().any(|answer| answer == "version 4"), "the clients left too early");
}

#[rstest]
fn a_request_that_is_being_served_is_finished_by_the_old_version(
    #[values("development", "production")] environment: &str,
) {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::reference()).environment(environment).max_pool_size(2).start();
    let mut long = server.connect();
    long.send(Request::get("/wait/long").to_bytes());
    let old = server.app().worker_at_gate("long");
    server.app().edit(
        &Language::current().source_file("lib/requests"),
        "Hello from the app",
        "Good morning from the app",
    );
    server.app().touch_restart_txt();
    wait_until("the new version serves", || server.get("/hello").text() == "Good morning from the app\n");
    server.app().open_gate("long");
    assert_eq!(Process(long.receive().number()), old);
    old.wait_until_gone();
}

#[rstest]
fn nothing_is_left_of_the_old_version() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::reference()).max_pool_size(2).start();
    let before = server.process().descendants();
    server.app().touch_restart_txt();
    server.get("/hello");
    wait_until("its processes are gone", || {
        let after = server.process().descendants();
        // The agent stays, and nothing else.
        before.iter().filter(|process| after.contains(process)).count() <= 1
    });
}

#[rstest]
fn in_development_a_broken_version_is_shown_with_its_error_and_can_be_repaired() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1")).start();
    server.app().deploy(&broken());
    let page = server.get("/");
    assert_eq!(page.status, 503);
    for text in ["broken on purpose", "RuntimeError", Language::current().startup_file()] {
        assert!(page.text().contains(text), "{text:?} is not in {page:?}");
    }
    server.app().deploy(&version(2));
    assert_eq!(server.get("/").text(), "version 2");
}

#[rstest]
fn in_production_a_broken_version_leaves_the_old_one_in_place() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1")).environment("production").start();
    server.app().deploy(&broken());
    wait_until("the error is logged", || {
        assert_eq!(server.get("/").text(), "version 1");
        server.log().contains("broken on purpose")
    });
    assert_eq!(server.get("/").text(), "version 1");
    server.app().deploy(&version(2));
    wait_until("the repaired version serves", || server.get("/").text() == "version 2");
}

#[rstest]
fn a_broken_version_is_not_tried_again_for_every_request() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1")).environment("production").start();
    server.app().write("tmp/boots", "");
    server.app().deploy(&[Language::current().noting_boots(), &broken()].concat());
    wait_until("the error is logged", || {
        server.get("/");
        server.log().contains("broken on purpose")
    });
    for _ in 0..50 {
        assert_eq!(server.get("/").text(), "version 1");
    }
    assert!(server.app().boots().len() <= 2, "tried again and again");
}
