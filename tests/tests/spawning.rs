//! Workers come to be: from a preloader or directly. If they do not, the reason is told in the application's own words.

use passenger_tests::{App, Language, Process, Request, Server, ours_only};
use rstest::rstest;
use std::collections::HashSet;

fn app_that_notes_its_boots() -> App {
    let app = App::reference();
    app.note_boots();
    app
}

/// Makes `count` workers serve at the same time; returns them.
fn occupy(server: &Server, count: usize) -> HashSet<Process> {
    let mut connections: Vec<_> = (0..count).map(|_| server.connect()).collect();
    for (i, connection) in connections.iter_mut().enumerate() {
        connection.send(Request::get(&format!("/wait/{i}")).to_bytes());
    }
    for i in 0..count {
        server.app().worker_at_gate(&i.to_string());
    }
    for i in 0..count {
        server.app().open_gate(&i.to_string());
    }
    connections.iter_mut().map(|connection| Process(connection.receive().number())).collect()
}

#[rstest]
fn smart_spawning_loads_the_application_once_and_forks() {
    ours_only!("about Passenger's own spawning");
    let server = Server::of(app_that_notes_its_boots()).one_request_at_a_time().max_pool_size(3).start();
    let (workers, boots) = (occupy(&server, 3), server.app().boots());
    assert_eq!(workers.len(), 3);
    assert_eq!(boots.len(), 1, "the application was loaded more than once");
    assert!(!workers.contains(&boots[0]), "the preloader serves requests");
}

#[rstest]
fn direct_spawning_loads_the_application_in_each_worker() {
    ours_only!("about Passenger's own spawning");
    let server = Server::of(app_that_notes_its_boots())
        .one_request_at_a_time()
        .max_pool_size(3)
        .argument("--spawn-method=direct")
        .start();
    let workers = occupy(&server, 3);
    assert_eq!(workers.len(), 3);
    assert_eq!(server.app().boots().into_iter().collect::<HashSet<_>>(), workers);
}

#[rstest]
#[case::an_exception("exception", &["DATABASE_URL is not set"])]
#[case::an_exit("exit", &["the license has expired", "7"])]
#[case::a_silent_exit("exit-silently", &["9"])]
#[case::a_signal("kill", &["SIGKILL"])]
#[case::a_syntax_error("syntax", &["SyntaxError", "/broken."])]
#[case::much_output("chatty", &["line 1999 of a long complaint", "the last word"])]
fn an_application_that_does_not_boot_says_why(
    #[values("smart", "direct")] spawn_method: &str,
    #[case] fault: &str,
    #[case] expected: &[&str],
) {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::fixture("crashing"))
        .variable("CRASH_AT_BOOT", fault)
        .argument("--spawn-method")
        .argument(spawn_method)
        .start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in expected.iter().chain(&[Language::current().startup_file()]) {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
    assert!(!failure.output.contains("panicked"), "{}", failure.output);
}

#[rstest]
fn an_application_that_takes_too_long_to_boot_is_given_up(#[values("smart", "direct")] spawn_method: &str) {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::fixture("crashing"))
        .variable("CRASH_AT_BOOT", "hang")
        .argument("--start-timeout=1")
        .argument("--spawn-method")
        .argument(spawn_method)
        .start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in ["1 s", "--start-timeout", "connecting to a database that never answers"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

#[rstest]
fn a_slow_boot_is_waited_for() {
    let server = Server::of(App::fixture("slow")).variable("BOOT_SECONDS", "1.5").start();
    assert!(server.get("/0").text().ends_with(" after 0.0 s\n"));
}
