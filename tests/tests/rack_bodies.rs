//! What an application answers with arrives, whatever shape it has, and the worker is done with it.

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
fn a_body_without_a_length_is_streamed_in_chunks(server: &Server) {
    let response = server.get("/stream");
    assert_eq!(response.framing, Framing::Chunked);
    assert_eq!(response.text(), "chunk 0\nchunk 1\nchunk 2\n");
}

#[rstest]
fn a_chunk_is_sent_before_the_next_one_exists(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/gated/chunk").to_bytes());
    connection.receive_until("before the gate\n");
    server.app().open_gate("chunk");
    connection.receive_until("after the gate\n");
}

#[rstest]
#[case::nothing("/big/0", 0)]
#[case::a_byte("/big/1", 1)]
#[case::a_megabyte("/big/1000000", 1_000_000)]
#[case::many_megabytes("/big/30000000", 30_000_000)]
#[case::a_megabyte_in_pieces("/big-stream/1000000", 1_000_000)]
#[case::many_megabytes_in_pieces("/big-stream/30000000", 30_000_000)]
fn a_body_of_any_size_arrives_whole(server: &Server, #[case] path: &str, #[case] length: usize) {
    let response = server.get(path);
    assert_eq!(response.body.len(), length);
    if path.starts_with("/big/") {
        assert!(response.body.iter().zip((b'a'..=b'z').cycle()).all(|(is, should)| *is == should));
    }
}

#[rstest]
fn an_empty_body_is_empty(server: &Server) {
    // Rack::Lint's body only has `each`, so the head may be on its way before the end is known.
    let response = server.get("/empty");
    assert!(matches!(response.framing, Framing::Length | Framing::Chunked), "{response:?}");
    assert_eq!(response.text(), "");
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
#[case::by_to_path("/file")]
#[case::by_x_sendfile("/x-sendfile")]
fn a_file_is_sent(server: &Server, #[case] path: &str) {
    if path == "/x-sendfile" {
        ours_only!("Puma does not know X-Sendfile");
    }
    let mut connection = server.connect();
    let response = connection.request(&Request::get(path));
    assert_eq!(response.text(), server.app().read("data/alphabet.txt"));
    assert_eq!(response.framing, Framing::Length);
    assert_eq!(response.header("X-Sendfile"), None);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from Rack\n");
}

#[rstest]
fn an_unmodified_file_is_not_sent(server: &Server) {
    ours_only!("Puma does not know X-Sendfile");
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get("/x-sendfile-unmodified")).status, 304);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from Rack\n");
}

#[rstest]
fn a_file_that_is_not_there_is_an_error(server: &Server) {
    ours_only!("Puma does not know X-Sendfile");
    let response = server.get("/x-sendfile-missing");
    assert!(matches!(response.status, 404 | 500), "{response:?}");
    server.wait_for_log("alphabet.txt.missing");
}

#[rstest]
fn an_application_may_do_its_own_chunks(server: &Server) {
    let response = server.get("/chunked");
    assert_eq!((response.framing, response.text()), (Framing::Chunked, "first\nsecond\n"));
}

#[rstest]
fn every_cookie_is_a_header_of_its_own(server: &Server) {
    let response = server.get("/cookies");
    assert_eq!(response.header_values("Set-Cookie"), ["first=1; path=/", "second=2; path=/"]);
}

#[rstest]
fn every_line_of_a_header_is_a_header_of_its_own(server: &Server) {
    assert_eq!(server.get("/multi").header_values("X-Multi"), ["one", "two", "three"]);
}

#[rstest]
#[case("/large-header/60000")]
#[case("/many-headers/500")]
fn a_large_head_passes(server: &Server, #[case] path: &str) {
    let response = server.get(path);
    assert_eq!(response.status, 200);
    assert!(response.headers.len() > 500 || response.header("X-Large").is_some_and(|value| value.len() == 60_000));
}

#[rstest]
fn early_hints_come_before_the_response(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/early-hints").to_bytes());
    let hints = connection.receive();
    assert_eq!((hints.status, hints.header("Link")), (103, Some("</style.css>; rel=preload; as=style")));
    assert_eq!(connection.receive().text(), "hinted: true\n");
}

#[rstest]
fn http_1_0_gets_no_early_hints(server: &Server) {
    ours_only!("Puma 5 sends them");
    let mut connection = server.connect();
    connection.send("GET /early-hints HTTP/1.0\r\n\r\n");
    assert_eq!(connection.receive().status, 200);
}

#[rstest]
fn a_body_that_is_shorter_than_promised_never_looks_complete(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/unlinted/too-short").header("Connection", "close").to_bytes());
    let received = connection.receive_rest();
    assert!(received.starts_with("HTTP/1.1 500") || received.ends_with("\r\n\r\n12345"), "{received}");
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_body_that_is_longer_than_promised_is_no_next_response(server: &Server) {
    ours_only!("Puma 5 sends it all");
    let mut connection = server.connect();
    let response = connection.request(&Request::get("/unlinted/too-long"));
    assert!(response.status == 500 || response.text() == "12345", "{response:?}");
    assert!(connection.request_if_open(&Request::get("/hello")).is_none_or(|next| next.text() == "Hello from Rack\n"));
    assert_eq!(server.get("/hello").status, 200);
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
    assert!(connection.request_if_open(&Request::get("/hello")).is_none_or(|next| next.text() == "Hello from Rack\n"));
}

#[rstest]
fn a_header_cannot_smuggle_another_in(server: &Server) {
    let response = server.get("/unlinted/header-injection");
    assert_eq!(response.header("X-Evil"), None);
    assert!(response.status == 500 || response.text() == "safe", "{response:?}");
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

#[rstest]
fn a_client_that_does_not_read_holds_no_worker(server: &Server) {
    ours_only!("Puma's thread waits for the client");
    let mut reluctant = server.connect();
    reluctant.send(Request::get("/big-stream/50000000").to_bytes());
    assert_eq!(server.get("/hello").text(), "Hello from Rack\n");
    assert_eq!(reluctant.receive().body.len(), 50_000_000);
}

#[rstest]
fn a_client_that_leaves_in_the_midst_of_an_answer_holds_no_worker(server: &Server) {
    for _ in 0..20 {
        let mut connection = server.connect();
        connection.send(Request::get("/big-stream/5000000").to_bytes());
        connection.receive_until("\r\n\r\n");
    }
    assert_eq!(server.get("/hello").text(), "Hello from Rack\n");
}
