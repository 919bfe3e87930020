//! Request bodies as a WSGI application reads them: in any way, to their end, and never a part of one as if it were the whole.

use passenger_tests::{App, Request, Server, wait_until};
use rstest::{fixture, rstest};
use serde_json::{Value, json};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("wsgi")).max_pool_size(1).start()
}

const BODY: &str = "first\nsecond\nlast";

#[rstest]
#[case::read_with_a_length("read-3", json!(["fir", "st\n", "sec", "ond", "\nla", "st"]))]
#[case::readline("readline", json!(["first\n", "second\n", "last"]))]
#[case::readline_with_a_length("readline-4", json!(["firs", "t\n", "seco", "nd\n", "last"]))]
#[case::readlines("readlines", json!(["first\n", "second\n", "last"]))]
#[case::iteration("iterate", json!(["first\n", "second\n", "last"]))]
fn the_input_is_read_in_any_way(
    server: &Server,
    #[values(false, true)] chunked: bool,
    #[case] how: &str,
    #[case] pieces: Value,
) {
    let path = format!("/input/{how}");
    let request =
        if chunked { Request::post_chunked(&path, BODY.as_bytes(), &[4]) } else { Request::post(&path, BODY) };
    assert_eq!(server.request(&request).json(), json!({ "pieces": pieces, "at_end": "" }));
}

#[rstest]
#[case::without_a_length("read")]
#[case::with_a_negative_length("read-minus-1")]
fn everything_is_read_at_once(server: &Server, #[values(16, 3_000_000)] length: usize, #[case] how: &str) {
    let body = "x".repeat(length);
    for request in [
        Request::post(&format!("/unlinted/{how}"), body.clone()),
        Request::post_chunked(&format!("/unlinted/{how}"), body.as_bytes(), &[50_000]),
    ] {
        assert_eq!(server.request(&request).json(), json!({ "pieces": [body], "at_end": "" }));
    }
}

/// Not so in the servers that take PEP 3333 at its word: there such a read waits for ever.
#[rstest]
#[case("/unlinted/read", json!([""]))]
#[case("/input/readlines", json!([]))]
#[case("/input/read-3", json!([]))]
fn reads_end_where_there_is_no_body(server: &Server, #[case] path: &str, #[case] pieces: Value) {
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get(path)).json()["pieces"], pieces);
    assert_eq!(connection.request(&Request::new("POST", path)).json()["pieces"], pieces);
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
}

#[rstest]
#[case::cut("POST /log/short-body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")]
#[case::cut_in_a_chunk(
    "POST /log/short-body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"
)]
#[case::cut_before_the_last_chunk(
    "POST /log/short-body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
)]
#[case::malformed(
    "POST /log/short-body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n\r\n"
)]
fn an_upload_that_is_cut_or_malformed_is_never_taken_for_a_short_one(server: &Server, #[case] request: &str) {
    let mut connection = server.connect();
    connection.send(request);
    connection.finish_sending();
    let rest = connection.receive_rest();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{rest}");
    // Had it reached the application, this request would be behind it.
    assert_eq!(server.get("/hello").status, 200);
    assert!(!server.log().contains("short-body"), "{}", server.log());
}

#[rstest]
fn a_body_that_is_half_read_is_no_next_request(server: &Server) {
    let mut connection = server.connect();
    for length in [100, 5_000_000] {
        let body = "GET /pid HTTP/1.1\r\n\r\n".repeat(length / 20);
        assert_eq!(connection.request(&Request::post("/ignore", body)).text(), "ignored\n");
        assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
    }
}

#[rstest]
fn an_input_that_the_application_keeps_does_not_read_the_next_request() {
    let app = App::started_by(
        "passenger_wsgi.py",
        r#"
kept = []

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    before = b"".join(read(stream) for stream in kept)
    kept.append(environ["wsgi.input"])
    return [b"kept: " + before + b", own: " + environ["wsgi.input"].read()]

def read(stream):
    try:
        return stream.read()
    except (ValueError, OSError) as error:
        return type(error).__name__.encode()
"#,
    );
    let server = Server::of(app).start();
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::post("/", "one")).text(), "kept: , own: one");
    for body in ["two".to_owned(), "x".repeat(2_000_000)] {
        let answer = connection.request(&Request::post("/", body.clone()));
        assert!(answer.text().ends_with(&format!(", own: {body}")), "{answer:?}");
    }
}

#[rstest]
fn an_upload_is_read_while_others_are_served(server: &Server) {
    let body = vec![b'u'; 8 << 20];
    let mut connections: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for connection in &mut connections {
        connection.send(Request::post("/echo", body.clone()).to_bytes());
    }
    for connection in &mut connections {
        assert_eq!(connection.receive().json()["length"], body.len());
    }
    wait_until("nothing is left open", || {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.get("/pid").number())).expect("it is alive");
        let links = descriptors.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
        links.filter(|path| path.to_string_lossy().contains("(deleted)")).count() == 0
    });
}
