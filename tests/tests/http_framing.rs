//! A request whose end two readers could see in different places is refused and its connection closed (RFC 9112): behind another proxy it
//! would let one client speak for another. Each scenario appends a second request, which must never be answered.

use passenger_tests::{App, Server, ours_only};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::reference()).start()
}

const SMUGGLED: &str = "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Expects one answer with one of these statuses, then the end of the connection, and a server that goes on serving.
#[track_caller]
fn expect_refusal(server: &Server, request: &[u8], statuses: &[u16]) {
    let mut connection = server.connect();
    connection.send(request);
    connection.send(SMUGGLED);
    let response = connection.receive();
    assert!(statuses.contains(&response.status), "{} {}", response.status, response.reason);
    connection.expect_close();
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
}

#[rstest]
#[case::two_lengths("Content-Length: 3\r\nContent-Length: 4\r\n")]
#[case::the_same_length_twice("Content-Length: 3\r\nContent-Length: 3\r\n")]
#[case::a_list_of_lengths("Content-Length: 3, 3\r\n")]
#[case::a_signed_length("Content-Length: +3\r\n")]
#[case::a_negative_length("Content-Length: -3\r\n")]
#[case::a_hexadecimal_length("Content-Length: 0x3\r\n")]
#[case::a_length_with_a_tail("Content-Length: 3x\r\n")]
#[case::a_length_in_two_parts("Content-Length: 3 3\r\n")]
#[case::a_fractional_length("Content-Length: 3.0\r\n")]
#[case::an_empty_length("Content-Length:\r\n")]
#[case::a_length_that_overflows("Content-Length: 99999999999999999999999\r\n")]
#[case::length_and_chunked("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")]
#[case::chunked_and_length("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")]
fn a_body_of_unclear_length_is_refused(server: &Server, #[case] headers: &str) {
    ours_only!("others let some of these pass");
    let request = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\n{headers}\r\nabc");
    expect_refusal(server, request.as_bytes(), &[400]);
}

#[rstest]
#[case::unknown("Transfer-Encoding: secret\r\n")]
#[case::known_but_not_spoken("Transfer-Encoding: gzip\r\n")]
#[case::compressed_then_chunked("Transfer-Encoding: gzip, chunked\r\n")]
#[case::chunked_not_last("Transfer-Encoding: chunked, gzip\r\n")]
#[case::chunked_twice("Transfer-Encoding: chunked, chunked\r\n")]
#[case::chunked_in_two_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")]
#[case::identity("Transfer-Encoding: identity\r\n")]
#[case::chunked_and_identity("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")]
#[case::almost_chunked("Transfer-Encoding: xchunked\r\n")]
#[case::chunked_with_a_tail("Transfer-Encoding: chunkedx\r\n")]
#[case::chunked_in_quotes("Transfer-Encoding: \"chunked\"\r\n")]
#[case::chunked_with_a_parameter("Transfer-Encoding: chunked;q=1\r\n")]
#[case::chunked_behind_a_vertical_tab("Transfer-Encoding: \x0bchunked\r\n")]
#[case::an_empty_coding("Transfer-Encoding:\r\n")]
#[case::an_empty_element("Transfer-Encoding: , chunked\r\n")]
fn a_transfer_coding_other_than_chunked_is_refused(server: &Server, #[case] header: &str) {
    ours_only!("others let some of these pass");
    let request = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\n{header}\r\n0\r\n\r\n");
    expect_refusal(server, request.as_bytes(), &[400, 501]);
}

#[rstest]
fn chunked_over_http_1_0_is_refused(server: &Server) {
    ours_only!("others let it pass");
    let request = b"POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    expect_refusal(server, request, &[400, 501]);
}

#[rstest]
#[case::no_number("xyz\r\nabc\r\n0\r\n\r\n")]
#[case::nothing("\r\nabc\r\n0\r\n\r\n")]
#[case::a_sign("+3\r\nabc\r\n0\r\n\r\n")]
#[case::a_minus("-3\r\nabc\r\n0\r\n\r\n")]
#[case::a_hexadecimal_prefix("0x3\r\nabc\r\n0\r\n\r\n")]
#[case::a_space_before(" 3\r\nabc\r\n0\r\n\r\n")]
#[case::an_underscore("0_3\r\nabc\r\n0\r\n\r\n")]
#[case::too_many_digits("00000000000000000000000000000000000000003\r\nabc\r\n0\r\n\r\n")]
#[case::an_overflow("FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n")]
#[case::a_wrap_around("10000000000000003\r\nabc\r\n0\r\n\r\n")]
#[case::a_bare_lf_behind_the_size("3\nabc\r\n0\r\n\r\n")]
#[case::a_bare_cr_behind_the_size("3\rabc\r\n0\r\n\r\n")]
#[case::a_bare_lf_in_the_extension("3;a=\nabc\r\n0\r\n\r\n")]
#[case::too_much_data("3\r\nabcdef\r\n0\r\n\r\n")]
#[case::a_bare_lf_behind_the_data("3\r\nabc\n0\r\n\r\n")]
#[case::a_bare_lf_at_the_end("3\r\nabc\r\n0\n\n")]
fn a_malformed_chunk_is_refused(server: &Server, #[case] chunks: &str) {
    ours_only!("others let some of these pass");
    let request = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    expect_refusal(server, request.as_bytes(), &[400]);
}

#[rstest]
fn a_chunk_extension_without_end_is_refused(server: &Server) {
    ours_only!("others let it pass");
    let extension = "x".repeat(1 << 20);
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;{extension}\r\nabc\r\n0\r\n\r\n"
    );
    expect_refusal(server, request.as_bytes(), &[400, 413]);
}

