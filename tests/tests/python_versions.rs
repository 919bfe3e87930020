//! Pythons of several versions, and Python beside Ruby, at the same time.

use passenger_tests::{App, Python, Request, Server};
use rstest::rstest;
use serde_json::{Value, json};

/// Tells which Python runs it, and whether by the extension.
const WSGI: &str = r#"
import json, sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    body = environ["wsgi.input"].read().decode()
    extension = any(name.endswith("_native") for name in sys.modules)
    return [json.dumps({"version": list(sys.version_info[:2]), "extension": extension, "body": body}).encode()]
"#;

const ASGI: &str = r#"
import json, sys

async def application(scope, receive, send):
    assert scope["type"] == "http"
    message = await receive()
    extension = any(name.endswith("_native") for name in sys.modules)
    answer = {"version": list(sys.version_info[:2]), "extension": extension, "body": message["body"].decode()}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"#;

fn app(interface: &str) -> App {
    App::started_by(&format!("passenger_{interface}.py"), if interface == "wsgi" { WSGI } else { ASGI })
}

fn served_by(python: &Python, interface: &str) -> Server {
    let interpreter = python.interpreter.to_str().expect("UTF-8");
    Server::of(app(interface)).argument("--python").argument(interpreter).start()
}

#[track_caller]
fn expect(server: &Server, python: &Python, has_extension: bool) {
    let answer = server.request(&Request::post("/", "a body")).json();
    let (major, minor) = python.version;
    assert_eq!(answer, json!({ "version": [major, minor], "extension": has_extension, "body": "a body" }));
}

#[rstest]
#[case::wsgi("wsgi")]
#[case::asgi("asgi")]
fn two_versions_serve_at_once(#[case] interface: &str) {
    let others = Python::others_that("two versions at once", |python| {
        python.version >= (3, 9) && (interface == "wsgi" || python.implementation == "cpython")
    });
    let servers: Vec<_> = others.iter().map(|python| (served_by(python, interface), python)).collect();
    let usual = Server::of(app(interface)).start();
    for (server, python) in &servers {
        expect(server, python, python.implementation == "cpython");
    }
    expect(&usual, &Python::usual(), true);
}

#[rstest]
fn a_python_that_cannot_load_the_extension_does_without() {
    let is_old = |python: &Python| ((3, 7)..(3, 9)).contains(&python.version) || python.implementation != "cpython";
    for python in Python::others_that("the handler in pure Python", is_old) {
        expect(&served_by(&python, "wsgi"), &python, false);
    }
}

#[rstest]
fn a_python_that_cannot_load_the_extension_says_so_of_asgi() {
    for python in Python::others_that("ASGI without the extension", |python| python.implementation != "cpython") {
        let interpreter = python.interpreter.to_str().expect("UTF-8");
        let failure = Server::of(app("asgi")).argument("--python").argument(interpreter).start_in_vain();
        assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
        assert!(failure.output.contains("not ASGI applications"), "{}", failure.output);
    }
}

#[rstest]
fn a_python_that_is_too_old_is_refused_with_its_version() {
    for python in Python::others_that("too old a version", |python| python.version < (3, 7)) {
        let interpreter = python.interpreter.to_str().expect("UTF-8");
        let failure = Server::of(app("wsgi")).argument("--python").argument(interpreter).start_in_vain();
        assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
        let (major, minor) = python.version;
        for text in [format!("{major}.{minor}"), "3.7".to_owned(), "--python".to_owned()] {
            assert!(failure.output.contains(&text), "{text:?} is not in {}", failure.output);
        }
    }
}

#[rstest]
fn a_ruby_and_two_python_applications_are_served_at_once() {
    let servers = ["rack", "wsgi", "asgi"].map(|fixture| Server::of(App::fixture(fixture)).max_pool_size(2).start());
    for server in &servers {
        assert_eq!(server.get("/hello").text(), "Hello from the app\n");
    }
    let digests: Vec<Value> =
        servers.iter().map(|server| server.request(&Request::post("/echo", "the same")).json()).collect();
    assert_eq!((&digests[0], &digests[0]), (&digests[1], &digests[2]));
}
