//! Bodies as Rack has them: closed, called back, and as real applications get them wrong.

use passenger_tests::{App, Framing, Request, Server, ours_only, wait_until};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("rack")).max_pool_size(1).start()
}

/// Waits until the application has seen its body closed, and exactly once.
#[track_caller]
fn expect_closed_once(server: &Server, key: &str) {
    wait_until("the body is closed", || server.get(&format!("/closed/{key}")).number() > 0);
    assert_eq!(server.get(&format!("/closed/{key}")).number(), 1);
}

#[rstest]
#[case::after_a_get("GET")]
#[case::after_a_head("HEAD")]
fn a_body_is_closed(server: &Server, #[case] method: &str) {
    server.request(&Request::new(method, &format!("/close/{method}")));
    expect_closed_once(server, method);
}

#[rstest]
fn a_body_is_closed_when_the_client_leaves(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/close-big/left").to_bytes());
    connection.receive_until("\r\n\r\n");
    drop(connection);
    expect_closed_once(server, "left");
}

#[rstest]
fn a_body_that_breaks_is_closed_and_never_looks_complete(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/close-after-error/broken").to_bytes());
    let received = connection.receive_rest();
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    expect_closed_once(server, "broken");
    server.wait_for_log("the body broke");
}

#[rstest]
fn an_application_may_do_its_own_chunks(server: &Server) {
    let response = server.get("/chunked");
    assert_eq!((response.framing, response.text()), (Framing::Chunked, "first\nsecond\n"));
}

#[rstest]
#[case::a_body_with_204("body-with-204", 204, "")]
#[case::a_status_in_a_string("string-status", 200, "a string")]
#[case::a_number_as_header("integer-header", 200, "number")]
fn slips_that_rack_forbids_are_forgiven(server: &Server, #[case] path: &str, #[case] status: u16, #[case] body: &str) {
    let response = server.get(&format!("/unlinted/{path}"));
    assert_eq!((response.status, response.text()), (status, body));
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
#[case("nil-answer")]
#[case("symbol-status")]
#[case("body-of-symbols")]
#[case("body-without-each")]
fn answers_that_are_none_are_errors_and_the_worker_goes_on(server: &Server, #[case] path: &str) {
    ours_only!("Puma 5 sends what it can");
    let pid = server.get("/pid").number();
    let mut connection = server.connect();
    connection.send(Request::get(&format!("/unlinted/{path}")).header("Connection", "close").to_bytes());
    let received = connection.receive_rest();
    assert!(received.starts_with("HTTP/1.1 500 ") || !received.ends_with("0\r\n\r\n"), "{received}");
    assert_eq!(server.get("/pid").number(), pid);
}

#[rstest]
fn an_application_that_frames_its_body_twice_does_not_confuse_the_client(server: &Server) {
    ours_only!("Puma 5 sends both headers");
    let mut connection = server.connect();
    let response = connection.request(&Request::get("/unlinted/length-and-chunked"));
    assert!(response.status == 500 || response.text() == "abc", "{response:?}");
    assert!(
        connection.request_if_open(&Request::get("/hello")).is_none_or(|next| next.text() == "Hello from the app\n")
    );
}

#[rstest]
#[case("after-reply", "after_reply")]
#[case("response-finished", "second 200 nil,first 200 nil")]
fn callbacks_run_when_the_response_is_sent(server: &Server, #[case] path: &str, #[case] done: &str) {
    let reply = server.get(&format!("/{path}/{path}"));
    if reply.text() == "unsupported\n" {
        ours_only!("Puma 5 has no rack.response_finished");
    }
    assert_eq!(reply.text(), "replied\n");
    let expected: Vec<_> = done.split(',').collect();
    wait_until("the callbacks have run", || server.get(&format!("/done/{path}")).json() == serde_json::json!(expected));
}

#[rstest]
fn a_callback_that_breaks_stops_neither_the_others_nor_the_worker(server: &Server) {
    ours_only!("Puma 5 runs no callback behind one that broke");
    assert_eq!(server.get("/failing-callbacks/broken").text(), "replied\n");
    wait_until("the callbacks have run", || {
        let done = server.get("/done/broken").json();
        ["rack.after_reply", "rack.response_finished"]
            .iter()
            .all(|name| done.as_array().is_some_and(|all| all.contains(&serde_json::json!(name))))
    });
    server.wait_for_log("a callback broke");
}
