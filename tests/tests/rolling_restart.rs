//! A restart in production: workers are replaced one after the other, nobody notices, and a version that does not start
//! replaces nothing.

use nix::sys::signal::Signal;
use passenger_tests::{App, Language, Launch, Process, Request, Server, Status, ours_only, wait_for, wait_until};
use rstest::rstest;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

fn version(number: u32) -> String {
    Language::current().answering(&format!("version {number}"))
}

fn broken() -> String {
    Language::current().raising("broken on purpose")
}

/// A server in production that always has this many workers.
fn production(app: App, workers: u32) -> Launch {
    Server::of(app)
        .environment("production")
        .max_pool_size(workers)
        .argument("--min-instances")
        .argument(&workers.to_string())
}

fn serving(status: &Status) -> HashSet<Process> {
    let workers = status.workers().into_iter().filter(|worker| worker.state != "draining");
    workers.map(|worker| worker.process).collect()
}

/// Waits until that many workers serve, and no others are left; returns them.
fn settled(server: &Server, workers: usize) -> HashSet<Process> {
    wait_for("the workers are there", || {
        let status = Status::of(server);
        let all: HashSet<_> = status.worker_processes().into_iter().collect();
        (status.group()["restart"].is_null() && all.len() == workers && serving(&status) == all).then_some(all)
    })
}

/// Sets the flag when dropped. A scope waits for its threads even when it fails, so they must hear of that.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Acts while clients send one request after the other; each must get 200. Returns what they got, client by client.
fn under_load(server: &Server, act: impl FnOnce()) -> Vec<Vec<String>> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = || {
            let mut connection = server.connect();
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let response = connection.request(&Request::get("/"));
                assert_eq!(response.status, 200, "{response:?}");
                answers.push(response.text().to_owned());
            }
            answers
        };
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(client)).collect();
        let stop_when_done = Stop(&stop);
        act();
        drop(stop_when_done);
        clients.into_iter().map(|client| client.join().expect("no request is lost")).collect()
    })
}

#[rstest]
fn nobody_notices_a_restart_under_load(#[values("smart", "direct")] spawn_method: &str) {
    ours_only!("Passenger's own restart");
    let server = production(App::answering("version 1"), 3).argument("--spawn-method").argument(spawn_method).start();
    let first = settled(&server, 3);
    let answers = under_load(&server, || {
        for number in 2..=4 {
            server.app().deploy(&version(number));
            wait_until("the restart is done", || {
                server.get("/");
                let status = Status::of(&server);
                assert!(serving(&status).len() >= 3, "fewer than before: {status:?}");
                assert!(status.workers().len() <= 4, "more than one too many: {status:?}");
                status.group()["restart"].is_null()
                    && server.log().matches("has been restarted").count() >= number as usize - 1
            });
        }
    });
    assert!(settled(&server, 3).is_disjoint(&first));
    for answers in answers {
        let first_of_last = answers.iter().position(|answer| answer == "version 4");
        assert!(first_of_last.is_some(), "a client never met the last version");
    }
    assert_eq!(server.get("/").text(), "version 4");
}

#[rstest]
fn the_old_version_stays_whole_while_the_new_one_does_not_start() {
    ours_only!("Passenger's own restart");
    let server = production(App::answering("version 1"), 2).start();
    let old = settled(&server, 2);
    server.app().deploy(&broken());
    let restart = wait_for("the status says why", || {
        assert_eq!(server.get("/").text(), "version 1");
        let restart = Status::of(&server).group()["restart"].clone();
        (!restart["error"].is_null()).then_some(restart)
    });
    assert_eq!((&restart["replaced"], &restart["total"]), (&Value::from(0), &Value::from(2)));
    let error = &restart["error"];
    assert!(error["message"].as_str().is_some_and(|text| text.contains("broken on purpose")), "{error}");
    assert!(error["at"].as_u64().is_some_and(|at| at > 1_700_000_000), "{error}");
    assert_eq!(serving(&Status::of(&server)), old);
    let table = server.run_passenger(["status"]).stdout;
    assert!(table.contains("0 of 2 workers replaced") && table.contains("broken on purpose"), "{table}");
    server.wait_for_log("the version before goes on serving");

    // One that dies meanwhile comes again from the preloader that has the old version in memory.
    let victim = *old.iter().next().expect("two workers");
    victim.signal(Signal::SIGKILL);
    wait_until("it is replaced", || {
        let now = serving(&Status::of(&server));
        now.len() == 2 && !now.contains(&victim)
    });
    for _ in 0..10 {
        assert_eq!(server.get("/").text(), "version 1");
    }

    // Without another touch: it is tried again.
    server.app().write(Language::current().startup_file(), version(2));
    wait_until("the repaired version serves", || server.get("/").text() == "version 2");
    let new = settled(&server, 2);
    assert!(new.is_disjoint(&old));
    for _ in 0..10 {
        assert_eq!(server.get("/").text(), "version 2");
    }
}

