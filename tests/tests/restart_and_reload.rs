//! What operators do while the server runs: `passenger restart`, and SIGHUP after the Passengerfile was changed.

use nix::sys::signal::Signal;
use passenger_tests::command::{self, Finished, registry};
use passenger_tests::{App, Language, Launch, Process, Request, Server, Status, ours_only, wait_until};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

fn version(number: u32) -> String {
    Language::current().answering(&format!("version {number}"))
}

fn broken() -> String {
    Language::current().raising("broken on purpose")
}

/// Sets the flag when dropped. A scope waits for its threads even when it fails, so they must hear of that.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A server with a few applications that answer with their version, and the directory with its Passengerfile.
fn several(apps: &[&str]) -> Launch {
    let directory = App::empty("sites");
    for app in apps {
        write_app(&directory, app, &format!("{app} 1"));
    }
    directory.write("Passengerfile.json", passengerfile(apps).to_string());
    let mut start = command::passenger(&registry(&directory));
    start.arg("start").arg(directory.root()).args(["--address", "127.0.0.1", "--port", "0"]);
    Server::of(directory).by(start)
}

fn write_app(directory: &App, name: &str, text: &str) {
    let file = format!("{name}/{}", Language::current().startup_file());
    directory.write(&file, Language::current().answering(text));
}

fn passengerfile(apps: &[&str]) -> Value {
    let apps: Vec<_> = apps.iter().map(|app| json!({ "root": app, "base_uri": format!("/{app}") })).collect();
    json!({ "environment": "production", "max_pool_size": 4, "apps": apps })
}

fn group_of(server: &Server, name: &str) -> Value {
    let status = Status::of(server);
    let groups = status.instance()["groups"].as_array().expect("groups").clone();
    groups.into_iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("no {name} in {status:?}"))
}

/// The processes of the workers of an application that serve.
fn workers_of(server: &Server, name: &str) -> Vec<i64> {
    let group = group_of(server, name);
    let workers = group["workers"].as_array().expect("workers").clone();
    let serving = workers.iter().filter(|worker| worker["state"] != "draining");
    serving.map(|worker| worker["pid"].as_i64().expect("a pid")).collect()
}

fn restarted(server: &Server, arguments: &[&str]) -> Finished {
    let finished = server.run_passenger([&["restart"], arguments].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished
}

#[rstest]
fn the_restart_command_waits_until_the_new_version_serves() {
    ours_only!("our command");
    let server = Server::of(App::answering("version 1")).environment("production").start();
    let old = Status::of(&server).worker_processes();
    server.app().write(Language::current().startup_file(), version(2));
    let finished = restarted(&server, &[]);
    assert!(finished.stdout.ends_with("has been restarted\n"), "{finished:?}");
    let now = Status::of(&server).workers().into_iter().filter(|worker| worker.state != "draining");
    assert!(now.into_iter().all(|worker| !old.contains(&worker.process)));
    assert_eq!(server.get("/").text(), "version 2");

    server.app().write(Language::current().startup_file(), broken());
    let failed = server.run_passenger(["restart"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("was not restarted") && failed.stderr.contains("broken on purpose"), "{failed:?}");
    assert_eq!(server.get("/").text(), "version 2");

    server.app().write(Language::current().startup_file(), version(3));
    assert_eq!(restarted(&server, &["--no-wait"]).stdout, "");
    wait_until("the repaired version serves", || server.get("/").text() == "version 3");
}

#[rstest]
fn in_development_the_restart_command_tells_the_error_too() {
    ours_only!("our command");
    let server = Server::of(App::answering("version 1")).start();
    server.app().write(Language::current().startup_file(), broken());
    let failed = server.run_passenger(["restart"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("broken on purpose"), "{failed:?}");
    server.app().write(Language::current().startup_file(), version(2));
    restarted(&server, &[]);
    assert_eq!(server.get("/").text(), "version 2");
}

#[rstest]
fn one_of_several_applications_is_restarted_by_its_name_or_directory() {
    ours_only!("our command");
    let server = several(&["shop", "blog"]).start();
    let (shop, blog) = (workers_of(&server, "shop"), workers_of(&server, "blog"));
    for app in ["shop", "blog"] {
        write_app(server.app(), app, &format!("{app} 2"));
    }
    assert!(restarted(&server, &["shop"]).stdout.contains("shop has been restarted"));
    assert_eq!(server.get("/shop").text(), "shop 2");
    assert_eq!(server.get("/blog").text(), "blog 1");
    assert!(workers_of(&server, "shop").iter().all(|pid| !shop.contains(pid)));
    assert_eq!(workers_of(&server, "blog"), blog);

    let directory = server.app().root().join("blog");
    restarted(&server, &[directory.to_str().expect("UTF-8")]);
    assert_eq!(server.get("/blog").text(), "blog 2");
    let failed = server.run_passenger(["restart", "cart"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("there is no application cart; there are: shop, blog"), "{failed:?}");
}

/// Has the server read its configuration again, and waits until it has.
fn reload(server: &Server, passengerfile: &Value) {
    let count = || server.log().matches("the configuration has been reloaded").count();
    let before = count();
    server.app().write("Passengerfile.json", passengerfile.to_string());
    server.process().signal(Signal::SIGHUP);
    wait_until("the configuration has been reloaded", || count() > before);
}

#[rstest]
fn a_reload_adds_removes_and_changes_applications_and_nobody_notices() {
    ours_only!("Passenger's own configuration");
    let server = several(&["shop", "blog"]).start();
    let shop = workers_of(&server, "shop");
    let mut blog = workers_of(&server, "blog");
    blog.push(group_of(&server, "blog")["preloader"]["pid"].as_i64().expect("its preloader"));
    write_app(server.app(), "cart", "cart 1");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut connection = server.connect();
            while !stop.load(Ordering::Relaxed) {
                let response = connection.request(&Request::get("/shop"));
                assert_eq!((response.status, response.text()), (200, "shop 1"));
            }
        });
        let stop_when_done = Stop(&stop);
        // Another is added, one is removed, one has another limit.
        let mut file = passengerfile(&["shop", "cart"]);
        file["apps"][0]["max_requests"] = json!(1_000_000);
        reload(&server, &file);
        wait_until("the new one serves", || server.get("/cart").text() == "cart 1");
        assert_eq!(server.get("/blog").status, 404);
        for pid in &blog {
            Process(i32::try_from(*pid).expect("a process id")).wait_until_gone();
        }
        assert_eq!(workers_of(&server, "shop"), shop, "a limit needs no new worker");

        // What runs it has changed: it is restarted, one worker after the other.
        file["apps"][0]["spawn_method"] = json!("direct");
        reload(&server, &file);
        wait_until("its workers are others", || {
            let now = workers_of(&server, "shop");
            !now.is_empty() && now.iter().all(|pid| !shop.contains(pid))
        });
        // It moves.
        drop(stop_when_done);
        client.join().expect("no request is lost");
        file["apps"][0]["base_uri"] = json!("/store");
        reload(&server, &file);
        assert_eq!(server.get("/store").text(), "shop 1");
        assert_eq!(server.get("/shop").status, 404);
    });
    let by_directory = server.app().root().join("cart");
    restarted(&server, &[by_directory.to_str().expect("UTF-8")]);
}

