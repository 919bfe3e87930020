//! Several applications in one instance: each has its place, its interpreter and its limits, and none spoils it for the others.

use passenger_tests::command::{self, Finished, registry};
use passenger_tests::{
    App, Connection, Launch, Process, Python, Request, SecondRuby, Server, Status, ours_only, wait_until,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const RACK: &str = r#"
require "json"
run lambda { |env|
  answer = { ruby: RUBY_VERSION, script: env["SCRIPT_NAME"], path: env["PATH_INFO"] }
  [200, { "content-type" => "application/json" }, [JSON.generate(answer)]]
}
"#;

const WSGI: &str = r#"
import json, sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    answer = {"python": sys.version_info[:2], "script": environ["SCRIPT_NAME"], "path": environ["PATH_INFO"]}
    return [json.dumps(answer).encode()]
"#;

const ASGI: &str = r#"
import json, sys

async def application(scope, receive, send):
    assert scope["type"] == "http"
    answer = {"python": sys.version_info[:2], "script": scope["root_path"], "path": scope["path"]}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"#;

/// An application in a directory of this name that answers with the name.
fn answering(instance: &App, name: &str) {
    instance.write(
        &format!("{name}/config.ru"),
        format!("run ->(_) {{ [200, {{ \"content-type\" => \"text/plain\" }}, [\"{name}\"]] }}\n"),
    );
}

/// An instance in the directory whose Passengerfile this is.
fn instance(directory: App, passengerfile: &Value) -> Launch {
    directory.write("Passengerfile.json", passengerfile.to_string());
    let mut start = command::passenger(&registry(&directory));
    start.arg("start").arg(directory.root()).args(["--address", "127.0.0.1", "--port", "0"]);
    Server::of(directory).by(start)
}

/// What the status says about the application of this name.
fn group(server: &Server, name: &str) -> Value {
    let status = Status::of(server);
    let groups = status.instance()["groups"].as_array().expect("groups").clone();
    groups.into_iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("no {name} in {status:?}"))
}

fn workers(server: &Server, name: &str) -> Vec<Process> {
    let workers = group(server, name)["workers"].as_array().expect("workers").clone();
    let pid = |worker: &Value| i32::try_from(worker["pid"].as_i64().expect("a pid")).expect("a process id");
    workers.iter().map(|worker| Process(pid(worker))).collect()
}

fn all_workers(server: &Server) -> usize {
    let groups = Status::of(server).instance()["groups"].as_array().expect("groups").clone();
    groups.iter().map(|group| group["workers"].as_array().expect("workers").len()).sum()
}

#[rstest]
fn applications_in_ruby_and_several_pythons_share_an_instance() {
    ours_only!("Passenger's own configuration");
    let directory = App::empty("sites");
    directory.write("shop/config.ru", RACK);
    directory.write("api/passenger_wsgi.py", WSGI);
    directory.write("api/public/style.css", "body {}\n");
    directory.write("live/passenger_asgi.py", ASGI);
    let other = Python::others_that("two versions at once", |python| python.version >= (3, 9)).pop();
    let mut api = json!({ "root": "api", "base_uri": "/api" });
    if let Some(other) = &other {
        api["python"] = json!(other.interpreter);
    }
    let live =
        json!({ "root": "live", "server_names": ["live.example.com", "*.live.example.com"], "base_uri": "/v1/live" });
    let server = instance(directory, &json!({ "max_pool_size": 4, "apps": [{ "root": "shop" }, api, live] })).start();

    let mut connection = server.connect();
    let mut ask = |request: &Request| connection.request(request).json();
    let [usual, other] = [Python::usual().version, other.unwrap_or(Python::usual()).version];
    let shop = ask(&Request::get("/basket?x=1"));
    assert_eq!((&shop["script"], &shop["path"]), (&json!(""), &json!("/basket")));
    assert_eq!(
        ask(&Request::get("/api/users")),
        json!({ "python": [other.0, other.1], "script": "/api", "path": "/users" })
    );
    assert_eq!(ask(&Request::get("/api")), json!({ "python": [other.0, other.1], "script": "/api", "path": "" }));
    assert_eq!(ask(&Request::post("/api/", "x"))["path"], "/");
    assert_eq!(ask(&Request::get("/apis"))["ruby"], shop["ruby"]);
    assert_eq!(ask(&Request::get("/%61pi"))["ruby"], shop["ruby"]);
    let at = json!({ "python": [usual.0, usual.1], "script": "/v1/live", "path": "/v1/live/x" });
    for host in ["live.example.com", "LIVE.example.com.:80", "eu.live.example.com"] {
        assert_eq!(ask(&Request::get("/v1/live/x").header("Host", host)), at);
    }
    assert_eq!(ask(&Request::get("http://live.example.com/v1/live/x")), at);
    let style = server.get("/api/style.css");
    assert_eq!((style.status, style.text()), (200, "body {}\n"));

    assert_eq!(group(&server, "shop")["places"], json!(["/"]));
    assert_eq!(group(&server, "live")["places"][0], "live.example.com/v1/live");
    let table = server.run_passenger(["status"]).stdout;
    for text in
        ["shop (rack, development)", "api (wsgi, development) at /api", "live (asgi, development) at live.example.com"]
    {
        assert!(table.contains(text), "{text:?} is not in {table}");
    }
}

