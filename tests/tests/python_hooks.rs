//! A Python application is told when its processes come and go.

use nix::sys::signal::Signal;
use passenger_tests::{App, Launch, Server, wait_until};
use rstest::rstest;

/// Notes each event with its process in `tmp/events`; the hooks go where `HOOKS` stands.
const WSGI: &str = r#"
import os
import passenger

def note(event):
    os.makedirs("tmp", exist_ok=True)
    with open("tmp/events", "a") as events:
        events.write(f"{event} {os.getpid()}\n")

HOOKS

note("loaded")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

const HOOKS: &str = r#"
passenger.on("before_fork", lambda: note("before_fork"))
passenger.on("worker_boot", lambda: note("worker_boot"))

@passenger.on("worker_shutdown")
def shut_down():
    note("worker_shutdown")
"#;

/// The same application as ASGI has it.
fn asgi() -> String {
    let (hooks, _) = WSGI.split_once("def application").expect("an application");
    [
        hooks,
        r#"
async def application(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"#,
    ]
    .concat()
}

fn with_hooks(hooks: &str) -> Launch {
    Server::of(App::started_by("passenger_wsgi.py", &WSGI.replace("HOOKS", hooks)))
}

/// The events in their order, each with its process.
fn events(app: &App) -> Vec<(String, i32)> {
    let events = if app.has("tmp/events") { app.read("tmp/events") } else { String::new() };
    let parsed = events.lines().map(|line| {
        let (event, pid) = line.rsplit_once(' ').expect("an event and its process");
        (event.to_owned(), pid.parse().expect("a process id"))
    });
    parsed.collect()
}

fn names(app: &App) -> Vec<String> {
    events(app).into_iter().map(|(event, _)| event).collect()
}

#[rstest]
fn hooks_run_in_their_order_and_process(#[values("wsgi", "asgi")] interface: &str) {
    let source = if interface == "wsgi" { WSGI.to_owned() } else { asgi() };
    let app = App::started_by(&format!("passenger_{interface}.py"), &source.replace("HOOKS", HOOKS));
    let mut server = Server::of(app).start();
    let worker = server.get("/").number();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded", "before_fork", "worker_boot", "worker_shutdown"]);
    let events = events(server.app());
    assert_eq!(events[0].1, events[1].1, "before_fork runs in the preloader");
    assert_ne!(events[0].1, worker);
    assert_eq!((events[2].1, events[3].1), (worker, worker));
}

#[rstest]
fn a_worker_that_was_not_forked_has_no_before_fork() {
    let mut server = with_hooks(HOOKS).argument("--spawn-method=direct").start();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded", "worker_boot", "worker_shutdown"]);
}

#[rstest]
fn a_configuration_of_gunicorn_has_its_hooks_called() {
    let app = App::started_by("passenger_wsgi.py", &WSGI.replace("HOOKS", ""));
    let hooks = [
        "pre_fork(server, worker)",
        "post_fork(server, worker)",
        "post_worker_init(worker)",
        "worker_exit(server, worker)",
    ];
    let functions: String = hooks
        .iter()
        .map(|hook| {
            let name = hook.split('(').next().expect("a name");
            format!("def {hook}:\n    assert worker.pid\n    open('tmp/events', 'a').write(f'{name} {{os.getpid()}}\\n')\n\n")
        })
        .collect();
    app.write("config/passenger.py", format!("import os\nos.makedirs('tmp', exist_ok=True)\n\n{functions}"));
    let mut server = Server::of(app).start();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded", "pre_fork", "post_fork", "post_worker_init", "worker_exit"]);
}

#[rstest]
fn functions_that_were_registered_at_fork_run() {
    let hooks = r#"
os.register_at_fork(
    before=lambda: note("before"), after_in_parent=lambda: note("parent"), after_in_child=lambda: note("child")
)
"#;
    let server = with_hooks(hooks).start();
    let worker = server.get("/").number();
    let ran = |event: &str, in_worker: bool| {
        events(server.app()).iter().any(|(name, pid)| name == event && (*pid == worker) == in_worker)
    };
    wait_until("they have run", || ran("before", false) && ran("parent", false) && ran("child", true));
}

#[rstest]
fn a_worker_that_is_replaced_shuts_down_in_order() {
    let server = with_hooks(HOOKS).argument("--max-requests=1").start();
    let worker = server.get("/").number();
    wait_until("the hook has run", || events(server.app()).contains(&("worker_shutdown".to_owned(), worker)));
}

#[rstest]
fn a_hook_that_breaks_is_the_reason_why_the_worker_does_not_start() {
    let hooks =
        "def connect():\n    raise RuntimeError('no connection to the broker')\npassenger.on('worker_boot', connect)";
    let failure = with_hooks(hooks).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    for text in ["worker_boot", "no connection to the broker", "passenger_wsgi.py", "in connect"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

#[rstest]
fn a_hook_that_breaks_at_the_end_is_logged_and_the_others_run() {
    let hooks =
        "passenger.on('worker_shutdown', lambda: 1 / 0)\npassenger.on('worker_shutdown', lambda: note('goodbye'))";
    let mut server = with_hooks(hooks).start();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded", "goodbye"]);
    assert!(server.log().contains("ZeroDivisionError"), "{}", server.log());
}

#[rstest]
fn an_event_that_does_not_exist_is_refused() {
    let failure = with_hooks("passenger.on('worker_bot', print)").start_in_vain();
    for text in ["worker_bot", "worker_boot", "passenger_wsgi.py"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

#[rstest]
fn atexit_functions_run_once_in_the_worker() {
    let mut server = with_hooks("import atexit\natexit.register(note, 'atexit')").start();
    let worker = server.get("/").number();
    server.end_with(Signal::SIGTERM);
    let ends = events(server.app()).into_iter().filter(|(event, pid)| event == "atexit" && *pid == worker).count();
    assert_eq!(ends, 1, "{:?}", events(server.app()));
}
