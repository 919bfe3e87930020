//! What an application answers with arrives, whatever shape it has, and the worker is done with it.

use passenger_tests::{App, Framing, Language, Request, Server, ours_only};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::reference()).max_pool_size(1).start()
}

/// The path of something that breaks the rules of the language's interface.
fn unlinted(name: &str) -> String {
    if Language::current() == Language::Asgi { format!("/{name}") } else { format!("/unlinted/{name}") }
}

#[rstest]
fn a_body_without_a_length_is_streamed_in_chunks(server: &Server) {
    // One that is complete before anything of it was sent has a length.
    let mut connection = server.connect();
    connection.send(Request::get("/gated/unknown").to_bytes());
    let head = connection.receive_until("before the gate\n").to_lowercase();
    assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length:"), "{head}");
    server.app().open_gate("unknown");
    connection.receive_until("after the gate\n");
    connection.receive_until("\r\n0\r\n\r\n");
    assert_eq!(connection.request(&Request::get("/stream")).text(), "chunk 0\nchunk 1\nchunk 2\n");
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
    // A linted body can only be iterated, so the head may be on its way before the end is known.
    let response = server.get("/empty");
    assert!(matches!(response.framing, Framing::Length | Framing::Chunked), "{response:?}");
    assert_eq!(response.text(), "");
}

#[rstest]
#[case::by_the_server("/file")]
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
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn an_unmodified_file_is_not_sent(server: &Server) {
    ours_only!("Puma does not know X-Sendfile");
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get("/x-sendfile-unmodified")).status, 304);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn a_file_that_is_not_there_is_an_error(server: &Server) {
    ours_only!("Puma does not know X-Sendfile");
    let response = server.get("/x-sendfile-missing");
    assert!(matches!(response.status, 404 | 500), "{response:?}");
    server.wait_for_log("alphabet.txt.missing");
}

#[rstest]
fn every_cookie_is_a_header_of_its_own(server: &Server) {
    let response = server.get("/cookies");
    assert_eq!(response.header_values("Set-Cookie"), ["first=1; path=/", "second=2; path=/"]);
}

#[rstest]
fn every_value_of_a_header_is_a_header_of_its_own(server: &Server) {
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
    connection.send(Request::get(&unlinted("too-short")).header("Connection", "close").to_bytes());
    let received = connection.receive_rest();
    assert!(received.starts_with("HTTP/1.1 500") || received.ends_with("\r\n\r\n12345"), "{received}");
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_body_that_is_longer_than_promised_is_no_next_response(server: &Server) {
    ours_only!("Puma 5 sends it all");
    let mut connection = server.connect();
    let response = connection.request(&Request::get(&unlinted("too-long")));
    assert!(response.status == 500 || response.text() == "12345", "{response:?}");
    assert!(
        connection.request_if_open(&Request::get("/hello")).is_none_or(|next| next.text() == "Hello from the app\n")
    );
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_header_cannot_smuggle_another_in(server: &Server) {
    let response = server.get(&unlinted("header-injection"));
    assert_eq!(response.header("X-Evil"), None);
    assert!(response.status == 500 || response.text() == "safe", "{response:?}");
}

#[rstest]
fn a_client_that_does_not_read_holds_no_worker(server: &Server) {
    ours_only!("Puma's thread waits for the client");
    let mut reluctant = server.connect();
    reluctant.send(Request::get("/big-stream/50000000").to_bytes());
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    assert_eq!(reluctant.receive().body.len(), 50_000_000);
}

#[rstest]
fn a_client_that_leaves_in_the_midst_of_an_answer_holds_no_worker(server: &Server) {
    for _ in 0..20 {
        let mut connection = server.connect();
        connection.send(Request::get("/big-stream/5000000").to_bytes());
        connection.receive_until("\r\n\r\n");
    }
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
}