#[rstest]
fn two_rubies_share_an_instance() {
    ours_only!("Passenger's own configuration");
    let Some(second) = SecondRuby::obtained() else { return };
    let directory = App::empty("sites");
    let gems = directory.scratch().join("gems");
    second.install_extension(&gems);
    directory.write("old/config.ru", RACK);
    directory.write("new/config.ru", RACK);
    let apps = json!([{ "root": "old" }, { "root": "new", "base_uri": "/new", "ruby": second.interpreter() }]);
    let server =
        instance(directory, &json!({ "apps": apps })).variable("GEM_HOME", gems.to_str().expect("UTF-8")).start();
    assert_ne!(server.get("/").json()["ruby"], server.get("/new/").json()["ruby"]);
}

#[rstest]
fn what_nobody_serves_is_told_apart() {
    ours_only!("Passenger's own configuration");
    let directory = App::empty("sites");
    answering(&directory, "shop");
    let shop = json!({ "root": "shop", "server_names": ["shop.example.com"], "base_uri": "/shop" });
    let server = instance(directory, &json!({ "apps": [shop] })).start();
    let mut connection = server.connect();
    let mut status = |request: Request| connection.request(&request).status;
    assert_eq!(status(Request::get("/shop/").header("Host", "shop.example.com")), 200);
    assert_eq!(status(Request::get("/").header("Host", "shop.example.com")), 404);
    assert_eq!(status(Request::get("/shop/")), 421);
    // The connection goes on.
    assert_eq!(status(Request::get("/shop/").header("Host", "shop.example.com")), 200);
    assert_eq!(server.request(&Request::post("/other", "a body").header("Host", "shop.example.com")).status, 404);
    assert_eq!(server.request(&Request::get("/shop").header("Host", "evil.example.com")).status, 421);
}

#[rstest]
fn a_restart_of_one_leaves_the_others_alone() {
    ours_only!("Passenger's own restart");
    let directory = App::empty("sites");
    for name in ["shop", "blog"] {
        answering(&directory, name);
    }
    let apps = json!([{ "root": "shop" }, { "root": "blog", "base_uri": "/blog" }]);
    let server = instance(directory, &json!({ "apps": apps })).start();
    assert_eq!((server.get("/").text(), server.get("/blog").text()), ("shop", "blog"));
    let (shop, blog) = (workers(&server, "shop"), workers(&server, "blog"));
    server.app().edit("blog/config.ru", "[\"blog\"]", "[\"news\"]");
    server.app().write("blog/tmp/restart.txt", "");
    assert_eq!((server.get("/").text(), server.get("/blog").text()), ("shop", "news"));
    assert_eq!(workers(&server, "shop"), shop);
    assert!(!workers(&server, "blog").contains(&blog[0]));
}

