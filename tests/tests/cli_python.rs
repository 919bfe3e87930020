//! `passenger start` for Python applications: how they are named, and which Python runs them.

use passenger_tests::command::{self, Finished};
use passenger_tests::{App, Launch, Server, Status, ours_only};
use rstest::rstest;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Tells which interpreter runs it, where it looks for modules first, and its environment.
const SHOP: &str = "\
import json, os, sys

def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    names = ['PASSENGER_APP_ENV', 'RAILS_ENV', 'RACK_ENV']
    told = {'python': sys.executable, 'path': sys.path[0], 'environment': {name: os.environ.get(name) for name in names}}
    return [json.dumps(told).encode()]

def create_app():
    return app
";

fn shop() -> App {
    let app = App::empty("shop");
    app.write("shop.py", SHOP);
    app
}

/// A server of `app`, with this entry typed behind its directory.
fn start(app: App, entry: &str) -> Launch {
    Server::of(app).argument(entry)
}

/// Runs `passenger ARGUMENTS` in the application's directory; it must fail with one line that has all these texts.
#[track_caller]
fn expect_refusal(app: &App, arguments: &[&str], variables: &[(&str, &str)], texts: &[&str]) {
    let mut command = command::passenger(&command::registry(app));
    command.args(arguments).args(["--port", "0"]).current_dir(app.root()).envs(variables.iter().copied());
    let Finished { code, stderr, .. } = command::run(&mut command);
    assert!(matches!(code, Some(1 | 2)), "{code:?}: {stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    for text in texts {
        assert!(stderr.contains(text), "{text:?} is not in {stderr}");
    }
}

