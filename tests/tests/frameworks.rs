//! Sinatra and Rails, as their users run them.

use passenger_tests::{App, Connection, Request, Response, Server, UnderTest, command, ours_only, wait_until};
use rstest::{fixture, rstest};
use std::collections::HashSet;
use std::process::Command;

/// The cookies that a response sets, as a browser sends them back.
fn cookies(response: &Response) -> String {
    let pairs =
        response.header_values("Set-Cookie").into_iter().map(|cookie| cookie.split(';').next().expect("a pair"));
    pairs.collect::<Vec<_>>().join("; ")
}

/// A form as a browser sends it; the values must need no escapes but for the token's.
fn form(target: &str, fields: &[(&str, &str)], cookies: &str) -> Request {
    let escape = |value: &str| value.replace('%', "%25").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    Request::post(target, pairs.join("&"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Cookie", cookies)
}

#[rstest]
fn the_example_application_greets_newcomers() {
    let page = Server::of(App::fixture("hello")).start().get("/");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    for text in ["Passenger is running", "ruby 3.", "development", "touch tmp/restart.txt", "passenger status"] {
        assert!(page.text().contains(text), "{text:?} is not in {page:?}");
    }
}

#[fixture]
#[once]
fn sinatra() -> Server {
    Server::of(App::fixture("sinatra")).max_pool_size(2).start()
}

#[rstest]
fn sinatra_has_routes_and_parameters(sinatra: &Server) {
    assert!(sinatra.get("/").text().starts_with("<h1>Hello from Sinatra</h1>"));
    assert_eq!(sinatra.get("/greet/you?greeting=how+are%20you").text(), "Hello you, how are you");
    assert_eq!(sinatra.get("/halt").status, 418);
    assert_eq!(sinatra.get("/nowhere").status, 404);
}

#[rstest]
fn sinatra_has_sessions(sinatra: &Server) {
    let posted = sinatra.request(&form("/visits", &[("by", "3")], ""));
    assert_eq!(posted.status, 303);
    assert!(posted.header("Location").is_some_and(|location| location.ends_with("/visits")));
    let again = sinatra.request(&form("/visits", &[("by", "4")], &cookies(&posted)));
    let visits = sinatra.request(&Request::get("/visits").header("Cookie", &cookies(&again)));
    assert_eq!(visits.text(), "visits: 7");
}

#[rstest]
fn sinatra_takes_uploads(sinatra: &Server) {
    let body = format!(
        "--border\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{}\r\n--border--\r\n",
        "x".repeat(1_000_000)
    );
    let request = Request::post("/upload", body).header("Content-Type", "multipart/form-data; boundary=border");
    assert_eq!(sinatra.request(&request).text(), "a.txt: 1000000 bytes");
}

#[rstest]
fn sinatra_streams_and_sends_files(sinatra: &Server) {
    assert_eq!(sinatra.get("/stream").text(), "first\nsecond\n");
    assert_eq!(sinatra.get("/file").text(), "body { font-family: sans-serif; }\n");
    assert_eq!(sinatra.get("/style.css").text(), "body { font-family: sans-serif; }\n");
}

#[rstest]
fn sinatra_shows_its_own_error_page(sinatra: &Server) {
    let response = sinatra.get("/broken");
    assert_eq!(response.status, 500);
    assert!(String::from_utf8_lossy(&response.body).contains("Sinatra is broken"));
}

#[fixture]
#[once]
fn rails() -> Server {
    Server::of(App::rails("production")).environment("production").max_pool_size(3).start()
}

/// Fills in the blog's form as a browser does: session cookie, token and all.
fn write_post(server: &Server, title: &str) -> Response {
    let page = server.get("/posts/new");
    let (_, behind) = page.text().split_once("name=\"authenticity_token\" value=\"").expect("a form with a token");
    let token = behind.split('"').next().expect("the token");
    let fields = [("authenticity_token", token), ("post[title]", title), ("post[body]", "of-the-post")];
    server.request(&form("/posts", &fields, &cookies(&page)))
}

#[rstest]
fn rails_renders_pages_and_takes_forms(rails: &Server) {
    assert!(rails.get("/").text().contains("<h1>The blog</h1>"));
    let created = write_post(rails, "a-new-post");
    assert_eq!(created.status, 302, "{created:?}");
    let location = created.header("Location").expect("a new post").to_owned();
    let path = location.split_once("//").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).expect("a path");
    let page = rails.request(&Request::get(path).header("Cookie", &cookies(&created)));
    assert!(page.text().contains("<h1>a-new-post</h1>"), "{page:?}");
    assert!(page.text().contains("Post saved."), "{page:?}");
    assert_eq!(write_post(rails, "").status, 422);
}

#[rstest]
fn rails_refuses_a_form_without_its_token(rails: &Server) {
    assert_eq!(rails.request(&form("/posts", &[("post[title]", "forged")], "")).status, 422);
}

#[rstest]
fn rails_answers_again_with_304(rails: &Server) {
    let first = rails.get("/");
    let tag = first.header("ETag").expect("an ETag");
    let request = Request::get("/").header("If-None-Match", tag).header("Cookie", &cookies(&first));
    assert!(matches!(rails.request(&request).status, 200 | 304));
}

#[rstest]
fn rails_streams_live(rails: &Server) {
    assert_eq!(rails.get("/live").text(), "data: 0\n\ndata: 1\n\ndata: 2\n\n");
}

#[rstest]
fn rails_sends_files(rails: &Server) {
    if UnderTest::is_ours() {
        assert!(rails.get("/blog.css").text().contains("font-family"));
        // By X-Sendfile, as config/environments/production.rb has it.
        assert_eq!(rails.get("/download").text(), "User-agent: *\n");
    }
    assert!(rails.get("/download").header("Content-Disposition").is_some_and(|value| value.contains("robots.txt")));
}

#[rstest]
fn every_forked_rails_worker_has_its_own_connection_to_the_database(rails: &Server) {
    ours_only!("Puma's single worker is the process that booted");
    let ask = |connection: &mut Connection| connection.send(Request::get("/database").to_bytes());
    let mut pids = HashSet::new();
    wait_until("all workers have answered", || {
        let mut connections: Vec<_> = (0..12).map(|_| rails.connect()).collect();
        connections.iter_mut().for_each(ask);
        for connection in &mut connections {
            let answer = connection.receive();
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = answer.json();
            assert_eq!(answer["inherited"], false, "{answer}");
            pids.insert(answer["pid"].to_string());
        }
        pids.len() > 1
    });
}

#[rstest]
fn rails_shows_its_own_error_pages() {
    let server = Server::of(App::rails("development")).start();
    let response = server.get("/broken");
    assert_eq!(response.status, 500);
    assert!(String::from_utf8_lossy(&response.body).contains("Rails is broken"), "{response:?}");
    assert_eq!(server.get("/posts/4711").status, 404);
    assert_eq!(server.get("/").status, 200);
}

#[rstest]
fn rails_reloads_code_in_development() {
    let server = Server::of(App::rails("development")).start();
    assert!(server.get("/").text().contains("The blog"));
    server.app().edit("app/views/posts/index.html.erb", "The blog", "The diary");
    wait_until("the view is loaded anew", || server.get("/").text().contains("The diary"));
    server.app().edit("config/application.rb", "# A small blog", "puts \"configured anew\"\n  # A small blog");
    if UnderTest::is_ours() {
        server.app().touch_restart_txt();
        assert_eq!(server.get("/").status, 200);
        server.wait_for_log("configured anew");
    }
}

/// A command that finds Passenger as an installed gem would.
fn ruby_command(app: &App, program: &str) -> Command {
    let mut ruby = Command::new(program);
    for (name, value) in command::passenger(&command::registry(app)).get_envs() {
        match value {
            Some(value) => ruby.env(name, value),
            None => ruby.env_remove(name),
        };
    }
    ruby.env("RUBYLIB", command::repository().join("ruby/lib")).env("PASSENGER_AGENT", command::agent());
    ruby
}

#[rstest]
fn rackup_starts_passenger() {
    ours_only!("our handler");
    let app = App::fixture("rack");
    let mut rackup = ruby_command(&app, "rackup");
    rackup.args(["--server", "passenger", "--host", "127.0.0.1", "--port", "0"]);
    let server = Server::of(app).by(rackup).start();
    assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    assert!(server.get("/env").json()["SERVER_SOFTWARE"].to_string().contains("Passenger"));
}

#[rstest]
fn rails_server_starts_passenger() {
    ours_only!("our handler");
    let app = App::rails("development");
    let mut rails = ruby_command(&app, "bin/rails");
    rails.args(["server", "--using", "passenger", "--binding", "127.0.0.1", "--port", "0"]);
    let server = Server::of(app).by(rails).start();
    assert!(server.get("/").text().contains("<h1>The blog</h1>"));
}
