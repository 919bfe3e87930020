//! HTTP as an ASGI application sees it: many requests at once, both directions streamed, disconnects, extensions, and the lifespan around it.

use nix::sys::signal::Signal;
use passenger_tests::{App, Framing, Request, Server, Status, wait_until};
use rstest::{fixture, rstest};
use serde_json::{Value, json};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("asgi")).max_pool_size(1).start()
}

/// Waits until the application has noted this about the key.
#[track_caller]
fn expect_fate(server: &Server, key: &str, fate: &str) {
    wait_until("its fate is known", || server.get(&format!("/fate/{key}")).text() != "unknown\n");
    assert_eq!(server.get(&format!("/fate/{key}")).text().trim(), fate);
}

/// What a client sees of an answer whose end may not look like one.
#[track_caller]
fn receive_all(server: &Server, path: &str) -> String {
    let mut connection = server.connect();
    connection.send(Request::get(path).header("Connection", "close").to_bytes());
    connection.receive_rest()
}

#[rstest]
fn a_request_is_described_as_asgi_has_it(server: &Server) {
    let request =
        Request::get("/scope/%C3%A4%2F?a=1&b=%20").header("Host", "example.org:8080").header("X-Custom", "Value");
    let scope = server.request(&request).json();
    for (name, value) in [
        ("type", json!("http")),
        ("http_version", json!("1.1")),
        ("method", json!("GET")),
        ("scheme", json!("http")),
        ("path", json!("/scope/\u{e4}/")),
        ("raw_path", json!("/scope/%C3%A4%2F")),
        ("query_string", json!("a=1&b=%20")),
        ("root_path", json!("")),
    ] {
        assert_eq!(scope[name], value, "{name}");
    }
    assert_eq!(scope["asgi"]["version"], "3.0");
    assert!(scope["asgi"]["spec_version"].is_string());
    assert_eq!(scope["client"][0], "127.0.0.1");
    assert!(scope["server"].is_array(), "{scope}");
    let headers = scope["headers"].as_array().expect("headers");
    assert!(headers.contains(&json!(["host", "example.org:8080"])), "{scope}");
    assert!(headers.contains(&json!(["x-custom", "Value"])), "{scope}");
    for extension in ["http.response.pathsend", "http.response.early_hint"] {
        assert!(scope["extensions"][extension].is_object(), "{extension}: {scope}");
    }
}

#[rstest]
fn headers_that_come_twice_stay_two(server: &Server) {
    let request = Request::get("/scope").header("X-Twice", "first").header("x-twice", "second");
    let scope = server.request(&request).json();
    let headers = scope["headers"].as_array().expect("headers");
    let twice: Vec<_> = headers.iter().filter(|header| header[0] == "x-twice").map(|header| &header[1]).collect();
    // HTTP says that the two spellings mean the same.
    assert!(twice == ["first", "second"] || twice == ["first, second"], "{scope}");
}

#[rstest]
fn one_worker_serves_many_requests_at_once(server: &Server) {
    let mut connections: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for connection in &mut connections {
        connection.send(Request::get("/together/many").to_bytes());
    }
    wait_until("all are being served", || server.get("/present").number() == 50);
    server.app().open_gate("many");
    let most: Vec<_> = connections.iter_mut().map(|connection| connection.receive().number()).collect();
    assert_eq!(most.into_iter().max(), Some(50));
    assert_eq!(Status::of(server).workers().len(), 1);
}

#[rstest]
fn answers_overtake_each_other(server: &Server) {
    let mut slow = server.connect();
    slow.send(Request::get("/gated/overtaken").to_bytes());
    slow.receive_until("before the gate\n");
    for size in [0, 1, 100_000, 3_000_000] {
        assert_eq!(server.get(&format!("/big-stream/{size}")).body.len(), size);
    }
    server.app().open_gate("overtaken");
    slow.receive_until("after the gate\n");
}