/// Makes a virtual environment of the Python in `PATH`.
fn make_venv(path: &Path) {
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(path).output().expect("python3 runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[rstest]
#[case::an_attribute("shop:app", &[])]
#[case::one_of_the_usual_names("shop", &[])]
#[case::a_factory("shop:create_app()", &[])]
#[case::a_factory_by_option("shop:create_app", &["--factory"])]
#[case::an_interface("shop:app", &["--interface", "wsgi"])]
fn an_application_is_served_by_its_entry(#[case] entry: &str, #[case] options: &[&str]) {
    ours_only!("our command");
    let server = options.iter().fold(start(shop(), entry), |launch, option| launch.argument(option)).start();
    let told = server.get("/").json();
    assert_eq!(told["path"], server.app().root().to_str().expect("UTF-8"));
    assert_eq!(
        told["environment"],
        serde_json::json!({ "PASSENGER_APP_ENV": "development", "RAILS_ENV": null, "RACK_ENV": null })
    );
}

#[rstest]
fn an_entry_alone_is_one_of_the_working_directory() {
    ours_only!("our command");
    let app = shop();
    let mut start = command::passenger(&command::registry(&app));
    start.args(["start", "shop:app", "--address", "127.0.0.1", "--port", "0"]);
    let server = Server::of(app).by(start).start();
    assert_eq!(server.get("/").status, 200);
    let root = server.app().root().to_str().expect("UTF-8");
    assert!(server.log().contains(&format!("starting shop:app in {root} (python, development)")), "{}", server.log());
}

#[rstest]
fn modules_are_looked_for_where_app_dir_says() {
    ours_only!("our command");
    let app = App::empty("shop");
    app.write("src/shop.py", SHOP);
    let server = start(app, "shop:app").argument("--app-dir").argument("src").start();
    assert_eq!(server.get("/").json()["path"], server.app().root().join("src").to_str().expect("UTF-8"));
}

#[rstest]
fn the_entry_can_stand_in_the_passengerfile() {
    ours_only!("our command");
    let app = shop();
    app.write("config.ru", "raise \"the wrong file\"\n");
    app.write("Passengerfile.json", "{ \"app\": \"shop:create_app\", \"factory\": true, \"interface\": \"wsgi\" }");
    let server = Server::of(app).start();
    assert_eq!(server.get("/").status, 200);
    assert_eq!(Status::of(&server).group()["kind"], "wsgi");
}

#[rstest]
#[case::found("passenger_wsgi.py", &[], "wsgi")]
#[case::named("main.py", &["--startup-file", "main.py"], "python")]
#[case::of_another_kind("passenger_asgi.py", &["--app-type", "wsgi"], "wsgi")]
fn an_application_is_served_by_its_startup_file(#[case] file: &str, #[case] options: &[&str], #[case] kind: &str) {
    ours_only!("our command");
    let app = shop();
    app.write(file, "from shop import app as application\n");
    let server = options.iter().fold(Server::of(app), |launch, option| launch.argument(option)).start();
    assert_eq!(server.get("/").status, 200);
    assert_eq!(Status::of(&server).group()["kind"], kind);
}

#[rstest]
#[case::its_own("shop/.venv")]
#[case::its_own_by_another_name("shop/venv")]
#[case::the_active_one("active")]
fn the_python_is_that_of_the_virtual_environment(#[case] venv: &str) {
    ours_only!("our command");
    let app = shop();
    let venv = app.scratch().join(venv);
    make_venv(&venv);
    let mut launch = start(app, "shop:app");
    if venv.ends_with("active") {
        launch = launch.variable("VIRTUAL_ENV", venv.to_str().expect("UTF-8"));
    }
    assert_eq!(launch.start().get("/").json()["python"], venv.join("bin/python").to_str().expect("UTF-8"));
}

#[rstest]
#[case::the_interpreter("other/bin/python")]
#[case::the_directory("other")]
fn another_python_can_be_named(#[case] named: &str) {
    ours_only!("our command");
    let app = shop();
    make_venv(&app.root().join(".venv"));
    let other = app.scratch().join("other");
    make_venv(&other);
    let named = app.scratch().join(named);
    let server = start(app, "shop:app").argument("--python").argument(named.to_str().expect("UTF-8")).start();
    assert_eq!(server.get("/").json()["python"], other.join("bin/python").to_str().expect("UTF-8"));
}

#[rstest]
#[case::neither_directory_nor_module(&["start", "blog"], &["\"blog\"", "start DIR", "start module:app"])]
#[case::a_file(&["start", "shop.py:app"], &["shop.py:app", "write shop:application"])]
#[case::a_path_in_the_option(&["start", "--app", "src/shop:app"], &["src/shop:app", "write src.shop:application"])]
#[case::nothing_to_import(&["start", ":app"], &["\":app\"", "module:attribute"])]
#[case::an_attribute_that_is_none(&["start", "shop:"], &["\"shop:\"", "shop:application"])]
#[case::a_factory_with_arguments(&["start", "shop:create_app(1)"], &["create_app(1)", "write shop:create_app()"])]
#[case::two_entries(&["start", "shop:app", "blog:app"], &["\"blog:app\"", "second"])]
#[case::an_entry_twice(&["start", "shop:app", "--app", "blog:app"], &["twice", "shop:app", "--app blog:app"])]
#[case::an_entry_beside_a_file(&["start", "shop:app", "--startup-file", "shop.py"], &["shop:app", "startup_file"])]
#[case::an_entry_in_ruby(&["start", "shop:app", "--app-type", "rack"], &["shop:app", "rack"])]
#[case::a_factory_alone(&["start", "--factory"], &["--factory", "module:function"])]
#[case::an_unknown_interface(&["start", "shop:app", "--interface", "rsgi"], &["rsgi", "wsgi", "asgi"])]
#[case::no_app_dir(&["start", "shop:app", "--app-dir", "src"], &["--app-dir src", "no such directory"])]
#[case::no_python(&["start", "shop:app", "--python", "/nowhere/python"], &["/nowhere/python", "--python"])]
#[case::no_application(&["start"], &["config.ru, passenger_wsgi.py, passenger_asgi.py", "start DIR", "start MODULE:APP"])]
fn what_cannot_be_run_is_refused_in_one_line(#[case] arguments: &[&str], #[case] texts: &[&str]) {
    ours_only!("our command");
    expect_refusal(&shop(), arguments, &[], texts);
}

#[rstest]
#[case::without_its_python(".venv", Some("/gone/python3.8"), &[])]
#[case::empty("venv", None, &[])]
#[case::gone("/nowhere/env", None, &[("VIRTUAL_ENV", "/nowhere/env")])]
fn a_broken_virtual_environment_is_named_with_the_remedy(
    #[case] venv: &str,
    #[case] python: Option<&str>,
    #[case] variables: &[(&str, &str)],
) {
    ours_only!("our command");
    let app = shop();
    let path = app.root().join(venv);
    if variables.is_empty() {
        fs::create_dir_all(path.join("bin")).expect("a directory");
    }
    if let Some(target) = python {
        symlink(target, path.join("bin/python")).expect("a link");
    }
    let remedy = format!("python3 -m venv --clear {}", path.display());
    let texts = [path.to_str().expect("UTF-8"), python.unwrap_or("missing"), &remedy, "--python"];
    expect_refusal(&app, &["start", "shop:app"], variables, &texts);
}
