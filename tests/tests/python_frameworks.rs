//! Flask, Django, FastAPI and Starlette, as their users run them.

use passenger_tests::{App, Launch, Request, Response, Server, WebSocket, command, python_with_frameworks, wait_until};
use rstest::{fixture, rstest};
use serde_json::json;
use std::collections::HashSet;
use std::process::Command;

/// A server with this application on the Python that has the frameworks.
fn launch(app: App) -> Option<Launch> {
    let python = python_with_frameworks()?;
    Some(Server::of(app).argument("--python").argument(python.to_str().expect("UTF-8")))
}

/// The cookies that a response sets, as a browser sends them back.
fn cookies(response: &Response) -> String {
    let pairs =
        response.header_values("Set-Cookie").into_iter().map(|cookie| cookie.split(';').next().expect("a pair"));
    pairs.collect::<Vec<_>>().join("; ")
}

/// A form as a browser sends it; the values must need no escapes.
fn form(target: &str, fields: &[(&str, &str)], cookies: &str) -> Request {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Request::post(target, pairs.join("&"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Cookie", cookies)
}

/// A file of this length, as a form has it.
fn upload(target: &str, length: usize) -> Request {
    let body = format!(
        "--border\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{}\r\n--border--\r\n",
        "x".repeat(length)
    );
    Request::post(target, body).header("Content-Type", "multipart/form-data; boundary=border")
}

fn json_request(target: &str, value: &serde_json::Value) -> Request {
    Request::post(target, value.to_string()).header("Content-Type", "application/json")
}

#[fixture]
#[once]
fn flask() -> Option<Server> {
    Some(launch(App::fixture("flask"))?.max_pool_size(2).start())
}

#[rstest]
fn flask_has_routes_parameters_and_json(flask: &Option<Server>) {
    let Some(flask) = flask else { return };
    let page = flask.get("/");
    assert_eq!(page.text(), "<h1>Hello from Flask</h1><p>http://localhost/</p>");
    assert_eq!(flask.get("/greet/you?greeting=how+are%20you").text(), "Hello you, how are you");
    assert_eq!(flask.request(&json_request("/json", &json!({ "list": [1, 2] }))).json(), json!({ "reversed": [2, 1] }));
    assert_eq!(flask.get("/halt").status, 418);
    assert_eq!(flask.get("/nowhere").status, 404);
}

#[rstest]
fn flask_has_sessions(flask: &Option<Server>) {
    let Some(flask) = flask else { return };
    let posted = flask.request(&form("/visits", &[("by", "3")], ""));
    assert_eq!((posted.status, posted.header("Location")), (303, Some("/visits")));
    let again = flask.request(&form("/visits", &[("by", "4")], &cookies(&posted)));
    let visits = flask.request(&Request::get("/visits").header("Cookie", &cookies(&again)));
    assert_eq!(visits.text(), "visits: 7");
}

#[rstest]
fn flask_takes_uploads_streams_and_sends_files(flask: &Option<Server>) {
    let Some(flask) = flask else { return };
    assert_eq!(flask.request(&upload("/upload", 1_000_000)).text(), "a.txt: 1000000 bytes");
    assert_eq!(flask.get("/stream").text(), "first\nsecond\n");
    let file = flask.get("/file");
    assert_eq!(file.text(), "body { font-family: sans-serif; }\n");
    let tag = file.header("ETag").expect("an ETag");
    assert_eq!(flask.request(&Request::get("/file").header("If-None-Match", tag)).status, 304);
    assert_eq!(flask.get("/static/style.css").text(), file.text());
}

#[rstest]
fn flask_shows_its_own_error_page(flask: &Option<Server>) {
    let Some(flask) = flask else { return };
    assert_eq!(flask.get("/broken").status, 500);
    flask.wait_for_log("RuntimeError: Flask is broken");
}

#[rstest]
fn flask_is_made_by_its_factory() {
    let app = App::fixture("flask");
    std::fs::remove_file(app.root().join("passenger_wsgi.py")).expect("the startup file");
    let Some(launch) = launch(app) else { return };
    assert!(launch.argument("shop:create_app()").start().get("/").text().starts_with("<h1>Hello from Flask</h1>"));
}

/// The Django fixture with its database and its static files.
fn django() -> Option<App> {
    let python = python_with_frameworks()?;
    let app = App::fixture("django");
    for arguments in [["migrate", "--verbosity=0"], ["collectstatic", "--no-input"]] {
        let mut manage = Command::new(&python);
        command::without_foreign_settings(&mut manage);
        let finished = command::run(manage.arg("manage.py").args(arguments).current_dir(app.root()));
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
    Some(app)
}

#[fixture]
#[once]
fn notebook() -> Option<Server> {
    Some(launch(django()?)?.environment("production").max_pool_size(3).start())
}

/// Fills in the notebook's form as a browser does: session cookie, token and all.
fn write_note(server: &Server, title: &str, session: &str) -> Response {
    let page = server.request(&Request::get("/notes/new").header("Cookie", session));
    let (_, behind) = page.text().split_once("name=\"csrfmiddlewaretoken\" value=\"").expect("a form with a token");
    let token = behind.split('"').next().expect("the token");
    let fields = [("csrfmiddlewaretoken", token), ("title", title), ("body", "of-the-note")];
    server.request(&form("/notes/new", &fields, &[session, &cookies(&page)].join("; ")))
}

#[rstest]
fn django_renders_pages_and_takes_forms(notebook: &Option<Server>) {
    let Some(django) = notebook else { return };
    assert!(django.get("/").text().contains("<h1>The notebook</h1>"));
    let created = write_note(django, "a-new-note", "");
    assert_eq!(created.status, 302, "{created:?}");
    let path = created.header("Location").expect("a new note");
    let page = django.request(&Request::get(path).header("Cookie", &cookies(&created)));
    assert!(page.text().contains("<h1>a-new-note</h1>"), "{page:?}");
    assert!(page.text().contains("Note saved."), "{page:?}");
    let index = django.request(&Request::get("/").header("Cookie", &cookies(&created)));
    assert!(index.text().contains("Written by you: 1"), "{index:?}");
    assert!(index.text().contains("<li>a-new-note</li>"), "{index:?}");
    assert_eq!(write_note(django, "", "").status, 422);
    assert_eq!(django.get("/notes/4711").status, 404);
}

#[rstest]
fn django_refuses_a_form_without_its_token(notebook: &Option<Server>) {
    let Some(django) = notebook else { return };
    assert_eq!(django.request(&form("/notes/new", &[("title", "forged")], "")).status, 403);
}

#[rstest]
fn django_streams_takes_uploads_and_sends_files(notebook: &Option<Server>) {
    let Some(django) = notebook else { return };
    assert_eq!(django.get("/stream").text(), "line 0\nline 1\nline 2\n");
    // Beyond 2.5 MB Django keeps it in a file.
    assert_eq!(django.request(&upload("/upload", 4_000_000)).text(), "a.txt: 4000000 bytes");
    let download = django.get("/download");
    assert_eq!(download.text(), "User-agent: *\n");
    assert!(download.header("Content-Disposition").is_some_and(|value| value.contains("robots.txt")), "{download:?}");
    assert_eq!(django.get("/static/notes/notes.css").text(), "body { font-family: sans-serif; }\n");
}

#[rstest]
fn every_forked_django_worker_has_its_own_connection_to_the_database(notebook: &Option<Server>) {
    let Some(django) = notebook else { return };
    let mut pids = HashSet::new();
    wait_until("several workers have answered", || {
        let mut connections: Vec<_> = (0..12).map(|_| django.connect()).collect();
        connections.iter_mut().for_each(|connection| connection.send(Request::get("/database").to_bytes()));
        for connection in &mut connections {
            let answer = connection.receive().json();
            assert_eq!(answer["pid"], answer["opened_by"], "{answer}");
            pids.insert(answer["pid"].to_string());
        }
        pids.len() > 1
    });
    django.wait_for_log("there are 0 notes");
}

#[rstest]
fn django_shows_its_own_error_pages_and_is_restarted() {
    let Some(app) = django() else { return };
    let django = launch(app).expect("it is there").environment("development").start();
    let page = django.get("/broken");
    assert_eq!(page.status, 500);
    assert!(page.text().contains("Django is broken"), "{page:?}");
    assert_eq!(django.get("/notes/4711").status, 404);
    django.app().edit("notes/templates/notes/index.html", "The notebook", "The diary");
    django.app().edit("notes/views.py", "line {i}", "row {i}");
    django.app().touch_restart_txt();
    assert!(django.get("/").text().contains("The diary"));
    assert_eq!(django.get("/stream").text(), "row 0\nrow 1\nrow 2\n");
}

#[rstest]
fn django_answers_again_with_304(notebook: &Option<Server>) {
    let Some(django) = notebook else { return };
    let page = django.get("/robots");
    let tag = page.header("ETag").expect("an ETag");
    assert_eq!(django.request(&Request::get("/robots").header("If-None-Match", tag)).status, 304);
}

#[fixture]
#[once]
fn fastapi() -> Option<Server> {
    Some(launch(App::fixture("fastapi"))?.argument("main:app").start())
}

#[rstest]
fn fastapi_checks_its_input(fastapi: &Option<Server>) {
    let Some(fastapi) = fastapi else { return };
    let created = fastapi.request(&json_request("/items", &json!({ "name": "tea", "price": 2 })));
    assert_eq!((created.status, created.json()), (201, json!({ "name": "tea", "gross": 2.38 })));
    let refused = fastapi.request(&json_request("/items", &json!({ "name": "tea", "price": "much" })));
    assert_eq!((refused.status, &refused.json()["detail"][0]["loc"]), (422, &json!(["body", "price"])));
    assert_eq!(fastapi.get("/threaded/5?question=why").json(), json!({ "number": 5, "question": "why" }));
    assert_eq!(fastapi.get("/openapi.json").json()["info"]["title"], "FastAPI");
}

#[rstest]
fn fastapi_knows_its_surroundings(fastapi: &Option<Server>) {
    let Some(fastapi) = fastapi else { return };
    let request = Request::get("/surroundings?a=b").header("Host", "example.org:8080").header("User-Agent", "a test");
    let surroundings = fastapi.request(&request).json();
    assert_eq!(surroundings["agent"], "a test");
    assert_eq!(surroundings["client"], "127.0.0.1");
    assert_eq!(surroundings["url"], "http://example.org:8080/surroundings?a=b");
    assert_eq!(surroundings["pid"], surroundings["started_by"], "the lifespan is the worker's own");
    assert_eq!(surroundings["loop"], "uvloop", "it is installed");
}

#[rstest]
fn fastapi_takes_uploads_streams_and_sends_files(fastapi: &Option<Server>) {
    let Some(fastapi) = fastapi else { return };
    assert_eq!(fastapi.request(&upload("/upload", 3_000_000)).json(), json!({ "name": "a.txt", "size": 3_000_000 }));
    assert_eq!(fastapi.get("/stream").text(), "line 0\nline 1\nline 2\n");
    assert_eq!(fastapi.get("/file").text(), "User-agent: *\n");
}

#[rstest]
fn fastapi_runs_tasks_behind_the_answer(fastapi: &Option<Server>) {
    let Some(fastapi) = fastapi else { return };
    assert_eq!(fastapi.request(&Request::post("/tasks/sweep", "")).json(), json!({ "queued": "sweep" }));
    wait_until("the task has run", || fastapi.get("/tasks").json().to_string().contains("sweep"));
}

#[rstest]
fn fastapi_fails_without_harm(fastapi: &Option<Server>) {
    let Some(fastapi) = fastapi else { return };
    let mut connection = fastapi.connect();
    assert_eq!(connection.request(&Request::get("/broken")).status, 500);
    fastapi.wait_for_log("RuntimeError: FastAPI is broken");
    assert_eq!(connection.request(&Request::get("/stream")).status, 200);
}

#[fixture]
#[once]
fn starlette() -> Option<Server> {
    Some(launch(App::fixture("starlette"))?.start())
}

#[rstest]
fn starlette_has_routes_middleware_and_static_files(starlette: &Option<Server>) {
    let Some(starlette) = starlette else { return };
    assert_eq!(starlette.get("/?name=reader").text(), "Hello from Starlette, reader\n");
    assert_eq!(starlette.request(&Request::post("/upload", vec![b'x'; 3_000_000])).json()["length"], 3_000_000);
    assert_eq!(starlette.get("/events").text(), "data: 0\n\ndata: 1\n\ndata: 2\n\n");
    assert_eq!(starlette.get("/static/style.css").text(), "body { font-family: sans-serif; }\n");
    let packed = starlette.request(&Request::get("/?name=packed").header("Accept-Encoding", "gzip"));
    assert_eq!(packed.status, 200);
    assert_eq!(starlette.get("/nowhere").status, 404);
}

#[rstest]
fn fastapi_has_websockets(fastapi: &Option<Server>) {
    let Some(fastapi) = fastapi else { return };
    let mut chat = WebSocket::open(fastapi, "/chat/kitchen");
    for number in 0..3 {
        chat.send(&json!({ "number": number }).to_string());
        let answer: serde_json::Value = serde_json::from_str(&chat.receive()).expect("JSON");
        assert_eq!(answer, json!({ "room": "kitchen", "number": number }));
    }
    chat.close(1001, "off");
    wait_until("the application has heard of it", || {
        fastapi.get("/tasks").json().to_string().contains("left kitchen with 1001")
    });
    assert_eq!(WebSocket::try_open(fastapi, "/nowhere", &[]).map(|_| ()).unwrap_err().status, 403);
}

#[rstest]
fn starlette_has_websockets(starlette: &Option<Server>) {
    let Some(starlette) = starlette else { return };
    let mut echo = WebSocket::try_open(starlette, "/echo", &["echo.v1", "echo.v2"]).expect("it is accepted");
    assert_eq!(echo.header("Sec-WebSocket-Protocol"), Some("echo.v2"));
    echo.send("hello");
    assert_eq!(echo.receive(), "echo: hello");
    echo.close(1000, "");
    starlette.wait_for_log("closed with 1000");
    let refusal = WebSocket::try_open(starlette, "/guarded", &[]).map(|_| ()).unwrap_err();
    assert_eq!((refusal.status, refusal.body.as_str()), (403, "no entry\n"));
}
