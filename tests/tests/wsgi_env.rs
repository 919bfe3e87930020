//! What a WSGI application is told about a request (PEP 3333).

use passenger_tests::{App, Request, Server};
use rstest::{fixture, rstest};
use serde_json::{Value, json};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("wsgi")).start()
}

#[rstest]
fn a_request_is_described_as_cgi_and_wsgi_have_it(server: &Server) {
    let request = Request::get("/env/more?a=1&b=%20").header("Host", "example.org:8080").header("X-Custom", "custom");
    let env = server.request(&request).json();
    for (name, value) in [
        ("REQUEST_METHOD", json!("GET")),
        ("SCRIPT_NAME", json!("")),
        ("PATH_INFO", json!("/env/more")),
        ("QUERY_STRING", json!("a=1&b=%20")),
        ("REQUEST_URI", json!("/env/more?a=1&b=%20")),
        ("SERVER_NAME", json!("example.org")),
        ("SERVER_PORT", json!("8080")),
        ("SERVER_PROTOCOL", json!("HTTP/1.1")),
        ("REMOTE_ADDR", json!("127.0.0.1")),
        ("HTTP_HOST", json!("example.org:8080")),
        ("HTTP_X_CUSTOM", json!("custom")),
        ("wsgi.version", json!([1, 0])),
        ("wsgi.url_scheme", json!("http")),
        ("wsgi.multithread", json!(false)),
        ("wsgi.multiprocess", json!(true)),
        ("wsgi.run_once", json!(false)),
        ("wsgi.input_terminated", json!(true)),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    assert!(env["SERVER_SOFTWARE"].is_string());
    assert!(env["wsgi.file_wrapper"].is_string());
}

#[rstest]
fn a_missing_query_is_empty(server: &Server) {
    let env = server.get("/env").json();
    assert_eq!(env["QUERY_STRING"], "");
    assert_eq!(env["REQUEST_URI"], "/env");
}

#[rstest]
fn the_port_goes_by_the_scheme_if_the_host_has_none(server: &Server) {
    let env = server.request(&Request::get("/env").header("Host", "example.org")).json();
    assert_eq!((&env["SERVER_NAME"], &env["SERVER_PORT"]), (&json!("example.org"), &json!("80")));
}

/// PEP 3333 leaves open how a path is escaped; every server and framework of Python decodes it, to Latin-1 characters that stand for bytes.
#[rstest]
#[case::a_slash("/env/a%2Fb", "/env/a/b")]
#[case::a_space("/env/a%20b", "/env/a b")]
#[case::utf_8("/env/%C3%A4", "/env/\u{c3}\u{a4}")]
#[case::a_single_byte("/env/%E4", "/env/\u{e4}")]
#[case::a_plus("/env/a+b", "/env/a+b")]
#[case::an_escaped_percent("/env/100%25", "/env/100%")]
#[case::no_escape("/env/100%", "/env/100%")]
#[case::half_an_escape("/env/%4", "/env/%4")]
#[case::double_slashes("/env//b", "/env//b")]
fn the_path_is_decoded(server: &Server, #[case] path: &str, #[case] path_info: &str) {
    let env = server.get(path).json();
    assert_eq!(env["PATH_INFO"], path_info);
    assert_eq!(env["REQUEST_URI"], path);
}

#[rstest]
fn content_type_and_length_have_no_prefix(server: &Server) {
    let request = Request::post("/env", "a=b").header("Content-Type", "application/x-www-form-urlencoded");
    let env = server.request(&request).json();
    assert_eq!(env["CONTENT_TYPE"], "application/x-www-form-urlencoded");
    assert_eq!(env["CONTENT_LENGTH"], "3");
    assert_eq!((&env["HTTP_CONTENT_TYPE"], &env["HTTP_CONTENT_LENGTH"]), (&Value::Null, &Value::Null));
}

#[rstest]
fn a_chunked_body_leaves_no_trace_of_its_framing(server: &Server) {
    let env = server.request(&Request::post_chunked("/env", b"hello", &[2])).json();
    assert_eq!(env["HTTP_TRANSFER_ENCODING"], Value::Null);
}

#[rstest]
fn headers_that_come_twice_are_joined(server: &Server) {
    let request = Request::get("/env")
        .header("X-Twice", "first")
        .header("Cookie", "a=1")
        .header("x-twice", "second")
        .header("Cookie", "b=2");
    let env = server.request(&request).json();
    assert_eq!((&env["HTTP_X_TWICE"], &env["HTTP_COOKIE"]), (&json!("first, second"), &json!("a=1; b=2")));
}

#[rstest]
fn a_header_with_underscores_cannot_pose_as_one_with_dashes(server: &Server) {
    let request = Request::get("/env").header("X-Forwarded-For", "1.2.3.4").header("X_Forwarded_For", "6.6.6.6");
    let env = server.request(&request).json();
    assert_eq!(env["HTTP_X_FORWARDED_FOR"], "1.2.3.4");
    assert!(!env.to_string().contains("6.6.6.6"), "{env}");
}

#[rstest]
fn a_header_cannot_become_a_proxy_setting(server: &Server) {
    let env = server.request(&Request::get("/env").header("Proxy", "http://evil.example")).json();
    assert_eq!(env["HTTP_PROXY"], Value::Null);
}

#[rstest]
fn header_values_are_latin_1_characters_that_stand_for_bytes(server: &Server) {
    let env = server.request(&Request::get("/env").header("X-Text", "sm\u{f6}r \"quoted\"  two  spaces")).json();
    assert_eq!(env["HTTP_X_TEXT"], "sm\u{c3}\u{b6}r \"quoted\"  two  spaces");
    assert_eq!(server.request(&Request::get("/env").header("X-Empty", "")).json()["HTTP_X_EMPTY"], "");
}

#[rstest]
fn nothing_is_left_over_from_the_request_before(server: &Server) {
    let mut connection = server.connect();
    connection.request(&Request::post("/env?a=b", "body").header("X-Before", "before").header("Content-Type", "a/b"));
    let env = connection.request(&Request::get("/env")).json();
    for name in ["HTTP_X_BEFORE", "CONTENT_TYPE"] {
        assert_eq!(env[name], Value::Null, "{name}");
    }
    assert!(matches!(env["CONTENT_LENGTH"].as_str(), None | Some("")), "{env}");
    assert_eq!(env["QUERY_STRING"], "");
}
