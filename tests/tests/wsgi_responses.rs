//! Answers in all the ways that PEP 3333 allows, and the slips that it does not.

use passenger_tests::{App, Framing, Request, Server, wait_until};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("wsgi")).max_pool_size(1).start()
}

/// Waits until the application has seen its body closed, and exactly once.
#[track_caller]
fn expect_closed_once(server: &Server, key: &str) {
    wait_until("the body is closed", || server.get(&format!("/closed/{key}")).number() > 0);
    assert_eq!(server.get(&format!("/closed/{key}")).number(), 1);
}

/// What a client sees of an answer whose end may not look like one.
#[track_caller]
fn receive_all(server: &Server, path: &str) -> String {
    let mut connection = server.connect();
    connection.send(Request::get(path).header("Connection", "close").to_bytes());
    connection.receive_rest()
}

#[rstest]
#[case::by_write("/unlinted/write", 200, "written twice and returned")]
#[case::by_write_with_a_length("/unlinted/write-with-length", 200, "abcdefghijkl")]
#[case::by_a_generator_that_sets_the_status_late("/unlinted/late-status", 201, "late")]
#[case::by_a_generator_without_a_body("/unlinted/late-empty", 202, "")]
#[case::by_a_second_start_after_an_error("/unlinted/exc-info-before", 500, "oops")]
#[case::by_a_second_start_while_only_nothing_was_sent("/unlinted/empty-chunks", 503, "sorry")]
fn an_answer_is_given(server: &Server, #[case] path: &str, #[case] status: u16, #[case] body: &str) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get(path));
    assert_eq!((response.status, response.text()), (status, body));
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn a_second_start_replaces_the_headers_of_the_first(server: &Server) {
    let response = server.get("/unlinted/exc-info-before");
    assert_eq!((response.header("X-Before"), response.header("X-After")), (None, Some("1")));
}

#[rstest]
fn a_second_start_that_comes_too_late_raises(server: &Server) {
    let received = receive_all(server, "/unlinted/exc-info-after");
    assert!(received.contains("already sent") && !received.contains("never sent"), "{received}");
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    server.wait_for_log("ValueError: too late for an error page");
}

#[rstest]
fn an_application_that_breaks_after_write_never_looks_complete(server: &Server) {
    let received = receive_all(server, "/unlinted/write-then-raise");
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    server.wait_for_log("broken after write()");
}

#[rstest]
fn what_is_written_is_sent_at_once() {
    let app = App::fixture("wsgi");
    app.write(
        "passenger_wsgi.py",
        r#"
from lib import gate

def application(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"before the gate\n")
    gate.wait("write")
    return [b"after the gate\n"]
"#,
    );
    let server = Server::of(app).start();
    let mut connection = server.connect();
    connection.send(Request::get("/").to_bytes());
    connection.receive_until("before the gate\n");
    server.app().open_gate("write");
    connection.receive_until("after the gate\n");
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
    let received = receive_all(server, "/close-after-error/broken");
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    expect_closed_once(server, "broken");
    server.wait_for_log("RuntimeError: the body broke");
}

#[rstest]
fn a_file_of_something_that_is_none_is_read_and_closed(server: &Server) {
    assert_eq!(server.get("/unlinted/file-like/like").text(), "not a file");
    wait_until("it is closed", || server.get("/unlinted/closed/like").number() == 1);
}

#[rstest]
#[case::whole("whole", 0, None)]
#[case::without_a_length("without-length", 0, None)]
#[case::from_its_position("from-the-middle", 100, None)]
#[case::as_much_as_promised("part", 0, Some(100))]
fn a_file_is_sent_by_the_file_wrapper(
    server: &Server,
    #[case] how: &str,
    #[case] start: usize,
    #[case] length: Option<usize>,
) {
    let contents = server.app().read("data/alphabet.txt");
    let expected = &contents[start..length.map_or(contents.len(), |length| start + length)];
    let mut connection = server.connect();
    let response = connection.request(&Request::get(&format!("/unlinted/file/{how}")));
    assert_eq!(response.text(), expected);
    assert_eq!(response.framing, Framing::Length, "its size is known");
    let head = connection.request(&Request::new("HEAD", &format!("/unlinted/file/{how}")));
    assert_eq!(head.header("Content-Type"), Some("text/plain"));
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn files_that_were_sent_are_closed(server: &Server) {
    for _ in 0..20 {
        assert_eq!(server.get("/unlinted/file").status, 200);
    }
    wait_until("no file is open", || {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.get("/pid").number())).expect("it is alive");
        let links = descriptors.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
        links.filter(|path| path.ends_with("alphabet.txt")).count() == 0
    });
}

#[rstest]
#[case::by_one_piece("too-long")]
#[case::by_several("too-long-in-pieces")]
fn a_body_that_is_longer_than_promised_is_cut(server: &Server, #[case] path: &str) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get(&format!("/unlinted/{path}")));
    assert!(response.status == 500 || response.text() == "12345", "{response:?}");
    let next = connection.request_if_open(&Request::get("/hello"));
    assert!(next.is_none_or(|next| next.text() == "Hello from the app\n"));
}

#[rstest]
#[case::none("none-answer", "")]
#[case::no_start("no-start", "start_response")]
#[case::text_for_bytes("body-of-text", "bytes")]
#[case::bytes_for_a_list("body-is-bytes", "")]
#[case::a_number_for_a_header("integer-header", "")]
#[case::bytes_for_a_header_name("bytes-header", "")]
#[case::a_number_for_a_status("integer-status", "")]
#[case::no_number_in_the_status("bad-status", "")]
#[case::two_starts("start-twice", "")]
#[case::a_header_that_is_not_latin_1("wide-header", "")]
fn an_answer_that_is_none_is_an_error_and_the_worker_goes_on(
    server: &Server,
    #[case] path: &str,
    #[case] explanation: &str,
) {
    let pid = server.get("/pid").number();
    let received = receive_all(server, &format!("/unlinted/{path}"));
    // An iterable of bytes is an iterable of integers; who forgives that sends what was meant.
    let forgiven = path == "body-is-bytes" && received.ends_with("bytes");
    assert!(forgiven || received.starts_with("HTTP/1.1 500 ") || !received.ends_with("0\r\n\r\n"), "{received}");
    assert!(!received.contains("never sent"), "{received}");
    assert_eq!(server.get("/pid").number(), pid);
    server.wait_for_log(explanation);
}

#[rstest]
#[case::a_body_with_204("body-with-204", 204, "")]
#[case::a_status_without_a_reason("short-status", 200, "no reason")]
fn slips_are_forgiven(server: &Server, #[case] path: &str, #[case] status: u16, #[case] body: &str) {
    let response = server.get(&format!("/unlinted/{path}"));
    assert_eq!((response.status, response.text()), (status, body));
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_header_is_sent_as_latin_1(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/unlinted/latin-1-header").header("Connection", "close").to_bytes());
    let response = connection.receive();
    // What is not UTF-8 is shown as U+FFFD by this client.
    assert_eq!(response.header("X-Latin"), Some("sm\u{fffd}rg\u{fffd}s"));
}
