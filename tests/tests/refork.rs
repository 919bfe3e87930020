//! Re-forking: the worker that has served most becomes the preloader, and its forks replace all others. Nobody notices.

use nix::sys::signal::Signal;
use passenger_tests::{App, Language, Launch, Process, Request, Server, Status, ours_only, wait_for, wait_until};
use rstest::rstest;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// An application that notes each request in a cache and answers with the cache's size, its process and the version. What
/// stands for `BOOT` is run in each worker before its first request, what stands for `SERVE` with each request.
const RUBY: &str = r##"
CACHE = []
def boot = (BOOT)
def serve = (SERVE)
Passenger.on(:worker_boot) { boot }
run lambda { |_|
  CACHE << 1
  serve
  [200, { "Content-Type" => "text/plain" }, ["#{CACHE.size} #{Process.pid} first"]]
}
"##;

const PYTHON: &str = r#"
import os
import passenger

cache = []

@passenger.on("worker_boot")
def boot():
    BOOT

def serve():
    cache.append(1)
    SERVE
    return f"{len(cache)} {os.getpid()} first".encode()
"#;

const WSGI: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [serve()]
"#;

const ASGI: &str = r#"
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        scope["state"]["pid"] = os.getpid()
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    assert scope["state"]["pid"] == os.getpid()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": serve()})
"#;

/// What to run in a worker before its first request, and with each request: in Ruby and in Python.
#[derive(Default)]
struct Quirks {
    boot: (&'static str, &'static str),
    serve: (&'static str, &'static str),
}

fn app(quirks: &Quirks) -> App {
    let source = match Language::current() {
        Language::Ruby => RUBY.replace("BOOT", quirks.boot.0).replace("SERVE", quirks.serve.0),
        language => {
            let end = if language == Language::Wsgi { WSGI } else { ASGI };
            let or_pass = |code: &'static str| if code.is_empty() { "pass" } else { code };
            [&*PYTHON.replace("BOOT", or_pass(quirks.boot.1)).replace("SERVE", or_pass(quirks.serve.1)), end].concat()
        }
    };
    App::started_by(Language::current().startup_file(), &source)
}

/// A server that always has so many workers, and re-forks after so many requests.
fn launch(app: App, workers: u32, refork_after: &str) -> Launch {
    Server::of(app)
        .environment("production")
        .max_pool_size(workers)
        .one_request_at_a_time()
        .argument(&format!("--min-instances={workers}"))
        .argument(&format!("--refork-after={refork_after}"))
}

/// What the application says.
#[derive(Debug)]
struct Answer {
    cached: usize,
    worker: Process,
    version: String,
}

fn get(server: &Server) -> Answer {
    parse(server.get("/").text())
}

fn parse(text: &str) -> Answer {
    let words: Vec<&str> = text.split(' ').collect();
    let [cached, pid, version] = words[..] else { panic!("{text:?} is not of the application") };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"));
    Answer { cached: number(cached) as usize, worker: Process(number(pid)), version: version.to_owned() }
}

fn workers(status: &Status) -> HashSet<Process> {
    status.worker_processes().into_iter().collect()
}

/// Waits until the workers are those of this generation, and no others are left; returns them.
fn generation(server: &Server, number: u64, count: usize) -> HashSet<Process> {
    wait_for(&format!("generation {number} serves"), || {
        let status = Status::of(server);
        let is_settled = status.group()["restart"].is_null() && status.group()["generation"] == number;
        let workers = workers(&status);
        (is_settled && workers.len() == count).then_some(workers)
    })
}

/// The process that workers are forked from, and how it came to be that.
fn preloader(server: &Server) -> Option<(Process, String)> {
    let status = Status::of(server);
    let preloader = &status.group()["preloader"];
    let pid = i32::try_from(preloader["pid"].as_i64()?).expect("a process id");
    Some((Process(pid), preloader["origin"].as_str().expect("an origin").to_owned()))
}

/// Serves until the application is of this generation.
fn serve_until(server: &Server, number: u64, count: usize) -> HashSet<Process> {
    wait_until("a worker becomes the preloader", || {
        get(server);
        server.log().contains(&format!("(generation {number})"))
    });
    generation(server, number, count)
}

#[rstest]
fn what_has_warmed_up_is_shared_and_no_request_is_lost() {
    ours_only!("re-forking");
    let server = launch(app(&Quirks::default()), 3, "200,0").start();
    let before = generation(&server, 0, 3);
    let (old_preloader, origin) = preloader(&server).expect("a preloader");
    assert_eq!(origin, "loaded");

    let is_over = AtomicBool::new(false);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let client = || {
            let mut connection = server.connect();
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let response = connection.request(&Request::get("/"));
                assert_eq!(response.status, 200, "{response:?}");
                answers.push(parse(response.text()));
            }
            answers
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        let refork = scope.spawn(|| {
            let _over = Over(&is_over);
            generation(&server, 1, 3)
        });
        refork.join().expect("it is re-forked");
        clients.into_iter().flat_map(|client| client.join().expect("no request is lost")).collect()
    });

    let after = generation(&server, 1, 3);
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    let (preloader, origin) = preloader(&server).expect("a preloader");
    assert_eq!(origin, "promoted");
    assert!(before.contains(&preloader), "it was one of {before:?}");
    assert!(preloader.command_line().starts_with("Passenger preloader"), "{}", preloader.command_line());
    for gone in before.iter().filter(|worker| **worker != preloader).chain([&old_preloader]) {
        gone.wait_until_gone();
    }
    let of_new = answers.iter().filter(|answer| after.contains(&answer.worker)).map(|answer| answer.cached);
    assert!(of_new.min().is_none_or(|least| least > 100), "the cache was empty");
    assert!(get(&server).cached > 100, "the cache was empty");
}

