//! WebSockets: the server speaks RFC 6455 with the client, the application sees messages.

use nix::sys::signal::Signal;
use passenger_tests::{App, Request, Server, Status, WebSocket, wait_until};
use rstest::{fixture, rstest};
use tungstenite::{Bytes, Message};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::fixture("asgi")).max_pool_size(1).start()
}

/// Waits until the application has noted this.
#[track_caller]
fn expect_note(server: &Server, note: &str) {
    wait_until(&format!("the application notes {note}"), || server.app().has(&format!("tmp/{note}")));
}

/// A handshake in which one header is another.
fn handshake(name: &str, value: &str) -> Request {
    let usual = [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let request = Request::get("/echo");
    usual
        .iter()
        .fold(request, |request, (usual, good)| request.header(usual, if *usual == name { value } else { good }))
}

#[rstest]
fn messages_come_back_as_they_were_sent(server: &Server) {
    let mut socket = WebSocket::open(server, "/echo");
    for text in ["hello", "", "\u{e4}\u{20ac}\u{1f600}", &"x".repeat(200_000), &"\u{20ac}".repeat(1_000_000)] {
        socket.send(text);
        assert_eq!(socket.receive(), text);
    }
    for length in [0, 1, 125, 126, 65_535, 65_536, 300_000, 5_000_000] {
        let bytes: Vec<u8> = (0..length).map(|number: u32| (number % 251) as u8).collect();
        socket.send_bytes(&bytes);
        assert!(socket.receive_bytes() == bytes, "{length} bytes");
    }
    assert_eq!(socket.close(1000, ""), 1000);
}

#[rstest]
fn many_messages_at_once_keep_their_order(server: &Server) {
    let mut socket = WebSocket::open(server, "/echo");
    (0..2000).for_each(|number| socket.send(&number.to_string()));
    (0..2000).for_each(|number| assert_eq!(socket.receive(), number.to_string()));
}

#[rstest]
fn fragments_are_one_message_even_with_a_ping_between(server: &Server) {
    let mut socket = WebSocket::open(server, "/echo");
    // The second character is cut in two.
    socket.send_fragments(&[b"a\xe2\x82", b"\xac", b"b"]);
    assert_eq!(socket.receive(), "a\u{20ac}b");
    socket.send_raw(&[0x01, 0x81, 0, 0, 0, 0, b'1', 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x81, 0, 0, 0, 0, b'2']);
    assert_eq!(
        socket.receive_any(),
        Message::Pong(Bytes::new()),
        "a ping goes before the message that it came in the midst of"
    );
    assert_eq!(socket.receive(), "12");
}

#[rstest]
fn pings_are_answered_while_the_application_is_busy(server: &Server) {
    let mut socket = WebSocket::open(server, "/deaf");
    socket.ping(b"are you there?");
}

#[rstest]
fn messages_that_come_with_the_handshake_are_not_lost(server: &Server) {
    let mut connection = server.connect();
    let early = [0x81, 0x85, 0, 0, 0, 0, b'e', b'a', b'r', b'l', b'y'];
    connection.send([&handshake("", "").to_bytes()[..], &early].concat());
    let head = connection.receive_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    assert!(connection.receive_until("early").ends_with("\u{5}early"));
}

#[rstest]
fn a_subprotocol_and_headers_are_the_applications_choice(server: &Server) {
    let mut socket = WebSocket::try_open(server, "/chat", &["superchat", "chat"]).expect("it is accepted");
    assert_eq!(socket.header("Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!(socket.header("X-Accepted"), Some("yes"));
    assert_eq!(socket.receive(), "superchat,chat");
    assert_eq!(socket.receive_close(), (1000, "done".to_owned()));
    assert_eq!(WebSocket::open(server, "/chat").header("Sec-WebSocket-Protocol"), None);
}

#[rstest]
#[case::by_a_close("/refuse", 403, "")]
#[case::by_a_response("/deny", 401, "who are you?")]
#[case::by_an_error("/raise-before", 500, "")]
fn the_application_may_refuse(server: &Server, #[case] path: &str, #[case] status: u16, #[case] body: &str) {
    let refusal = WebSocket::try_open(server, path, &[]).err().expect("it is refused");
    assert_eq!(refusal.status, status);
    assert!(body.starts_with(&refusal.body) || status == 500, "{refusal:?}");
}

#[rstest]
#[case::another_version("Sec-WebSocket-Version", "8", 426)]
#[case::no_key("Sec-WebSocket-Key", "", 400)]
#[case::a_short_key("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==", 400)]
fn a_handshake_that_is_not_valid_is_refused(
    server: &Server,
    #[case] name: &str,
    #[case] value: &str,
    #[case] status: u16,
) {
    let mut connection = server.connect();
    let response = connection.request(&handshake(name, value));
    assert_eq!(response.status, status);
    assert_eq!(response.header("Sec-WebSocket-Version"), (status == 426).then_some("13"));
    assert_eq!(connection.request(&Request::get("/hello")).status, 200);
}

#[rstest]
fn what_asks_for_another_protocol_is_an_ordinary_request(server: &Server) {
    let request = Request::get("/hello").header("Connection", "Upgrade, HTTP2-Settings").header("Upgrade", "h2c");
    assert_eq!(server.request(&request).status, 200);
}

#[rstest]
fn the_application_hears_how_the_client_closed(server: &Server) {
    assert_eq!(WebSocket::open(server, "/echo").close(3001, "enough"), 3001);
    expect_note(server, "disconnected-3001");
}

#[rstest]
fn the_application_hears_of_a_client_that_vanishes(server: &Server) {
    let mut socket = WebSocket::open(server, "/echo");
    socket.send("hello");
    assert_eq!(socket.receive(), "hello");
    drop(socket);
    expect_note(server, "disconnected-1006");
}

#[rstest]
fn a_client_that_vanishes_stops_what_is_sent_to_it(server: &Server) {
    let mut socket = WebSocket::open(server, "/push");
    assert_eq!(socket.receive(), "message 0");
    drop(socket);
    expect_note(server, "pushed-websocket.disconnect");
}

#[rstest]
#[case::with_a_code("close 4001 go away", 4001, "go away")]
#[case::without_words("bye", 1000, "")]
fn the_application_closes(server: &Server, #[case] order: &str, #[case] code: u16, #[case] reason: &str) {
    let mut socket = WebSocket::open(server, "/echo");
    socket.send(order);
    assert_eq!(socket.receive_close(), (code, reason.to_owned()));
}

#[rstest]
fn an_application_that_breaks_closes_with_1011(server: &Server) {
    assert_eq!(WebSocket::open(server, "/raise-after").receive_close().0, 1011);
    server.wait_for_log("broken in the conversation");
}

#[rstest]
#[case::text_that_is_not_utf8(&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007)]
#[case::a_frame_without_a_mask(&[0x81, 0x01, b'x'], 1002)]
#[case::an_unknown_kind_of_frame(&[0x83, 0x80, 0, 0, 0, 0], 1002)]
#[case::a_message_over_16_mib(&[0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0], 1009)]
fn what_must_not_be_sent_ends_the_conversation(server: &Server, #[case] bytes: &[u8], #[case] code: u16) {
    let mut socket = WebSocket::open(server, "/echo");
    socket.send("before");
    assert_eq!(socket.receive(), "before");
    socket.send_raw(bytes);
    assert_eq!(socket.receive_close().0, code);
    expect_note(server, &format!("disconnected-{code}"));
}

#[rstest]
fn a_client_that_does_not_read_gets_everything_later_and_holds_up_nobody(server: &Server) {
    let mut slow = WebSocket::open(server, "/flood");
    let mut other = WebSocket::open(server, "/echo");
    for length in [1, 1_000_000] {
        other.send_bytes(&vec![b'y'; length]);
        assert_eq!(other.receive_bytes().len(), length);
    }
    for _ in 0..1000 {
        assert_eq!(slow.receive_bytes().len(), 100_000);
    }
    assert_eq!(slow.receive_close().0, 1000);
}

#[rstest]
fn an_application_that_does_not_receive_slows_its_client_and_nobody_else(server: &Server) {
    let mut eager = WebSocket::open(server, "/deaf");
    let sent = eager.send_until_full(100_000, 1000);
    assert!(sent < 1000, "100 MB were taken for an application that receives nothing");
    let mut other = WebSocket::open(server, "/echo");
    other.send("hello");
    assert_eq!(other.receive(), "hello");
    assert_eq!(server.get("/big-stream/1000000").body.len(), 1_000_000);
    server.app().open_gate("hear");
    eager.flush();
    eager.send("bye");
    assert_eq!(eager.receive(), ((sent + 1) * 100_000).to_string());
}

#[rstest]
fn open_websockets_are_shown_and_are_no_requests() {
    let server = Server::of(App::fixture("asgi")).max_pool_size(3).start();
    let mut sockets: Vec<_> = (0..15).map(|_| WebSocket::open(&server, "/echo")).collect();
    for socket in &mut sockets {
        socket.send("hello");
        assert_eq!(socket.receive(), "hello");
    }
    let status = Status::of(&server);
    assert_eq!(status.group()["workers"][0]["websockets"], 15, "{status:?}");
    assert_eq!((status.workers().len(), status.workers()[0].sessions), (1, 0), "{status:?}");
    drop(sockets);
    wait_until("none is left", || Status::of(&server).group()["workers"][0]["websockets"] == 0);
}

#[rstest]
fn a_restart_closes_with_1012_and_the_client_comes_back_to_the_new_version() {
    let server = Server::of(App::fixture("asgi")).environment("production").start();
    let before = server.get("/pid").number();
    let mut socket = WebSocket::open(&server, "/echo");
    server.app().touch_restart_txt();
    wait_until("the new version serves", || server.get("/pid").number() != before);
    assert_eq!(socket.receive_close().0, 1012);
    let mut again = WebSocket::open(&server, "/echo");
    again.send("hello");
    assert_eq!(again.receive(), "hello");
}

#[rstest]
fn the_end_of_the_server_closes_with_1001() {
    let mut server = Server::of(App::fixture("asgi")).start();
    let mut sockets = [WebSocket::open(&server, "/echo"), WebSocket::open(&server, "/push")];
    let clients = std::thread::spawn(move || sockets.each_mut().map(|socket| socket.receive_close().0));
    assert_eq!(server.end_with(Signal::SIGTERM).code(), Some(0));
    assert_eq!(clients.join().expect("both are closed"), [1001, 1001]);
    assert!(server.app().has("tmp/disconnected-1001"), "{}", server.log());
}

#[rstest]
fn a_worker_that_dies_cuts_its_websockets() {
    let server = Server::of(App::fixture("asgi")).start();
    let mut socket = WebSocket::open(&server, "/echo");
    Status::of(&server).worker_processes()[0].signal(Signal::SIGKILL);
    socket.expect_cut();
    assert_eq!(server.get("/hello").status, 200);
}
