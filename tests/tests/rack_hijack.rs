//! The application takes the connection over: WebSockets and their kin.

use nix::sys::signal::Signal;
use passenger_tests::{App, Request, Server, ours_only};
use rstest::{fixture, rstest};
use serde_json::json;

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("rack")).max_pool_size(1).start()
}

#[rstest]
fn hijacking_is_offered(server: &Server) {
    assert_eq!(server.get("/offered").json(), json!({ "hijack?": true, "hijack": true }));
}

#[rstest]
#[case::from_the_first_byte("/full-hijack", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")]
#[case::from_a_thread(
    "/full-hijack-later",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
)]
fn a_hijacked_connection_belongs_to_the_application(server: &Server, #[case] path: &str, #[case] head: &str) {
    let mut connection = server.connect();
    connection.send(Request::get(path).header("Connection", "Upgrade").header("Upgrade", "echo").to_bytes());
    assert_eq!(connection.receive_until("\r\n\r\n"), head);
    for word in ["one", "two", "bye"] {
        connection.send(format!("{word}\n"));
        assert_eq!(connection.receive_until("\n"), format!("echo {word}\n"));
    }
    connection.expect_close();
}

#[rstest]
fn bytes_that_follow_the_request_at_once_reach_the_application(server: &Server) {
    ours_only!("Puma 5 keeps them");
    let mut connection = server.connect();
    connection.send([&Request::get("/full-hijack").to_bytes()[..], b"early\nbye\n"].concat());
    connection.receive_until("\r\n\r\n");
    assert_eq!(connection.receive_rest(), "echo early\necho bye\n");
}

#[rstest]
fn a_partly_hijacked_response_has_the_servers_head(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/partial-hijack").to_bytes());
    let head = connection.receive_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("rack.hijack"), "{head}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    for word in ["one", "bye"] {
        connection.send(format!("{word}\n"));
        assert_eq!(connection.receive_until("\n"), format!("echo {word}\n"));
    }
    connection.expect_close();
}

#[rstest]
fn a_hijacked_connection_holds_no_worker(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/full-hijack-later").to_bytes());
    connection.receive_until("\r\n\r\n");
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    connection.send("bye\n");
    assert_eq!(connection.receive_rest(), "echo bye\n");
}

#[rstest]
#[case("/full-hijack")]
#[case("/full-hijack-later")]
#[case("/partial-hijack")]
fn a_client_that_leaves_is_the_end_of_the_conversation(server: &Server, #[case] path: &str) {
    let mut connection = server.connect();
    connection.send(Request::get(path).to_bytes());
    connection.receive_until("\r\n\r\n");
    drop(connection);
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
}

#[rstest]
fn much_data_flows_both_ways(server: &Server) {
    let mut connection = server.connect();
    connection.send(Request::get("/full-hijack-later").to_bytes());
    connection.receive_until("\r\n\r\n");
    let line = "x".repeat(20_000);
    for _ in 0..20 {
        connection.send(format!("{line}\n"));
        assert_eq!(connection.receive_until("\n").len(), "echo \n".len() + line.len());
    }
    connection.send("bye\n");
    assert_eq!(connection.receive_rest(), "echo bye\n");
}

#[rstest]
fn a_head_request_gets_nothing_of_what_the_application_would_write(server: &Server) {
    ours_only!("Puma 5 lets the application write");
    let mut connection = server.connect();
    connection.send(Request::new("HEAD", "/partial-hijack").to_bytes());
    let head = connection.receive_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    connection.expect_close();
}

#[rstest]
fn a_hijacked_connection_does_not_hold_the_server_up() {
    ours_only!("our command");
    let mut server = Server::of(App::fixture("rack")).start();
    let mut connection = server.connect();
    connection.send(Request::get("/full-hijack-later").to_bytes());
    connection.receive_until("\r\n\r\n");
    let asked = std::time::Instant::now();
    assert_eq!(server.end_with(Signal::SIGTERM).code(), Some(0));
    // Far below the 30 s that a request may take, so that a busy machine does not fail it.
    assert!(asked.elapsed() < std::time::Duration::from_secs(15), "{:?}", asked.elapsed());
    connection.expect_close();
}
