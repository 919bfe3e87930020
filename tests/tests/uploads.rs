//! Request bodies: any size, whole or in chunks, from clients that are slow or leave.

use passenger_tests::{App, Request, Server, ours_only};
use rstest::{fixture, rstest};
use serde_json::json;
use sha2::{Digest as _, Sha256};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::reference()).max_pool_size(1).start()
}

/// Bytes without a pattern that a mix-up could keep.
fn upload(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn digest(body: &[u8]) -> serde_json::Value {
    let hex: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "length": body.len(), "sha256": hex })
}

#[rstest]
#[case::nothing(0)]
#[case::a_byte(1)]
#[case::a_page(4096)]
#[case::more_than_a_frame(200_000)]
#[case::a_megabyte(1 << 20)]
#[case::more_than_memory_should_hold(20 << 20)]
fn an_upload_arrives_whole(server: &Server, #[case] length: usize) {
    let body = upload(length);
    assert_eq!(server.request(&Request::post("/echo", body.clone())).json(), digest(&body));
    assert_eq!(server.request(&Request::post_chunked("/echo", &body, &[100, 65_536])).json(), digest(&body));
}

#[rstest]
fn uploads_follow_each_other_on_one_connection(server: &Server) {
    let mut connection = server.connect();
    for length in [10, 2 << 20, 0, 300_000, 1] {
        let body = upload(length);
        assert_eq!(connection.request(&Request::post("/echo", body.clone())).json(), digest(&body));
        assert_eq!(connection.request(&Request::post_chunked("/echo", &body, &[70_000])).json(), digest(&body));
    }
}

#[rstest]
#[case::by_length(false)]
#[case::in_chunks(true)]
fn a_slow_upload_holds_no_worker(server: &Server, #[case] chunked: bool) {
    let body = upload(300_000);
    let request =
        if chunked { Request::post_chunked("/echo", &body, &[1000]) } else { Request::post("/echo", body.clone()) };
    let bytes = request.to_bytes();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut slow = server.connect();
    slow.send(first);
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    slow.send(rest);
    assert_eq!(slow.receive().json(), digest(&body));
}

#[rstest]
fn clients_that_leave_in_the_midst_of_an_upload_never_reach_the_application(server: &Server) {
    for length in [10, 1000, 3 << 20] {
        let bytes = Request::post("/log/from-a-client-that-left", upload(length)).to_bytes();
        let mut connection = server.connect();
        connection.send(&bytes[..bytes.len() - 1]);
    }
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    assert!(!server.log().contains("from-a-client-that-left"));
}

#[rstest]
fn an_upload_that_nobody_reads_is_no_obstacle(server: &Server) {
    let mut connection = server.connect();
    assert_eq!(connection.request(&Request::post("/ignore", upload(5 << 20))).text(), "ignored\n");
    assert_eq!(connection.request(&Request::get("/hello")).text(), "Hello from the app\n");
}

#[rstest]
fn a_client_may_send_the_next_request_before_the_answer_to_its_upload(server: &Server) {
    ours_only!("Puma 5 takes what follows a body for a part of it");
    let body = upload(1 << 20);
    let mut connection = server.connect();
    connection.send([Request::post("/echo", body.clone()).to_bytes(), Request::get("/hello").to_bytes()].concat());
    assert_eq!(connection.receive().json(), digest(&body));
    assert_eq!(connection.receive().text(), "Hello from the app\n");
}

#[rstest]
fn no_file_is_left_behind(server: &Server) {
    ours_only!("Puma leaves its temporary files to the garbage collector");
    let body = upload(5 << 20);
    server.request(&Request::post("/echo", body));
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.get("/pid").number())).expect("the worker is alive");
    let spilled = open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let spilled: Vec<_> = spilled.filter(|path| path.to_string_lossy().contains("(deleted)")).collect();
    assert!(spilled.is_empty(), "the worker still has {spilled:?} open");
}
