//! Answers as Rack 3 has them, given by an application that does so whatever Rack is installed.

use passenger_tests::{App, Request, Server, ours_only, wait_until};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("rack3")).max_pool_size(1).start()
}

#[rstest]
#[case::names_in_lower_case("/", "Hello from Rack 3\n")]
#[case::frozen_answers("/frozen", "frozen\n")]
fn a_plain_answer_passes(server: &Server, #[case] path: &str, #[case] body: &str) {
    let response = server.get(path);
    assert_eq!((response.status, response.text()), (200, body));
    assert_eq!(response.header("Content-Type"), Some("text/plain"));
}

#[rstest]
fn every_value_in_a_list_is_a_header_of_its_own(server: &Server) {
    ours_only!("Puma 5 does not know Rack 3");
    assert_eq!(server.get("/cookies").header_values("Set-Cookie"), ["first=1", "second=2"]);
}

#[rstest]
fn a_body_that_is_an_array_is_taken_as_one(server: &Server) {
    ours_only!("Puma 5 does not know Rack 3");
    assert_eq!(server.get("/to-ary").text(), "all at once\n");
}

#[rstest]
fn a_body_that_is_called_writes_to_a_stream(server: &Server) {
    ours_only!("Puma 5 does not know Rack 3");
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get("/callable")).text(), "one\ntwo\n");
    assert_eq!(connection.request(&Request::get("/")).status, 200);
}

#[rstest]
fn a_body_that_is_called_reads_what_the_client_sent(server: &Server) {
    ours_only!("Puma 5 does not know Rack 3");
    let response = server.request(&Request::post("/converse", "firstsecon"));
    assert_eq!(response.text(), "echo first\necho secon\n");
}

#[rstest]
fn a_body_that_is_called_and_breaks_never_looks_complete(server: &Server) {
    ours_only!("Puma 5 does not know Rack 3");
    let mut connection = server.connect();
    connection.send(Request::get("/callable-breaks").to_bytes());
    let received = connection.receive_rest();
    assert!(received.contains("one\n") && !received.ends_with("0\r\n\r\n"), "{received}");
    server.wait_for_log("the streaming body broke");
    assert_eq!(server.get("/").status, 200);
}

#[rstest]
fn a_partial_hijack_gets_the_stream(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/partial-hijack").to_bytes());
    let received = connection.receive_rest();
    assert!(received.ends_with("hijacked\n"), "{received}");
}

#[rstest]
#[case("/", "/ 200 Hash NilClass")]
#[case("/callable", "/callable 200 Hash NilClass")]
fn response_finished_is_told_what_was_sent(server: &Server, #[case] path: &str, #[case] finished: &str) {
    ours_only!("Puma 5 does not know Rack 3");
    server.get(path);
    wait_until("the callback has run", || server.get("/finished").text().lines().any(|line| line == finished));
}
