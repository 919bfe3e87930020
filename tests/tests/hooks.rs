//! The application is told when its processes come and go, so that it can open and close what must not be shared between them.

use nix::sys::signal::Signal;
use passenger_tests::{App, Server, ours_only, wait_until};
use rstest::rstest;

/// Notes each event with its process in `tmp/events`; the hooks go where `HOOKS` stands.
const APPLICATION: &str = r##"
require "fileutils"
FileUtils.mkdir_p("tmp")
NOTE = ->(event) { File.write("tmp/events", "#{event} #{Process.pid}\n", mode: "a") }

HOOKS

NOTE.call("loaded")
run ->(_) { [200, { "Content-Type" => "text/plain" }, [Process.pid.to_s]] }
"##;

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

const HOOKS: &str = r#"
Passenger.on(:before_fork) { NOTE.call("before_fork") }
Passenger.on(:worker_boot) { NOTE.call("worker_boot") }
Passenger.on(:worker_shutdown) { NOTE.call("worker_shutdown") }
"#;

#[rstest]
fn hooks_run_in_their_order_and_process() {
    ours_only!("Passenger's own interface");
    let mut server = Server::of(App::of(&APPLICATION.replace("HOOKS", HOOKS))).start();
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
    ours_only!("Passenger's own interface");
    let app = App::of(&APPLICATION.replace("HOOKS", HOOKS));
    let mut server = Server::of(app).argument("--spawn-method").argument("direct").start();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded", "worker_boot", "worker_shutdown"]);
}

#[rstest]
#[case::forked("smart", true)]
#[case::not_forked("direct", false)]
fn the_hooks_of_earlier_versions_run(#[case] spawn_method: &str, #[case] forked: bool) {
    ours_only!("Passenger's own interface");
    let hooks = r##"
        PhusionPassenger.on_event(:starting_worker_process) { |forked| NOTE.call("starting #{forked}") }
        PhusionPassenger.on_event(:stopping_worker_process) { NOTE.call("stopping") }
    "##;
    let app = App::of(&APPLICATION.replace("HOOKS", hooks));
    let mut server = Server::of(app).argument("--spawn-method").argument(spawn_method).start();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded".to_owned(), format!("starting {forked}"), "stopping".to_owned()]);
}

#[rstest]
fn several_hooks_for_one_event_run_in_the_order_of_their_definition() {
    ours_only!("Passenger's own interface");
    let hooks = (1..=3).map(|i| format!("Passenger.on(:worker_boot) {{ NOTE.call(\"boot {i}\") }}\n"));
    let server = Server::of(App::of(&APPLICATION.replace("HOOKS", &hooks.collect::<String>()))).start();
    wait_until("the hooks have run", || names(server.app()) == ["loaded", "boot 1", "boot 2", "boot 3"]);
}

#[rstest]
fn a_worker_that_is_replaced_shuts_down_in_order() {
    ours_only!("Passenger's own interface");
    let app = App::of(&APPLICATION.replace("HOOKS", HOOKS));
    let server = Server::of(app).argument("--max-requests").argument("1").start();
    let worker = server.get("/").number();
    wait_until("the hook has run", || events(server.app()).contains(&("worker_shutdown".to_owned(), worker)));
}

#[rstest]
fn a_hook_that_breaks_is_the_reason_why_the_worker_does_not_start() {
    ours_only!("Passenger's own interface");
    let hook = "Passenger.on(:worker_boot) { raise \"no connection to the broker\" }";
    let failure = Server::of(App::of(&APPLICATION.replace("HOOKS", hook))).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    for text in ["worker_boot", "no connection to the broker", "config.ru"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

#[rstest]
fn a_hook_that_breaks_at_the_end_is_logged_and_the_others_run() {
    ours_only!("Passenger's own interface");
    let hooks = r#"
        Passenger.on(:worker_shutdown) { raise "cannot say goodbye" }
        Passenger.on(:worker_shutdown) { NOTE.call("goodbye") }
    "#;
    let mut server = Server::of(App::of(&APPLICATION.replace("HOOKS", hooks))).start();
    server.end_with(Signal::SIGTERM);
    assert_eq!(names(server.app()), ["loaded", "goodbye"]);
    assert!(server.log().contains("cannot say goodbye"), "{}", server.log());
}

#[rstest]
fn an_event_that_does_not_exist_is_refused() {
    ours_only!("Passenger's own interface");
    let hook = "Passenger.on(:worker_bot) { }";
    let failure = Server::of(App::of(&APPLICATION.replace("HOOKS", hook))).start_in_vain();
    assert!(failure.output.contains("worker_bot"), "{}", failure.output);
    assert!(failure.output.contains("worker_boot"), "the known events should be named: {}", failure.output);
}

#[rstest]
fn at_exit_blocks_run_once_in_the_worker() {
    ours_only!("Passenger's own interface");
    let hook = "at_exit { NOTE.call(\"at_exit\") }";
    let mut server = Server::of(App::of(&APPLICATION.replace("HOOKS", hook))).start();
    let worker = server.get("/").number();
    server.end_with(Signal::SIGTERM);
    let ends: Vec<_> = events(server.app()).into_iter().filter(|(event, _)| event == "at_exit").collect();
    assert_eq!(ends.iter().filter(|(_, pid)| *pid == worker).count(), 1, "{ends:?}");
}