#[rstest]
fn a_broken_one_does_not_stop_the_others() {
    ours_only!("Passenger's own configuration");
    let directory = App::empty("sites");
    answering(&directory, "shop");
    directory.write("blog/config.ru", "raise \"broken on purpose\"\n");
    let apps = json!([{ "root": "shop" }, { "root": "blog", "base_uri": "/blog" }]);
    let server = instance(directory, &json!({ "apps": apps })).start();
    assert!(server.log().contains("blog at /blog in"), "{}", server.log());
    assert_eq!(server.get("/").text(), "shop");
    let refused = server.get("/blog");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("broken on purpose"));
    let blog = group(&server, "blog");
    assert_eq!((&blog["state"], &group(&server, "shop")["state"]), (&json!("broken"), &json!("running")));
    assert!(blog["last_spawn_error"].as_str().expect("an error").contains("broken on purpose"));

    answering(server.app(), "blog");
    wait_until("it is tried again", || server.get("/blog").text() == "blog");
}

#[rstest]
fn an_only_application_that_is_broken_stops_the_start() {
    ours_only!("Passenger's own configuration");
    let directory = App::empty("sites");
    directory.write("shop/config.ru", "raise \"broken on purpose\"\n");
    let failure = instance(directory, &json!({ "apps": [{ "root": "shop" }] })).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    assert!(failure.output.contains("broken on purpose"), "{}", failure.output);
}

#[rstest]
fn the_idlest_makes_room_when_the_pool_is_full() {
    ours_only!("Passenger's own pool");
    let directory = App::empty("sites");
    let names = ["a", "b", "c", "d"];
    for name in names {
        answering(&directory, name);
    }
    let app = |name: &&str| json!({ "root": name, "base_uri": format!("/{name}") });
    let apps: Vec<Value> = names.iter().map(app).collect();
    let server = instance(directory, &json!({ "max_pool_size": 2, "apps": apps })).start();
    assert_eq!(all_workers(&server), 2);
    for name in ["a", "b", "c", "d", "a", "c", "b"] {
        assert_eq!(server.get(&format!("/{name}")).text(), name);
        assert!(all_workers(&server) <= 2);
    }
    // The last two that were used are those that are left.
    wait_until("the others are gone", || all_workers(&server) == 2);
    assert_eq!((workers(&server, "c").len(), workers(&server, "b").len()), (1, 1));
    assert_eq!(group(&server, "a")["state"], "asleep");
}

#[rstest]
fn an_application_has_no_more_workers_than_it_may() {
    ours_only!("Passenger's own pool");
    let (small, large) = (App::fixture("rack"), App::fixture("rack"));
    let apps = json!([
        { "root": small.root(), "name": "small", "max_instances": 1, "base_uri": "/small" },
        { "root": large.root(), "name": "large" },
    ]);
    let server = instance(App::empty("sites"), &json!({ "max_pool_size": 3, "apps": apps })).start();
    let wait = |path: &str| {
        let mut connection = server.connect();
        connection.send(Request::get(path).to_bytes());
        connection
    };
    let mut waiting: Vec<Connection> = vec![wait("/small/wait/one"), wait("/small/wait/two"), wait("/wait/three")];
    small.worker_at_gate("one");
    large.worker_at_gate("three");
    waiting.push(wait("/wait/four"));
    large.worker_at_gate("four");
    // The pool is full now, so the next one waits.
    waiting.push(wait("/wait/five"));
    wait_until("it waits", || group(&server, "large")["queue_size"] == 1);
    assert_eq!((workers(&server, "small").len(), workers(&server, "large").len()), (1, 2));
    for gate in ["one", "two", "three", "four", "five"] {
        small.open_gate(gate);
        large.open_gate(gate);
    }
    for mut connection in waiting {
        assert_eq!(connection.receive().status, 200);
    }
    assert!(all_workers(&server) <= 3);
}

