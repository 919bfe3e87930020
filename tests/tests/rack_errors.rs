//! An application that fails: its client is told so, its developer is told why, its worker goes on.

use passenger_tests::{App, Request, Server, ours_only};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn development() -> Server {
    Server::of(App::fixture("rack")).max_pool_size(1).environment("development").start()
}

#[fixture]
#[once]
fn production() -> Server {
    Server::of(App::fixture("rack")).max_pool_size(1).environment("production").start()
}

#[rstest]
#[case::a_standard_error("/raise", "Failures::CustomError", "the secret of the application")]
#[case::a_script_error("/raise/not-implemented", "NotImplementedError", "a ScriptError")]
#[case::a_load_error("/raise/load", "LoadError", "cannot load such file")]
#[case::out_of_memory("/raise/no-memory", "NoMemoryError", "failed to allocate memory")]
#[case::a_deep_recursion("/raise/stack", "SystemStackError", "stack level too deep")]
#[case::an_interrupt("/raise/interrupt", "Interrupt", "an Interrupt")]
#[case::any_exception("/raise/exception", "Exception", "an Exception")]
#[case::bytes_that_are_no_text("/raise/binary", "Failures::CustomError", "<script>alert(1)</script>")]
#[case::an_uncaught_throw("/throw", "UncaughtThrowError", "nobody_catches_this")]
#[case::an_exit("/exit", "SystemExit", "exit")]
#[case::an_abort("/abort", "SystemExit", "aborted")]
fn an_exception_is_answered_with_500_and_logged(
    #[values("development", "production")] environment: &str,
    development: &Server,
    production: &Server,
    #[case] path: &str,
    #[case] class: &str,
    #[case] message: &str,
) {
    let server = if environment == "development" { development } else { production };
    let pid = server.get("/pid").number();
    assert_eq!(server.get(path).status, 500);
    assert_eq!(server.get("/pid").number(), pid, "the worker should go on");
    server.wait_for_log(class);
    server.wait_for_log(message);
}

#[rstest]
fn the_log_has_the_backtrace(production: &Server) {
    ours_only!("Puma 5 logs none in production");
    production.get("/raise");
    production.wait_for_log("lib/failures.rb:");
    production.wait_for_log("lib/handler.rb:");
}

#[rstest]
fn in_development_the_page_says_what_happened(development: &Server) {
    let page = development.get("/raise");
    for expected in ["Failures::CustomError", "the secret of the application", "lib/failures.rb:"] {
        assert!(page.text().contains(expected), "{expected} is not in {page:?}");
    }
}

#[rstest]
fn the_page_shows_the_message_as_text_and_not_as_html(development: &Server) {
    ours_only!("Puma's page is not HTML");
    let page = development.get("/raise/binary");
    assert!(page.header("Content-Type").is_some_and(|value| value.starts_with("text/html")), "{page:?}");
    let text = String::from_utf8_lossy(&page.body);
    assert!(text.contains("&lt;script&gt;alert(1)"), "{text}");
    assert!(!text.contains("<script>alert(1)"), "{text}");
}

#[rstest]
fn in_production_the_page_gives_nothing_away(production: &Server) {
    let page = production.get("/raise");
    for secret in ["CustomError", "the secret of the application", "failures.rb", "passenger-test."] {
        assert!(!page.text().contains(secret), "{secret} is in {page:?}");
    }
    assert!(!page.text().is_empty(), "a user should not be left with a blank page");
}

#[rstest]
fn an_error_ends_neither_the_connection_nor_the_requests_behind_it(development: &Server) {
    ours_only!("Puma 5 closes");
    let mut connection = development.connect();
    assert_eq!(connection.request(&Request::get("/raise")).status, 500);
    assert_eq!(connection.request(&Request::post("/raise", "a body that nobody read")).status, 500);
    assert_eq!(connection.request(&Request::new("HEAD", "/raise")).status, 500);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}
