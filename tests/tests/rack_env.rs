//! What the application is told about a request.

use passenger_tests::{App, Request, Server, ours_only};
use rstest::{fixture, rstest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("rack")).start()
}

#[rstest]
fn a_request_is_described_as_cgi_and_rack_have_it(server: &Server) {
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
        ("rack.url_scheme", json!("http")),
        ("rack.run_once", json!(false)),
        ("rack.multithread", json!(false)),
        ("rack.hijack?", json!(true)),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    assert!(env["SERVER_SOFTWARE"].is_string());
    assert!(env["rack.version"].is_array());
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

#[rstest]
fn an_ipv6_host_is_split_behind_its_bracket(server: &Server) {
    let env = server.request(&Request::get("/env").header("Host", "[::1]:3000")).json();
    assert_eq!((&env["SERVER_NAME"], &env["SERVER_PORT"]), (&json!("[::1]"), &json!("3000")));
}

#[rstest]
#[case::an_escaped_slash("/env/a%2Fb")]
#[case::a_space("/env/a%20b")]
#[case::utf_8("/env/%C3%A4")]
#[case::a_plus("/env/a+b")]
#[case::dots("/env/../env")]
#[case::double_slashes("/env//b")]
fn the_path_stays_as_the_client_wrote_it(server: &Server, #[case] path: &str) {
    let env = server.get(path).json();
    assert_eq!(env["PATH_INFO"], path);
    assert_eq!(env["REQUEST_URI"], path);
}

#[rstest]
fn content_type_and_length_have_no_prefix(server: &Server) {
    let env = server.request(&Request::post("/env", "a=b").header("Content-Type", "application/x-www-form-urlencoded"));
    let env = env.json();
    assert_eq!(env["CONTENT_TYPE"], "application/x-www-form-urlencoded");
    assert_eq!(env["CONTENT_LENGTH"], "3");
    assert_eq!((&env["HTTP_CONTENT_TYPE"], &env["HTTP_CONTENT_LENGTH"]), (&Value::Null, &Value::Null));
}

#[rstest]
fn a_chunked_body_leaves_no_trace_of_its_framing(server: &Server) {
    ours_only!("Puma 5 sets HTTP_TRANSFER_ENCODING, though it decodes the body");
    let env = server.request(&Request::post_chunked("/env", b"hello", &[2])).json();
    assert_eq!(env["HTTP_TRANSFER_ENCODING"], Value::Null);
}

#[rstest]
fn a_header_that_comes_twice_is_joined(server: &Server) {
    let request =
        Request::get("/env").header("X-Twice", "first").header("X-Other", "other").header("x-twice", "second");
    assert_eq!(server.request(&request).json()["HTTP_X_TWICE"], "first, second");
}

#[rstest]
fn cookies_that_come_twice_are_joined_as_cookies(server: &Server) {
    ours_only!("Puma 5 joins with a comma, which breaks the second cookie");
    let request = Request::get("/env").header("Cookie", "a=1").header("Cookie", "b=2");
    assert_eq!(server.request(&request).json()["HTTP_COOKIE"], "a=1; b=2");
}

#[rstest]
fn a_header_with_underscores_cannot_pose_as_one_with_dashes(server: &Server) {
    ours_only!("Puma 5.6.5 takes them");
    let request = Request::get("/env").header("X-Forwarded-For", "1.2.3.4").header("X_Forwarded_For", "6.6.6.6");
    let env = server.request(&request).json();
    assert_eq!(env["HTTP_X_FORWARDED_FOR"], "1.2.3.4");
    assert!(!env.to_string().contains("6.6.6.6"), "{env}");
}

#[rstest]
fn hop_by_hop_headers_do_not_become_proxy_settings(server: &Server) {
    ours_only!("Puma 5 passes Proxy as HTTP_PROXY");
    let env = server.request(&Request::get("/env").header("Proxy", "http://evil.example")).json();
    assert_eq!(env["HTTP_PROXY"], Value::Null);
}

#[rstest]
fn header_values_keep_their_bytes(server: &Server) {
    let env = server.request(&Request::get("/env").header("X-Text", "smörgås \"quoted\"  two  spaces")).json();
    assert_eq!(env["HTTP_X_TEXT"], "smörgås \"quoted\"  two  spaces");
}

#[rstest]
fn a_header_without_value_is_an_empty_string(server: &Server) {
    assert_eq!(server.request(&Request::get("/env").header("X-Empty", "")).json()["HTTP_X_EMPTY"], "");
}

#[rstest]
fn nothing_is_left_over_from_the_request_before(server: &Server) {
    let mut connection = server.connect();
    connection.request(&Request::post("/env?a=b", "body").header("X-Before", "before").header("Content-Type", "a/b"));
    let env = connection.request(&Request::get("/env")).json();
    for name in ["HTTP_X_BEFORE", "CONTENT_TYPE", "CONTENT_LENGTH"] {
        assert_eq!(env[name], Value::Null, "{name}");
    }
    assert_eq!(env["QUERY_STRING"], "");
}

#[rstest]
#[case::read("read", json!(["first\nsecond\nlast"]))]
#[case::read_with_a_length("read-3", json!(["fir", "st\n", "sec", "ond", "\nla", "st"]))]
#[case::read_into_a_buffer("read-into", json!(["first"]))]
#[case::gets("gets", json!(["first\n", "second\n", "last"]))]
#[case::each("each", json!(["first\n", "second\n", "last"]))]
fn the_input_is_read_in_any_way(server: &Server, #[case] how: &str, #[case] pieces: Value) {
    let answer = server.request(&Request::post(&format!("/input/{how}"), "first\nsecond\nlast")).json();
    assert_eq!(answer["pieces"], pieces);
    if how != "read-into" {
        assert_eq!(answer["at_end"], json!({ "read": "", "read_1": null, "gets": null }));
    }
}

#[rstest]
fn an_input_without_a_body_is_empty(server: &Server) {
    let answer = server.get("/input/read").json();
    assert_eq!(answer, json!({ "pieces": [""], "at_end": { "read": "", "read_1": null, "gets": null } }));
}

#[rstest]
#[case::small(10)]
#[case::large(2_000_000)]
fn the_input_can_be_rewound(server: &Server, #[case] length: usize) {
    let body = vec![b'a'; length];
    let digest = format!("{:x}", Sha256::digest(&body));
    let answer = server.request(&Request::post("/unlinted/rewind", body)).json();
    assert_eq!(answer, json!([digest, digest]));
}
