//! Files in `public/` are served without the application, and nothing else is.

use passenger_tests::{App, Language, Request, Server, ours_only};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::reference()).max_pool_size(1).start()
}

#[rstest]
#[case("/static.txt", "text/plain", "a static file\n")]
#[case("/static.txt?version=1", "text/plain", "a static file\n")]
#[case("/style.css", "text/css", "body { color: navy; }\n")]
#[case("/deep/page.html", "text/html", "<h1>deep</h1>\n")]
#[case("/deep/page", "text/html", "<h1>deep</h1>\n")]
#[case("/a%20file.txt", "text/plain", "spaced\n")]
#[case("/%73tatic.txt", "text/plain", "a static file\n")]
#[case("/shadowed", "application/octet-stream", "shadows the application\n")]
fn a_file_is_served(server: &Server, #[case] path: &str, #[case] content_type: &str, #[case] body: &str) {
    ours_only!("Puma leaves files to the application");
    let response = server.get(path);
    assert_eq!((response.status, response.text()), (200, body));
    assert!(response.header("Content-Type").is_some_and(|value| value.starts_with(content_type)), "{response:?}");
    assert!(response.header("Last-Modified").is_some_and(|value| value.ends_with(" GMT")), "{response:?}");
}

#[rstest]
fn head_is_answered_without_the_file(server: &Server) {
    ours_only!("Puma leaves files to the application");
    let mut connection = server.connect();
    let response = connection.request(&Request::new("HEAD", "/static.txt"));
    assert_eq!((response.status, response.header("Content-Length")), (200, Some("14")));
    assert_eq!(connection.request(&Request::get("/static.txt")).text(), "a static file\n");
}

#[rstest]
fn a_file_that_the_client_has_is_not_sent_again(server: &Server) {
    ours_only!("Puma leaves files to the application");
    let modified = server.get("/static.txt").header("Last-Modified").expect("a date").to_owned();
    let again = server.request(&Request::get("/static.txt").header("If-Modified-Since", &modified));
    assert_eq!((again.status, again.text()), (304, ""));
    let older = Request::get("/static.txt").header("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(server.request(&older).status, 200);
    let nonsense = Request::get("/static.txt").header("If-Modified-Since", "yesterday");
    assert_eq!(server.request(&nonsense).status, 200);
}

#[rstest]
fn a_file_is_served_while_all_workers_are_busy(server: &Server) {
    ours_only!("Puma leaves files to the application");
    let mut busy = server.connect();
    busy.send(Request::get("/wait/static").to_bytes());
    server.app().worker_at_gate("static");
    assert_eq!(server.get("/static.txt").text(), "a static file\n");
    server.app().open_gate("static");
    assert_eq!(busy.receive().status, 200);
}

#[rstest]
#[case::a_post("POST", "/static.txt")]
#[case::a_put("PUT", "/static.txt")]
#[case::a_directory("GET", "/deep")]
#[case::a_directory_with_a_slash("GET", "/deep/")]
#[case::a_missing_file("GET", "/missing.txt")]
#[case::a_file_with_a_slash("GET", "/static.txt/")]
#[case::a_path_below_a_file("GET", "/static.txt/more")]
fn what_is_not_a_file_to_get_is_left_to_the_application(server: &Server, #[case] method: &str, #[case] path: &str) {
    let response = server.request(&Request::new(method, path));
    assert_eq!(response.status, 404);
    assert!(response.text().starts_with("no such path"), "{response:?}");
}

/// `FILE` stands for a file of the application.
#[rstest]
#[case("/../FILE")]
#[case("/deep/../../FILE")]
#[case("/%2e%2e/FILE")]
#[case("/%2E%2E%2FFILE")]
#[case("/..%2fFILE")]
#[case("/deep/..%2f..%2fFILE")]
#[case("/..%5cFILE")]
#[case("/%252e%252e/FILE")]
#[case("//../FILE")]
#[case("/./../FILE")]
#[case("/static.txt%00")]
#[case("/%00/../../FILE")]
#[case("/....//FILE")]
#[case("//etc/passwd")]
#[case("/%2fetc/passwd")]
fn no_path_leads_out_of_the_directory(server: &Server, #[case] path: &str) {
    let response = server.get(&path.replace("FILE", Language::current().startup_file()));
    assert!(matches!(response.status, 400 | 404), "{response:?}");
    assert!(!response.text().contains("dispatch(") && !response.text().contains("root:"), "{response:?}");
}

#[rstest]
fn files_change_and_new_ones_appear(server: &Server) {
    ours_only!("Puma leaves files to the application");
    server.app().write("public/changing.txt", "before");
    assert_eq!(server.get("/changing.txt").text(), "before");
    server.app().write("public/changing.txt", "after that");
    assert_eq!(server.get("/changing.txt").text(), "after that");
}

#[rstest]
#[case::empty(0)]
#[case::large(30_000_000)]
fn a_file_of_any_size_arrives_whole(server: &Server, #[case] length: usize) {
    ours_only!("Puma leaves files to the application");
    let file = format!("size-{length}.bin");
    let contents: Vec<u8> = (0..=250).cycle().take(length).collect();
    server.app().write(&format!("public/{file}"), &contents);
    assert!(server.get(&format!("/{file}")).body == contents);
}

#[rstest]
fn another_directory_can_be_chosen() {
    ours_only!("an option of ours");
    let app = App::reference();
    app.write("web/assets/here.txt", "here\n");
    let server = Server::of(app).argument("--static-files-dir").argument("web").start();
    assert_eq!(server.get("/assets/here.txt").text(), "here\n");
    assert_eq!(server.get("/static.txt").status, 404);
}