#[rstest]
#[case::missing("GET /hello HTTP/1.1\r\n\r\n")]
#[case::twice("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")]
#[case::twice_the_same("GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")]
#[case::with_a_space("GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n")]
#[case::with_a_path("GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n")]
#[case::with_a_user("GET /hello HTTP/1.1\r\nHost: me@a\r\n\r\n")]
#[case::a_list("GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n")]
fn a_host_that_is_unclear_is_refused(server: &Server, #[case] request: &str) {
    ours_only!("others let some of these pass");
    expect_refusal(server, request.as_bytes(), &[400]);
}

#[rstest]
#[case::bare_lf("GET /hello HTTP/1.1\nHost: localhost\n\n")]
#[case::one_bare_lf("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: b\nC: d\r\n\r\n")]
#[case::bare_lf_at_the_end("GET /hello HTTP/1.1\r\nHost: localhost\r\n\n")]
#[case::bare_cr("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: b\rC: d\r\n\r\n")]
#[case::obsolete_folding("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n")]
#[case::folding_in_the_first_line("GET /hello HTTP/1.1\r\n Host: localhost\r\n\r\n")]
#[case::a_space_before_the_colon("GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length : 3\r\n\r\nabc")]
#[case::a_tab_before_the_colon("GET /hello HTTP/1.1\r\nHost: localhost\r\nA\t: b\r\n\r\n")]
#[case::no_colon("GET /hello HTTP/1.1\r\nHost: localhost\r\nNothing\r\n\r\n")]
#[case::no_name("GET /hello HTTP/1.1\r\nHost: localhost\r\n: b\r\n\r\n")]
#[case::a_name_with_a_space("GET /hello HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n")]
#[case::a_name_with_brackets("GET /hello HTTP/1.1\r\nHost: localhost\r\nA[b]: c\r\n\r\n")]
#[case::a_nul_in_a_name("GET /hello HTTP/1.1\r\nHost: localhost\r\nA\0: b\r\n\r\n")]
#[case::a_nul_in_a_value("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: b\0c\r\n\r\n")]
#[case::a_control_character_in_a_value("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: b\x01c\r\n\r\n")]
fn a_malformed_header_is_refused(server: &Server, #[case] request: &str) {
    expect_refusal(server, request.as_bytes(), &[400]);
}

#[rstest]
#[case::a_bad_method("G@T /hello HTTP/1.1")]
#[case::a_method_in_brackets("(GET) /hello HTTP/1.1")]
#[case::no_method(" /hello HTTP/1.1")]
#[case::a_space_before_the_method(" GET /hello HTTP/1.1")]
#[case::no_target("GET HTTP/1.1")]
#[case::two_spaces("GET  /hello HTTP/1.1")]
#[case::a_space_in_the_target("GET /hello world HTTP/1.1")]
#[case::a_tab_for_a_space("GET\t/hello\tHTTP/1.1")]
#[case::a_target_without_a_slash("GET hello HTTP/1.1")]
#[case::an_authority_as_target("GET localhost:80 HTTP/1.1")]
#[case::an_asterisk_with_get("GET * HTTP/1.1")]
#[case::a_nul_in_the_target("GET /he\0llo HTTP/1.1")]
#[case::a_control_character_in_the_target("GET /he\x7fllo HTTP/1.1")]
#[case::no_version("GET /hello")]
#[case::a_version_in_lower_case("GET /hello http/1.1")]
#[case::a_version_with_a_tail("GET /hello HTTP/1.1x")]
#[case::a_version_of_two_digits("GET /hello HTTP/1.10")]
#[case::another_protocol("GET /hello ICAP/1.0")]
fn a_malformed_request_line_is_refused(server: &Server, #[case] line: &str) {
    ours_only!("others let some of these pass");
    let request = format!("{line}\r\nHost: localhost\r\n\r\n");
    expect_refusal(server, request.as_bytes(), &[400]);
}

#[rstest]
#[case::http_2_as_text("GET /hello HTTP/2.0\r\nHost: localhost\r\n\r\n", 505)]
#[case::http_2_preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)]
#[case::http_3("GET /hello HTTP/3.0\r\nHost: localhost\r\n\r\n", 505)]
#[case::connect("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 501)]
fn what_is_not_spoken_is_named(server: &Server, #[case] request: &str, #[case] status: u16) {
    ours_only!("others answer 400, or worse, 200");
    expect_refusal(server, request.as_bytes(), &[status]);
}

#[rstest]
#[case::a_long_target(format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(1 << 20)), 414)]
#[case::a_long_header(format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {}\r\n\r\n", "a".repeat(1 << 20)), 431)]
#[case::many_headers(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(50_000)), 431)]
#[case::a_long_method(format!("{} / HTTP/1.1\r\nHost: localhost\r\n\r\n", "A".repeat(1 << 20)), 414)]
fn an_oversize_head_is_refused(server: &Server, #[case] request: String, #[case] status: u16) {
    ours_only!("others answer 400 or nothing");
    expect_refusal(server, request.as_bytes(), &[status]);
}

#[rstest]
#[case::in_the_request_line("GET /hel")]
#[case::in_the_head("GET /hello HTTP/1.1\r\nHost: loc")]
#[case::in_the_body("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")]
#[case::in_a_chunk("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")]
#[case::before_the_last_chunk(
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
)]
fn a_request_that_ends_early_never_reaches_the_application(server: &Server, #[case] request: &str) {
    let mut connection = server.connect();
    connection.send(request);
    connection.finish_sending();
    let rest = connection.receive_rest();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{rest}");
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
}

#[rstest]
fn noise_is_refused(server: &Server) {
    let noise: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    expect_refusal(server, &noise, &[400]);
    // The first bytes of a TLS connection, a frequent mistake.
    expect_refusal(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", &[400]);
}