/// Sets the flag when dropped, however the scenario ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[rstest]
fn a_busy_application_does_not_starve_another() {
    ours_only!("Passenger's own pool");
    let directory = App::empty("sites");
    answering(&directory, "quiet");
    // Slow enough that its worker always has a next request.
    directory.write(
        "busy/config.ru",
        "run ->(_) { sleep 0.02; [200, { \"content-type\" => \"text/plain\" }, [\"busy\"]] }\n",
    );
    let apps = json!([{ "root": "busy" }, { "root": "quiet", "base_uri": "/quiet", "min_instances": 0 }]);
    let server = instance(directory, &json!({ "max_pool_size": 1, "apps": apps })).start();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&is_over);
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = server.connect();
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(connection.request(&Request::get("/")).text(), "busy");
                }
            });
        }
        wait_until("its worker always has a next request", || group(&server, "busy")["queue_size"].as_u64() > Some(1));
        assert_eq!(server.get("/quiet").text(), "quiet");
        assert_eq!(server.get("/").text(), "busy");
    });
}

#[rstest]
fn an_instance_is_found_by_any_of_its_directories() {
    ours_only!("our command");
    let directory = App::empty("sites");
    for name in ["shop", "blog"] {
        answering(&directory, name);
    }
    let apps = json!([{ "root": "shop" }, { "root": "blog", "base_uri": "/blog" }]);
    let server = instance(directory, &json!({ "apps": apps })).start();
    let root = server.app().root();
    for place in [root, &root.join("shop"), &root.join("blog")] {
        let finished = server.run_passenger(["status".as_ref(), place.as_os_str()]);
        assert!(finished.stdout.contains("shop (rack"), "{finished:?}");
    }
    assert!(root.join("passenger.0.pid").exists());
    assert_eq!(server.run_passenger(["stop".as_ref(), root.join("blog").as_os_str()]).code, Some(0));
}

fn check(directory: &App) -> Finished {
    let arguments = [Path::new("config"), Path::new("--check"), directory.root()];
    command::run_passenger(&registry(directory), arguments)
}

#[rstest]
fn a_check_names_everything_that_is_missing() {
    ours_only!("our command");
    let directory = App::empty("sites");
    answering(&directory, "shop");
    directory.write("empty/readme", "");
    directory.write(
        "Passengerfile.toml",
        "[[apps]]\nroot = 'shop'\n[[apps]]\nroot = 'empty'\nbase_uri = '/empty'\n[[apps]]\nroot = 'gone'\nbase_uri = '/gone'\n\
         [[apps]]\nroot = 'shop'\nbase_uri = '/other'\nruby = '/no/such/ruby'\n",
    );
    let finished = check(&directory);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 3), "{finished:?}");
    for text in [
        "empty: no application found in",
        "gone: ",
        "there is no such directory",
        "shop/other: the Ruby interpreter /no/such/ruby",
    ] {
        assert!(finished.stderr.contains(text), "{text:?} is not in {}", finished.stderr);
    }
    let failure = command::run_passenger(&registry(&directory), [Path::new("start"), directory.root()]);
    assert_eq!((failure.code, failure.stderr), (Some(1), finished.stderr));
}

#[rstest]
fn a_check_of_what_is_good_says_what_would_run() {
    ours_only!("our command");
    let directory = App::empty("sites");
    answering(&directory, "shop");
    directory.write("api/passenger_wsgi.py", WSGI);
    directory.write("Passengerfile.json", r#"{"apps": [{"root": "shop"}, {"root": "api", "base_uri": "/api"}]}"#);
    let finished = check(&directory);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for text in ["shop at /: rack in ", "api at /api: wsgi in "] {
        assert!(finished.stdout.contains(text), "{text:?} is not in {}", finished.stdout);
    }
}

#[rstest]
#[case::unknown_key("{\"apps\": [\n{\"base_url\": \"/a\"}]}", &["Passengerfile.json:2:2:", "base_url", "base_uri"])]
#[case::of_the_instance("{\"apps\": [{\"port\": 1}]}", &["Passengerfile.json:1:12:", "port", "whole instance"])]
#[case::same_place("{\"apps\": [{}, {}]}", &["Passengerfile.json:1:15:", "base_uri"])]
fn a_mistake_is_named_with_its_place(#[case] passengerfile: &str, #[case] texts: &[&str]) {
    ours_only!("our command");
    let directory = App::of("");
    directory.write("Passengerfile.json", passengerfile);
    let finished = check(&directory);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{finished:?}");
    for text in texts {
        assert!(finished.stderr.contains(text), "{text:?} is not in {}", finished.stderr);
    }
}