#[rstest]
fn a_client_that_does_not_read_slows_its_own_stream_and_no_other(server: &Server) {
    let mut reluctant = server.connect();
    reluctant.send(Request::get("/greedy").to_bytes());
    reluctant.receive_until("\r\n\r\n");
    let taken = || server.get("/fate/greedy").text().trim().parse::<u32>().unwrap_or_default();
    let mut before = 0;
    wait_until("the application has to wait", || {
        let now = taken();
        std::mem::replace(&mut before, now) == now && now > 0
    });
    assert_eq!(server.get("/big-stream/5000000").body.len(), 5_000_000);
    drop(reluctant);
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
#[case::before_the_answer("until-disconnect")]
#[case::in_the_midst_of_it("stream-until-disconnect")]
fn the_application_hears_of_a_client_that_leaves(server: &Server, #[case] path: &str) {
    let mut connection = server.connect();
    connection.send(Request::get(&format!("/{path}/{path}")).to_bytes());
    if path == "until-disconnect" {
        wait_until("it waits", || server.app().has(&format!("tmp/waits-{path}")));
    } else {
        connection.receive_until("still here\n");
    }
    drop(connection);
    expect_fate(server, path, "http.disconnect");
}

#[rstest]
fn there_is_nothing_to_receive_behind_the_answer_but_the_disconnect(server: &Server) {
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get("/receive-after-answer/behind")).text(), "answered\n");
    // The connection stays open; the request is over all the same.
    expect_fate(server, "behind", "http.disconnect");
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
}

#[rstest]
fn work_behind_the_answer_holds_up_neither_client_nor_worker(server: &Server) {
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get("/after-answer/task")).text(), "answered\n");
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
    server.app().open_gate("task");
    expect_fate(server, "task", "worked");
}

#[rstest]
#[case::with_a_length("/file", Framing::Length)]
#[case::without("/file-without-length", Framing::Chunked)]
fn a_file_is_sent_by_its_path(server: &Server, #[case] path: &str, #[case] framing: Framing) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get(path));
    assert_eq!((response.text(), response.framing), (server.app().read("data/alphabet.txt").as_str(), framing));
    assert_eq!(connection.request(&Request::new("HEAD", path)).status, 200);
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn a_file_that_is_not_there_is_an_error(server: &Server) {
    let received = receive_all(server, "/file-missing");
    assert!(received.starts_with("HTTP/1.1 500 "), "{received}");
    server.wait_for_log("alphabet.txt.missing");
}

#[rstest]
#[case::broken_before_the_body("/raise-after-start", "broken before the body")]
#[case::broken_in_the_body("/raise-in-body", "the body broke")]
#[case::ended_in_the_body("/half-an-answer", "")]
fn an_answer_that_breaks_off_never_looks_complete(server: &Server, #[case] path: &str, #[case] logged: &str) {
    let pid = server.get("/pid").number();
    let received = receive_all(server, path);
    assert!(received.starts_with("HTTP/1.1 500 ") || !received.ends_with("0\r\n\r\n"), "{received}");
    server.wait_for_log(logged);
    assert_eq!(server.get("/pid").number(), pid);
}

#[rstest]
fn an_error_behind_the_answer_is_only_logged(server: &Server) {
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::get("/raise-at-the-end")).text(), "complete\n");
    server.wait_for_log("broken behind the answer");
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
}

#[rstest]
#[case::nothing_at_all("no-answer")]
#[case::a_body_without_a_start("body-first")]
#[case::a_start_without_a_body("no-body")]
#[case::two_starts("start-twice")]
#[case::a_message_that_nobody_knows("unknown-message")]
#[case::text_for_bytes("text-body")]
#[case::text_for_a_status("text-status")]
fn an_answer_that_is_none_is_an_error_and_the_worker_goes_on(server: &Server, #[case] path: &str) {
    let pid = server.get("/pid").number();
    let received = receive_all(server, &format!("/{path}"));
    assert!(received.starts_with("HTTP/1.1 500 ") || !received.ends_with("0\r\n\r\n"), "{received}");
    assert_eq!(server.get("/pid").number(), pid);
}