#[rstest]
fn the_old_version_does_not_fall_asleep_while_the_new_one_does_not_start() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1"))
        .environment("production")
        .argument("--min-instances=0")
        .argument("--pool-idle-time=1")
        .argument("--max-preloader-idle-time=1")
        .start();
    assert_eq!(server.get("/").text(), "version 1");
    server.app().deploy(&broken());
    server.get("/");
    // By then more than 3 s have passed.
    server.wait_for_log("next try in 4 s");
    assert_eq!(server.get("/").text(), "version 1");
    server.app().write(Language::current().startup_file(), version(2));
    wait_until("the repaired version serves", || server.get("/").text() == "version 2");
    wait_until("it falls asleep", || Status::of(&server).workers().is_empty());
}

#[rstest]
fn a_version_that_does_not_start_replaces_the_old_one_if_that_is_asked_for() {
    ours_only!("Passenger's own restart");
    let server = production(App::answering("version 1"), 2).argument("--no-resist-deployment-errors").start();
    settled(&server, 2);
    server.app().deploy(&broken());
    wait_until("requests are refused", || server.get("/").status == 503);
    server.app().deploy(&version(2));
    wait_until("the repaired version serves", || server.get("/").text() == "version 2");
}

#[rstest]
fn all_workers_are_replaced_at_once_if_that_is_asked_for() {
    ours_only!("Passenger's own restart");
    let server = production(App::answering("version 1"), 2).argument("--no-rolling-restarts").start();
    settled(&server, 2);
    server.app().deploy(&version(2));
    assert_eq!(server.get("/").text(), "version 2");
    assert!(!server.log().contains("has been restarted"));
}

#[rstest]
fn a_restart_that_is_overtaken_leaves_nothing_behind() {
    ours_only!("Passenger's own restart");
    let server = production(App::answering("version 1"), 3).start();
    let mut seen = settled(&server, 3);
    let answers = under_load(&server, || {
        for number in 2..=6 {
            server.app().deploy(&version(number));
            wait_until("it has begun", || {
                server.get("/");
                server.log().matches("restarting /").count() >= number as usize - 1
            });
            seen.extend(Status::of(&server).worker_processes());
        }
        wait_until("the last version is everywhere", || Status::of(&server).group()["restart"].is_null());
    });
    assert!(answers.iter().all(|answers| !answers.is_empty()));
    let last = settled(&server, 3);
    for _ in 0..20 {
        assert_eq!(server.get("/").text(), "version 6");
    }
    for process in seen.difference(&last) {
        process.wait_until_gone();
    }
    // An agent, a preloader and its workers: whatever else was started has gone.
    wait_until("nothing is left", || {
        server.process().descendants().into_iter().filter(|process| !last.contains(process)).count() <= 2
    });
}