#[rstest]
fn a_restart_file_that_was_touched_before_a_reload_still_counts() {
    ours_only!("Passenger's own configuration");
    let server = several(&["shop"]).start();
    assert_eq!(server.get("/shop").text(), "shop 1");
    write_app(server.app(), "shop", "shop 2");
    server.app().write("shop/tmp/restart.txt", "");
    let mut file = passengerfile(&["shop"]);
    file["apps"][0]["max_requests"] = json!(1_000_000);
    reload(&server, &file);
    wait_until("the new version serves", || server.get("/shop").text() == "shop 2");
}

#[rstest]
fn limits_that_a_reload_brings_hold_for_what_is_there_already() {
    ours_only!("Passenger's own configuration");
    let server = Server::of(App::reference()).one_request_at_a_time().start();
    let send = |path: &str| {
        let mut connection = server.connect();
        connection.send(Request::get(path).to_bytes());
        connection
    };
    let mut busy = send("/wait/busy");
    server.app().worker_at_gate("busy");
    let mut waiting = send("/hello");
    wait_until("a request waits", || Status::of(&server).group()["queue_size"] == 1);
    reload(&server, &json!({ "max_request_queue_time": 1 }));
    let refused = waiting.receive();
    assert_eq!(refused.status, 504, "{refused:?}");
    reload(&server, &json!({ "max_request_time": 1 }));
    let late = busy.receive();
    assert_eq!(late.status, 504, "{late:?}");
    reload(&server, &json!({ "environment": "staging" }));
    server.app().open_gate("busy");
}

#[rstest]
fn a_configuration_with_errors_changes_nothing() {
    ours_only!("Passenger's own configuration");
    let server = several(&["shop"]).start();
    let workers = workers_of(&server, "shop");
    let mut file = passengerfile(&["shop"]);
    file["apps"][0]["max_instanzes"] = json!(3);
    server.app().write("Passengerfile.json", file.to_string());
    server.process().signal(Signal::SIGHUP);
    server.wait_for_log("everything stays as it is");
    for text in ["Passengerfile.json:1:", "max_instanzes", "did you mean \"max_instances\"?"] {
        assert!(server.log().contains(text), "{text} is not in {}", server.log());
    }
    assert_eq!(server.get("/shop").text(), "shop 1");
    assert_eq!(workers_of(&server, "shop"), workers);
}

#[rstest]
fn what_a_reload_can_not_change_is_named() {
    ours_only!("Passenger's own configuration");
    let server = several(&["shop"]).start();
    let mut file = passengerfile(&["shop"]);
    file["pid_file"] = json!("other.pid");
    file["log_level"] = json!("debug");
    file["max_pool_size"] = json!(2);
    reload(&server, &file);
    server.wait_for_log("pid_file has changed in the configuration; that needs a restart of the server");
    assert_eq!(Status::of(&server).instance()["max_pool_size"], 2);
    // Debug messages come from now on.
    server.app().write("shop/tmp/restart.txt", "");
    wait_until("there is a debug message", || {
        server.get("/shop");
        server.log().contains("DEBUG")
    });
}