#[rstest]
#[case::no_headers("without-headers", "no headers")]
#[case::headers_as_an_iterator("headers-as-an-iterator", "iterated")]
#[case::a_name_in_upper_case("upper-case-header", "upper")]
#[case::too_much("body-after-the-end", "complete\n")]
fn odd_answers_pass(server: &Server, #[case] path: &str, #[case] body: &str) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get(&format!("/{path}")));
    assert_eq!((response.status, response.text()), (200, body));
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
}

#[rstest]
fn a_body_with_204_is_none(server: &Server) {
    let mut connection = server.connect();
    let response = connection.request(&Request::get("/body-with-204"));
    assert_eq!((response.status, response.text()), (204, ""));
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
}

#[rstest]
fn requests_have_a_copy_of_the_state_that_the_lifespan_left(server: &Server) {
    let pid = server.get("/pid").number();
    let (first, second) = (server.get("/state").json(), server.get("/state").json());
    for state in [&first, &second] {
        assert_eq!(state["started_by"], pid, "the lifespan is the worker's own");
        assert_eq!(state["requests"], 1, "what a request sets is its own");
    }
    let shared = |state: &Value| state["shared"].as_array().map(Vec::len);
    assert_eq!(shared(&second), shared(&first).map(|length| length + 1), "what the state refers to is not copied");
}

#[rstest]
fn the_lifespan_ends_with_the_worker(#[values("smart", "direct")] spawn_method: &str) {
    let mut server = Server::of(App::fixture("asgi")).argument("--spawn-method").argument(spawn_method).start();
    let pid = server.get("/pid").number();
    assert!(server.app().has(&format!("tmp/started-{pid}")));
    assert!(!server.app().has(&format!("tmp/stopped-{pid}")));
    assert_eq!(server.end_with(Signal::SIGTERM).code(), Some(0));
    assert!(server.app().has(&format!("tmp/stopped-{pid}")), "{}", server.log());
}

#[rstest]
fn a_startup_that_fails_is_the_reason_why_the_worker_does_not_start(#[values("smart", "direct")] spawn_method: &str) {
    let launch = Server::of(App::fixture("asgi")).variable("LIFESPAN", "fails");
    let failure = launch.argument("--spawn-method").argument(spawn_method).start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in ["the database cannot be reached", "lifespan"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

/// So ASGI has it, since this is how applications without a lifespan behave.
#[rstest]
fn an_application_whose_lifespan_raises_is_served_and_the_error_is_logged() {
    let server = Server::of(App::fixture("asgi")).variable("LIFESPAN", "raises").start();
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    server.wait_for_log("RuntimeError: the cache cannot be reached");
}

#[rstest]
fn a_startup_that_never_ends_is_given_up() {
    let launch = Server::of(App::fixture("asgi")).variable("LIFESPAN", "hangs").argument("--start-timeout=1");
    let failure = launch.start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in ["1 s", "lifespan", "--start-timeout"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

#[rstest]
#[case::that_knows_no_lifespan("unsupported")]
#[case::whose_lifespan_returns_early("returns")]
#[case::that_starts_slowly("slow")]
fn an_application_is_served(#[case] lifespan: &str) {
    let server = Server::of(App::fixture("asgi")).variable("LIFESPAN", lifespan).start();
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
}

#[rstest]
fn a_shutdown_that_fails_is_logged() {
    let mut server = Server::of(App::fixture("asgi")).variable("LIFESPAN", "fails-at-the-end").start();
    server.get("/hello");
    server.end_with(Signal::SIGTERM);
    assert!(server.log().contains("the buffer was not flushed"), "{}", server.log());
}

#[rstest]
fn a_stop_waits_for_work_behind_answers() {
    let server = Server::of(App::fixture("asgi")).start();
    assert_eq!(server.get("/after-answer/last").text(), "answered\n");
    server.app().worker_at_gate("last");
    server.process().signal(Signal::SIGTERM);
    server.wait_for_log("Stopping");
    server.app().open_gate("last");
    server.process().wait_until_gone();
    assert!(server.app().has("tmp/worked-last"), "{}", server.log());
}