#[rstest]
fn a_worker_that_never_finishes_does_not_hold_a_restart_up() {
    ours_only!("Passenger's own restart");
    let server =
        production(App::reference(), 2).one_request_at_a_time().argument("--shutdown-timeout").argument("1").start();
    let old = settled(&server, 2);
    let mut connection = server.connect();
    connection.send(Request::get("/wait/for-ever").to_bytes());
    let stuck = server.app().worker_at_gate("for-ever");
    server.app().edit(
        &Language::current().source_file("lib/requests"),
        "Hello from the app",
        "Good morning from the app",
    );
    server.app().touch_restart_txt();
    wait_until("the restart has begun", || {
        server.get("/hello");
        server.log().contains("restarting /")
    });
    assert!(settled(&server, 2).is_disjoint(&old));
    stuck.wait_until_gone();
    // It was cut off rather than left without an answer.
    let response = connection.receive();
    assert_eq!(response.status, 503, "{response:?}");
    server.wait_for_log("they are cut off");
    assert_eq!(server.get("/hello").text(), "Good morning from the app\n");
}

#[rstest]
fn the_restart_directory_can_be_another() {
    ours_only!("Passenger's own restart");
    let server = Server::of(App::answering("version 1")).argument("--restart-dir").argument("deploy/state").start();
    server.app().deploy(&version(2));
    assert_eq!(server.get("/").text(), "version 1", "tmp/restart.txt counts no more");
    server.app().write("deploy/state/restart.txt", "");
    assert_eq!(server.get("/").text(), "version 2");
}

#[rstest]
fn with_always_restart_txt_each_request_meets_what_is_there() {
    ours_only!("Passenger's own restart");
    let app = App::answering("version 1");
    app.write("tmp/always_restart.txt", "");
    let server = Server::of(app).start();
    for number in 2..=4 {
        server.app().write(Language::current().startup_file(), version(number));
        assert_eq!(server.get("/").text(), format!("version {number}"));
    }
    std::fs::remove_file(server.app().root().join("tmp/always_restart.txt")).expect("it is there");
    wait_until("it has no effect any more", || {
        let restarts = server.log().matches("restarting /").count();
        server.get("/");
        server.log().matches("restarting /").count() == restarts
    });
}

/// An application whose answer never ends, and that notes in `tmp/left` that its worker was told to leave.
fn endless() -> App {
    let app = App::empty("app");
    let text = match Language::current() {
        Language::Ruby => {
            "at_exit { File.write(\"tmp/left\", \"\") if $served }\n\
             Body = Class.new { def each; $served = true; loop { yield \"more\\n\"; sleep 0.01 }; end }\n\
             run ->(_) { [200, { \"content-type\" => \"text/plain\" }, Body.new] }\n"
        }
        Language::Wsgi => {
            "import atexit, time\nserved = []\natexit.register(lambda: served and open('tmp/left', 'w').close())\n\
             def body():\n    served.append(1)\n    while True:\n        yield b'more\\n'\n        time.sleep(0.01)\n\
             def application(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return body()\n"
        }
        Language::Asgi => {
            "import asyncio, atexit\nserved = []\natexit.register(lambda: served and open('tmp/left', 'w').close())\n\
             async def application(scope, receive, send):\n    assert scope['type'] == 'http'\n    served.append(1)\n    \
             await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n    \
             while True:\n        await send({'type': 'http.response.body', 'body': b'more\\n', 'more_body': True})\n        \
             await asyncio.sleep(0.01)\n"
        }
    };
    app.write(Language::current().startup_file(), text);
    app.write("tmp/keep", "");
    app
}

#[rstest]
fn an_endless_answer_is_cut_off_and_its_worker_ends_in_order(#[values("restart", "stop")] how: &str) {
    ours_only!("Passenger's own restart");
    let mut server = production(endless(), 1).argument("--shutdown-timeout").argument("2").start();
    let mut connection = server.connect();
    connection.send(Request::get("/").to_bytes());
    connection.receive_until("more\n");
    if how == "restart" {
        assert_eq!(server.run_passenger(["restart", "--no-wait"]).code, Some(0));
    } else {
        assert_eq!(server.end_with(Signal::SIGTERM).code(), Some(0));
    }
    connection.receive_rest();
    wait_until("its worker has run what it runs at its end", || server.app().has("tmp/left"));
    assert!(!server.log().contains("it is killed"), "{}", server.log());
}
