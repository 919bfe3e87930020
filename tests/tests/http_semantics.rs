//! What HTTP/1.1 promises to clients that behave.

use passenger_tests::{App, Framing, Language, Request, Server, ours_only};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::reference()).threads(2).start()
}

#[rstest]
fn a_connection_serves_many_requests(server: &Server) {
    let mut connection = server.connect();
    for size in [0, 1, 100, 100_000, 0, 5] {
        let response = connection.request(&Request::get(&format!("/big/{size}")));
        assert_eq!((response.status, response.body.len()), (200, size));
        assert_eq!(response.header("Connection"), None);
    }
}

#[rstest]
fn a_connection_closes_when_the_client_asks_for_it(server: &Server) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get("/hello").header("Connection", "close"));
    assert_eq!(response.header("Connection"), Some("close"));
    assert_eq!(response.text(), "Hello from the app\n");
    connection.expect_close();
}

#[rstest]
fn a_connection_closes_when_the_application_asks_for_it(server: &Server) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get("/connection-close"));
    assert_eq!(response.header("Connection"), Some("close"));
    connection.expect_close();
}

#[rstest]
fn a_client_that_sends_nothing_more_still_gets_its_answer(server: &Server) {
    ours_only!("Puma 5 drops the request");
    let mut connection = server.connect();
    connection.send(Request::get("/hello").to_bytes());
    connection.finish_sending();
    assert_eq!(connection.receive().text(), "Hello from the app\n");
    connection.expect_close();
}

#[rstest]
fn pipelined_requests_are_answered_in_order(server: &Server) {
    ours_only!("Puma 5 takes what follows a body for a part of it");
    let mut connection = server.connect();
    let paths = ["/wait/pipelined", "/hello", "/stream", "/echo", "/big/100000", "/status/204", "/empty", "/hello"];
    let mut bytes = Vec::new();
    for path in paths {
        let request = if path == "/echo" { Request::post(path, "abc") } else { Request::get(path) };
        bytes.extend(request.to_bytes());
    }
    connection.send(bytes);
    server.app().worker_at_gate("pipelined");
    assert!(!connection.has_received(), "an answer overtook the one before it");
    server.app().open_gate("pipelined");

    assert!(connection.receive().number() > 0);
    assert_eq!(connection.receive().text(), "Hello from the app\n");
    assert_eq!(connection.receive().text(), "chunk 0\nchunk 1\nchunk 2\n");
    assert_eq!(connection.receive().json()["length"], 3);
    assert_eq!(connection.receive().body.len(), 100_000);
    assert_eq!(connection.receive().status, 204);
    assert_eq!(connection.receive().text(), "");
    assert_eq!(connection.receive().text(), "Hello from the app\n");
}

#[rstest]
fn a_request_may_come_byte_by_byte(server: &Server) {
    let mut connection = server.connect();
    for byte in Request::post_chunked("/echo", b"hello world", &[4, 3]).to_bytes() {
        connection.send([byte]);
    }
    assert_eq!(connection.receive().json()["length"], 11);
}

