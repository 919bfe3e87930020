//! A Python application that fails: its client is told so, its developer is told why, its worker goes on.

use passenger_tests::{App, Request, Server};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn wsgi() -> Server {
    Server::of(App::fixture("wsgi")).max_pool_size(1).environment("development").start()
}

#[fixture]
#[once]
fn asgi() -> Server {
    Server::of(App::fixture("asgi")).max_pool_size(1).environment("development").start()
}

#[fixture]
#[once]
fn production() -> Server {
    Server::of(App::fixture("wsgi")).max_pool_size(1).environment("production").start()
}

#[rstest]
#[case::an_exception("/raise", "CustomError", "the secret of the application")]
#[case::an_import_error("/raise/import", "ImportError", "no module named anything")]
#[case::out_of_memory("/raise/no-memory", "MemoryError", "failed to allocate memory")]
#[case::a_deep_recursion("/raise/stack", "RecursionError", "maximum recursion depth exceeded")]
#[case::an_interrupt("/raise/interrupt", "KeyboardInterrupt", "an interrupt")]
#[case::any_exception("/raise/base", "BaseException", "a BaseException")]
#[case::text_that_cannot_be_encoded("/raise/surrogate", "CustomError", "character")]
#[case::a_cause("/chained", "FileNotFoundError", "direct cause of the following exception")]
#[case::an_exit("/exit", "SystemExit", "3")]
fn an_exception_is_answered_with_500_and_logged(
    #[values("wsgi", "asgi")] interface: &str,
    wsgi: &Server,
    asgi: &Server,
    #[case] path: &str,
    #[case] class: &str,
    #[case] message: &str,
) {
    let server = if interface == "wsgi" { wsgi } else { asgi };
    let pid = server.get("/pid").number();
    assert_eq!(server.get(path).status, 500);
    assert_eq!(server.get("/pid").number(), pid, "the worker should go on");
    server.wait_for_log(class);
    server.wait_for_log(message);
}

#[rstest]
fn the_log_has_the_traceback_of_the_application_alone(#[values("wsgi", "asgi")] interface: &str) {
    let server = Server::of(App::fixture(interface)).environment("production").start();
    server.get("/raise");
    server.wait_for_log("CustomError: the secret of the application");
    let log = server.log();
    for text in ["Traceback (most recent call last):", "lib/handler.py\", line ", "lib/failures.py\", line "] {
        assert!(log.contains(text), "{text:?} is not in {log}");
    }
    assert!(!log.contains("passenger/wsgi/") && !log.contains("passenger/asgi/"), "{log}");
}

#[rstest]
fn in_development_the_page_says_what_happened(wsgi: &Server, asgi: &Server) {
    for server in [wsgi, asgi] {
        let page = server.get("/raise");
        for expected in ["CustomError", "the secret of the application", "lib/failures.py"] {
            assert!(page.text().contains(expected), "{expected} is not in {page:?}");
        }
        let page = server.get("/raise/markup");
        assert!(page.text().contains("&lt;script&gt;alert(1)"), "{page:?}");
        assert!(!page.text().contains("<script>alert(1)"), "{page:?}");
    }
}

#[rstest]
fn in_production_the_page_gives_nothing_away(production: &Server) {
    let page = production.get("/raise");
    for secret in ["CustomError", "the secret of the application", "failures.py", "passenger-test."] {
        assert!(!page.text().contains(secret), "{secret} is in {page:?}");
    }
    assert!(!page.text().is_empty(), "a user should not be left with a blank page");
}

#[rstest]
fn an_error_ends_neither_the_connection_nor_the_requests_behind_it(wsgi: &Server, asgi: &Server) {
    for server in [wsgi, asgi] {
        let mut connection = server.connect();
        assert_eq!(connection.request(&Request::get("/raise")).status, 500);
        assert_eq!(connection.request(&Request::post("/raise", "a body that nobody read")).status, 500);
        assert_eq!(connection.request(&Request::new("HEAD", "/raise")).status, 500);
        assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
    }
}