/// Sets the flag when dropped. A scope waits for its threads even when it fails, so they must hear of that.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[rstest]
fn each_generation_has_a_number_of_its_own() {
    ours_only!("re-forking");
    let server = launch(app(&Quirks::default()), 1, "5,10,0").start();
    let [first] = generation(&server, 0, 1).into_iter().collect::<Vec<_>>()[..] else { panic!("one worker") };
    serve_until(&server, 1, 1);
    let (second, _) = preloader(&server).expect("a preloader");
    // Its replacement has served as well, or would have.
    assert_eq!(second, first);
    serve_until(&server, 2, 1);
    second.wait_until_gone();
    let cached = get(&server).cached;
    assert!(cached > 15, "{cached}");
    for _ in 0..30 {
        get(&server);
    }
    generation(&server, 2, 1);
    assert_eq!(server.log().matches("it becomes the preloader").count(), 2, "{}", server.log());
    let finished = server.run_passenger(["status"]);
    assert!(finished.stdout.contains("a worker before; re-forked: generation 2"), "{finished:?}");
}

#[rstest]
fn an_application_that_must_not_be_forked_stays_as_it_is() {
    ours_only!("re-forking");
    let serve = ("Passenger.fork_unsafe!('it has a tail')", "passenger.fork_unsafe('it has a tail')");
    let server = launch(app(&Quirks { serve, ..Quirks::default() }), 2, "5").start();
    let (preloader_before, _) = preloader(&server).expect("a preloader");
    wait_until("the log says why", || {
        get(&server);
        server.log().contains("is not re-forked before its next restart") && server.log().contains("it has a tail")
    });
    for _ in 0..50 {
        get(&server);
    }
    generation(&server, 0, 2);
    assert_eq!(preloader(&server), Some((preloader_before, "loaded".to_owned())));
    assert_eq!(server.log().matches("it becomes the preloader").count(), 1, "{}", server.log());
}

#[rstest]
fn a_worker_with_a_request_is_not_forked() {
    ours_only!("re-forking");
    let launch = Server::of(App::reference()).environment("production").threads(2).argument("--refork-after=5,0");
    let server = launch.start();
    let mut long = server.connect();
    long.send(Request::get("/wait/long").to_bytes());
    let old = server.app().worker_at_gate("long");
    for _ in 0..5 {
        server.get("/hello");
    }
    wait_until("its replacement serves", || workers(&Status::of(&server)).iter().any(|worker| *worker != old));
    for _ in 0..5 {
        server.get("/hello");
    }
    assert!(!server.log().contains("is the preloader of"), "{}", server.log());
    assert!(old.command_line().starts_with("Passenger worker"), "{}", old.command_line());
    server.app().open_gate("long");
    assert_eq!(Process(long.receive().number()), old);
    generation(&server, 1, 1);
    assert_eq!(preloader(&server), Some((old, "promoted".to_owned())));
}

#[rstest]
fn when_the_forks_do_not_start_the_old_preloader_goes_on() {
    ours_only!("re-forking");
    let boot =
        ("raise 'it has grown too old' unless CACHE.empty?", "if cache: raise RuntimeError('it has grown too old')");
    let server = launch(app(&Quirks { boot, ..Quirks::default() }), 2, "5").start();
    let (old, _) = preloader(&server).expect("a preloader");
    wait_until("the log says why", || {
        get(&server);
        server.log().contains("the preloader before goes on")
    });
    assert!(server.log().contains("it has grown too old"));
    let workers = generation(&server, 0, 2);
    assert_eq!(preloader(&server), Some((old, "loaded".to_owned())));
    let killed = get(&server).worker;
    killed.signal(Signal::SIGKILL);
    wait_until("another worker has been forked", || {
        let now = generation(&server, 0, 2);
        !now.contains(&killed) && now != workers
    });
    get(&server);
}

#[rstest]
fn a_promoted_preloader_that_is_killed_is_replaced() {
    ours_only!("re-forking");
    let server = launch(app(&Quirks::default()), 2, "5,0").start();
    serve_until(&server, 1, 2);
    let (killed, _) = preloader(&server).expect("a preloader");
    killed.signal(Signal::SIGKILL);
    wait_until("it is missed", || preloader(&server).is_none());
    let worker = get(&server).worker;
    worker.signal(Signal::SIGKILL);
    wait_until("another worker has been forked", || {
        get(&server);
        let workers = workers(&Status::of(&server));
        workers.len() == 2 && !workers.contains(&worker)
    });
    let (next, origin) = preloader(&server).expect("a preloader");
    assert!(next != killed && origin == "loaded", "{next:?} {origin}");
}

#[rstest]
fn a_restart_loads_the_new_version() {
    ours_only!("re-forking");
    let server = launch(app(&Quirks::default()), 2, "5").start();
    serve_until(&server, 1, 2);
    let (promoted, _) = preloader(&server).expect("a preloader");
    server.app().edit(Language::current().startup_file(), "first", "second");
    server.app().touch_restart_txt();
    wait_until("the new version serves", || get(&server).version == "second");
    promoted.wait_until_gone();
    wait_until("its numbers begin anew", || {
        get(&server);
        let status = Status::of(&server);
        status.group()["generation"] == 1 && preloader(&server).is_some_and(|(pid, _)| pid != promoted)
    });
    assert_eq!(get(&server).version, "second");
}

#[rstest]
fn nothing_is_left_when_the_server_ends() {
    ours_only!("re-forking");
    let mut server = launch(app(&Quirks::default()), 2, "5").start();
    serve_until(&server, 1, 2);
    let all = server.process().descendants();
    server.end_with(Signal::SIGTERM);
    for process in all {
        process.wait_until_gone();
    }
}