#[rstest]
fn empty_lines_before_a_request_are_ignored(server: &Server) {
    ours_only!("Puma 5 answers 400");
    let mut connection = server.connect();
    connection.send("\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(connection.receive().text(), "Hello from the app\n");
}

#[rstest]
fn http_1_0_closes_by_default_and_knows_no_chunks(server: &Server) {
    let mut connection = server.connect();
    connection.send("GET /stream HTTP/1.0\r\n\r\n");
    let response = connection.receive();
    assert_eq!(response.text(), "chunk 0\nchunk 1\nchunk 2\n");
    // An answer that is complete before its head is sent may have a length.
    assert_ne!(response.framing, Framing::Chunked);
    connection.expect_close();
}

#[rstest]
fn http_1_0_keeps_the_connection_on_request(server: &Server) {
    let mut connection = server.connect();
    for _ in 0..2 {
        connection.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = connection.receive();
        assert_eq!(response.header("Connection").map(str::to_lowercase).as_deref(), Some("keep-alive"));
        assert_eq!(response.framing, Framing::Length);
        assert_eq!(response.text(), "Hello from the app\n");
    }
}

#[rstest]
#[case::one_by_one(&[1])]
#[case::of_growing_size(&[1, 2, 3, 100, 20_000])]
#[case::all_at_once(&[1 << 20])]
fn a_chunked_request_is_decoded(server: &Server, #[case] sizes: &[usize]) {
    let body: Vec<u8> = (0..=250).cycle().take(if sizes == [1] { 500 } else { 100_000 }).collect();
    let response = server.request(&Request::post_chunked("/echo", &body, sizes));
    assert_eq!(response.json()["length"], body.len());
}

#[rstest]
fn chunk_extensions_and_trailers_are_dropped(server: &Server) {
    let mut connection = server.connect();
    connection.send(
        "POST /env HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n\
         A;name=value;other=\"quoted\"\r\n0123456789\r\n0;last\r\nX-Trailer: evil\r\nContent-Length: 5\r\n\r\n",
    );
    let env = connection.receive().json();
    assert_eq!(env["HTTP_X_TRAILER"], serde_json::Value::Null);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn a_client_that_waits_for_100_continue_gets_it(server: &Server) {
    let mut connection = server.connect();
    let request = Request::post("/echo", "hello").header("Expect", "100-continue").to_bytes();
    let (head, body) = request.split_at(request.len() - 5);
    connection.send(head);
    assert_eq!(connection.receive().status, 100);
    connection.send(body);
    assert_eq!(connection.receive().json()["length"], 5);
}

#[rstest]
fn a_client_that_does_not_wait_for_100_continue_is_served_as_well(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::post("/echo", "hello").header("Expect", "100-continue").to_bytes());
    let mut response = connection.receive();
    if response.status == 100 {
        response = connection.receive();
    }
    assert_eq!(response.json()["length"], 5);
}

#[rstest]
fn http_1_0_never_gets_an_interim_response(server: &Server) {
    ours_only!("Puma 5 sends 100 Continue to HTTP/1.0");
    let mut connection = server.connect();
    connection.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(connection.receive().json()["length"], 5);
}

#[rstest]
#[case::with_a_length("/big/5000")]
#[case::streamed("/stream")]
#[case::a_file("/file")]
#[case::empty("/empty")]
fn head_tells_what_get_would_and_sends_no_body(server: &Server, #[case] path: &str) {
    let get = server.get(path);
    let mut connection = server.connect();
    let head = connection.request(&Request::new("HEAD", path));
    assert_eq!(head.status, get.status);
    assert_eq!(head.header("Content-Type"), get.header("Content-Type"));
    // It may leave the length out (RFC 9110, 8.6), but not lie about it.
    assert!(
        head.header("Content-Length").is_none_or(|length| get.header("Content-Length") == Some(length)),
        "{head:?}"
    );
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
#[case(204)]
#[case(304)]
fn a_status_without_a_body_has_none(server: &Server, #[case] status: u16) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get(&format!("/status/{status}")));
    assert_eq!(response.status, status);
    assert_eq!(response.header("Transfer-Encoding"), None);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
#[case(200, "OK")]
#[case(201, "Created")]
#[case(404, "Not Found")]
#[case(422, "Unprocessable")]
#[case(503, "Service Unavailable")]
fn a_status_has_its_reason(server: &Server, #[case] status: u16, #[case] reason: &str) {
    let response = server.get(&format!("/status/{status}"));
    assert_eq!(response.status, status);
    assert!(response.reason.starts_with(reason), "{:?}", response.reason);
}

#[rstest]
fn an_unusual_status_passes(server: &Server) {
    let response = server.get("/status/599");
    assert_eq!((response.status, response.text()), (599, "status 599\n"));
}

#[rstest]
fn a_response_is_dated(server: &Server) {
    ours_only!("Puma 5 sends no Date");
    assert!(server.get("/hello").header("Date").is_some_and(|date| date.ends_with(" GMT")));
}

#[rstest]
fn the_absolute_form_names_the_host(server: &Server) {
    ours_only!("Puma 5 goes by the Host header");
    let mut connection = server.connect();
    connection.send("GET http://example.org:81/env?a=b HTTP/1.1\r\nHost: ignored\r\n\r\n");
    let env = connection.receive().json();
    assert_eq!(env["PATH_INFO"], "/env");
    assert_eq!(env["QUERY_STRING"], "a=b");
    assert_eq!(env["HTTP_HOST"], "example.org:81");
    // Over ASGI the server's address is the socket's.
    if Language::current() != Language::Asgi {
        assert_eq!(env["SERVER_NAME"], "example.org");
    }
}

#[rstest]
#[case("PUT")]
#[case("PATCH")]
#[case("DELETE")]
#[case("OPTIONS")]
#[case("PROPFIND")]
#[case("PURGE")]
fn any_method_reaches_the_application(server: &Server, #[case] method: &str) {
    assert_eq!(server.request(&Request::new(method, "/env")).json()["REQUEST_METHOD"], method);
}

#[rstest]
fn a_body_that_the_application_ignores_is_no_next_request(server: &Server) {
    let mut connection = server.connect();
    let body = "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(connection.request(&Request::post("/ignore", body)).text(), "ignored\n");
    assert_eq!(connection.request(&Request::post_chunked("/ignore", body.as_bytes(), &[9])).text(), "ignored\n");
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn a_get_may_have_a_body(server: &Server) {
    let request = Request::new("GET", "/echo").header("Content-Length", "0");
    assert_eq!(server.request(&request).json()["length"], 0);
    let mut connection = server.connect();
    connection.send("GET /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(connection.receive().json()["length"], 3);
}

#[rstest]
fn many_clients_at_once_get_their_own_answers(server: &Server) {
    let mut connections: Vec<_> = (1..=100).map(|size| (size, server.connect())).collect();
    for _ in 0..3 {
        for (size, connection) in &mut connections {
            connection.send(Request::get(&format!("/big/{size}")).to_bytes());
        }
        for (size, connection) in &mut connections {
            assert_eq!(connection.receive().body.len(), *size);
        }
    }
}
