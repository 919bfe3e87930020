//! What starting a Python application has of its own: modules, factories, interfaces, and mistakes in all of them.

use passenger_tests::{App, Server, Status, command};
use rstest::rstest;
use std::path::Path;
use std::process::Command;

const HELLO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello over WSGI"]
"#;

const HELLO_ASGI: &str = r#"
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello over ASGI"})
"#;

const FACTORIES: &str = r#"
from shop import asgi, wsgi

def wsgi_app():
    return wsgi.application

def asgi_app():
    return asgi.app

class Site:
    app = staticmethod(wsgi.application)

site = Site()
"#;

/// A shop in several modules.
fn shop() -> App {
    let app = App::empty("shop");
    app.write("shop/__init__.py", "");
    app.write("shop/wsgi.py", HELLO);
    app.write("shop/asgi.py", HELLO_ASGI);
    app.write("shop/factory.py", FACTORIES);
    app.write("src/shelf.py", HELLO);
    app
}

fn failing(app: App, arguments: &[&str]) -> String {
    let launch = arguments.iter().fold(Server::of(app), |launch, argument| launch.argument(argument));
    let failure = launch.start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    assert!(!failure.output.contains("panicked"), "{}", failure.output);
    failure.output
}

#[track_caller]
fn expect_texts(output: &str, texts: &[&str]) {
    for text in texts {
        assert!(output.contains(text), "{text:?} is not in {output}");
    }
}

#[rstest]
#[case::a_module_and_an_attribute(&["shop.wsgi:application"], "hello over WSGI")]
#[case::a_module_alone(&["shop.wsgi"], "hello over WSGI")]
#[case::the_other_usual_name(&["shop.asgi"], "hello over ASGI")]
#[case::asgi_is_found_out(&["shop.asgi:app"], "hello over ASGI")]
#[case::an_interface_that_is_named(&["shop.asgi:app", "--interface", "asgi"], "hello over ASGI")]
#[case::a_dotted_attribute(&["shop.factory:site.app"], "hello over WSGI")]
#[case::a_factory(&["shop.factory:wsgi_app", "--factory"], "hello over WSGI")]
#[case::a_factory_that_is_called(&["shop.factory:asgi_app()"], "hello over ASGI")]
#[case::another_directory(&["shelf:application", "--app-dir", "src"], "hello over WSGI")]
#[case::another_startup_file(&["--startup-file", "src/shelf.py"], "hello over WSGI")]
fn an_application_is_named(
    #[values("smart", "direct")] spawn_method: &str,
    #[case] arguments: &[&str],
    #[case] answer: &str,
) {
    let launch = Server::of(shop()).argument("--spawn-method").argument(spawn_method);
    let server = arguments.iter().fold(launch, |launch, argument| launch.argument(argument)).start();
    assert_eq!(server.get("/").text(), answer);
}

#[rstest]
#[case::no_module(&["shopp.wsgi:application"], &["there is no module shopp", "--app-dir"])]
#[case::no_module_in_the_package(&["shop.wsgy:application"], &["shop.wsgy"])]
#[case::no_attribute(&["shop.wsgi:aplication"], &["wsgi.py", "has no attribute `aplication`", "Is it `application`?"])]
#[case::no_usual_attribute(&["shop.factory"], &["factory.py", "neither `application` nor `app`"])]
#[case::not_callable(&["shop.factory:site"], &["`site`", "factory.py", "can't be called"])]
#[case::a_factory_without_saying_so(&["shop.factory:wsgi_app"], &["`wsgi_app`", "--factory"])]
#[case::asgi_as_wsgi(&["shop.asgi:app", "--interface", "wsgi"], &["asgi.py", "is an ASGI application", "--interface asgi"])]
#[case::wsgi_as_asgi(&["shop.wsgi:application", "--interface", "asgi"], &["wsgi.py", "is a WSGI application", "--interface wsgi"])]
fn a_name_that_leads_nowhere_is_explained(
    #[values("smart", "direct")] spawn_method: &str,
    #[case] arguments: &[&str],
    #[case] texts: &[&str],
) {
    let output = failing(shop(), &[arguments, &["--spawn-method", spawn_method]].concat());
    expect_texts(&output, texts);
}

#[rstest]
#[case::a_package_that_is_missing(
    "import a_package_that_is_not_installed\n",
    &["ModuleNotFoundError", "a_package_that_is_not_installed", "passenger_wsgi.py\", line 1", "-m pip install", "--python"]
)]
#[case::a_name_that_is_missing("from json import loadz\n", &["ImportError", "loadz", "passenger_wsgi.py\", line 1"])]
#[case::a_syntax_error("\n\ndef application(\n", &["SyntaxError", "passenger_wsgi.py\", line 3"])]
#[case::nothing_defined("aplication = None\n", &["passenger_wsgi.py", "neither `application` nor `app`"])]
#[case::not_callable("application = 'hello'\n", &["`application` in", "passenger_wsgi.py", "a str, which can't be called"])]
#[case::asgi_in_the_wrong_file("async def application(scope, receive, send): pass\n", &["is an ASGI application", "passenger_asgi.py"])]
#[case::asgi_of_version_2("def application(scope): pass\n", &["ASGI 2"])]
#[case::no_arguments("def application(): pass\n", &["takes no arguments", "--factory"])]
fn a_startup_file_that_is_wrong_is_explained(#[case] source: &str, #[case] texts: &[&str]) {
    let output = failing(App::started_by("passenger_wsgi.py", source), &[]);
    expect_texts(&output, texts);
}

#[rstest]
fn an_exception_deep_in_the_application_is_shown_with_its_traceback() {
    let app = shop();
    app.write("shop/settings.py", "def load():\n    raise KeyError('DATABASE_URL')\n");
    app.write("shop/wsgi.py", "from shop import settings\n\nsettings.load()\n");
    let output = failing(app, &["shop.wsgi"]);
    expect_texts(
        &output,
        &["shop/wsgi.py\", line 3", "shop/settings.py\", line 2, in load", "KeyError: 'DATABASE_URL'"],
    );
    assert!(!output.contains("importlib"), "the frames between are nobody's business: {output}");
}

#[rstest]
fn what_went_wrong_is_in_the_status_and_on_the_page() {
    let server = Server::of(App::started_by("passenger_wsgi.py", HELLO)).environment("development").start();
    server.app().write("passenger_wsgi.py", "raise ValueError('DATABASE_URL is not set')\n");
    server.app().touch_restart_txt();
    let page = server.get("/");
    assert_eq!(page.status, 503);
    expect_texts(page.text(), &["ValueError: DATABASE_URL is not set", "passenger_wsgi.py"]);
    expect_texts(&Status::of(&server).group().to_string(), &["DATABASE_URL is not set"]);
}

/// An application that needs the virtual environment which `VENV` stands for.
const NEEDS_ITS_ENVIRONMENT: &str = r#"
import only_there, sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [sys.prefix.encode()]
"#;

/// Makes a virtual environment with one module in it.
fn make_environment(directory: &Path) {
    let mut command = Command::new("python3");
    command::without_foreign_settings(&mut command);
    let made = command::run(command.args(["-m", "venv", "--without-pip"]).arg(directory));
    assert_eq!(made.code, Some(0), "{made:?}");
    let library = std::fs::read_dir(directory.join("lib")).expect("a library").flatten().next().expect("a Python");
    std::fs::write(library.path().join("site-packages/only_there.py"), "").expect("a module");
}

#[rstest]
#[case::of_the_application("app/.venv", &[], &[])]
#[case::by_its_program("environment", &["--python", "VENV/bin/python"], &[])]
#[case::by_its_directory("environment", &["--python", "VENV"], &[])]
#[case::by_the_variable("environment", &[], &[("VIRTUAL_ENV", "VENV")])]
fn the_virtual_environment_is_used(
    #[values("smart", "direct")] spawn_method: &str,
    #[case] place: &str,
    #[case] arguments: &[&str],
    #[case] variables: &[(&str, &str)],
) {
    let app = App::started_by("passenger_wsgi.py", NEEDS_ITS_ENVIRONMENT);
    let environment = app.scratch().join(place);
    make_environment(&environment);
    let environment = environment.to_str().expect("UTF-8").to_owned();
    let mut launch = Server::of(app).argument("--spawn-method").argument(spawn_method);
    for argument in arguments {
        launch = launch.argument(&argument.replace("VENV", &environment));
    }
    for (name, value) in variables {
        launch = launch.variable(name, &value.replace("VENV", &environment));
    }
    assert_eq!(launch.start().get("/").text(), environment);
}

#[rstest]
fn a_virtual_environment_that_is_broken_is_named() {
    let app = App::started_by("passenger_wsgi.py", NEEDS_ITS_ENVIRONMENT);
    let environment = app.root().join(".venv");
    make_environment(&environment);
    let python = environment.join("bin/python");
    std::fs::remove_file(&python).expect("it was there");
    std::os::unix::fs::symlink("/nowhere/python3", &python).expect("a link");
    let output = failing(app, &[]);
    expect_texts(&output, &[environment.to_str().expect("UTF-8"), "broken", "/nowhere/python3", "-m venv --clear"]);
}

#[rstest]
#[case::that_is_not_there("/nowhere/python", "/nowhere/python")]
#[case::that_is_no_python("/bin/true", "/bin/true")]
#[case::not_in_the_path("python-of-tomorrow", "python-of-tomorrow")]
fn a_python_that_cannot_be_used_is_named(#[case] python: &str, #[case] expected: &str) {
    let output = failing(App::started_by("passenger_wsgi.py", HELLO), &["--python", python]);
    expect_texts(&output, &[expected]);
}

/// The documentation of the original taught this.
#[rstest]
fn a_startup_file_may_choose_its_interpreter(#[values("smart", "direct")] spawn_method: &str) {
    let app = App::empty("app");
    let environment = app.scratch().join("environment");
    make_environment(&environment);
    let choose = r#"
import os, sys
INTERP = "VENV/bin/python"
if sys.executable != INTERP:
    os.execl(INTERP, INTERP, *sys.argv)
"#;
    let environment = environment.to_str().expect("UTF-8").to_owned();
    app.write("passenger_wsgi.py", [&choose.replace("VENV", &environment), NEEDS_ITS_ENVIRONMENT].concat());
    let server = Server::of(app).max_pool_size(2).argument("--spawn-method").argument(spawn_method).start();
    assert_eq!(server.get("/").text(), environment);
    server.app().touch_restart_txt();
    assert_eq!(server.get("/").text(), environment);
}

#[rstest]
fn threads_that_workers_will_not_have_are_named() {
    let threads = r#"
import threading, time

def report():
    while True:
        time.sleep(1)

threading.Thread(target=report, name="metrics-reporter", daemon=True).start()
"#;
    let app = App::started_by("passenger_wsgi.py", &[threads, HELLO].concat());
    let server = Server::of(app).start();
    assert_eq!(server.get("/").text(), "hello over WSGI");
    server.wait_for_log("metrics-reporter");
    server.wait_for_log("worker_boot");
}

#[rstest]
fn what_was_loaded_is_kept_from_the_garbage_collector_of_the_workers() {
    let source = r#"
import gc, json

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [json.dumps({"frozen": gc.get_freeze_count(), "enabled": gc.isenabled()}).encode()]
"#;
    let collector = Server::of(App::started_by("passenger_wsgi.py", source)).start().get("/").json();
    assert!(collector["frozen"].as_u64().is_some_and(|objects| objects > 1000), "{collector}");
    assert_eq!(collector["enabled"], true, "the application did not turn it off");
}

#[rstest]
fn an_application_finds_its_own_modules_before_those_of_the_server() {
    // The names of our modules are no part of an application's world.
    let app = App::started_by("passenger_wsgi.py", &["import worker, hooks, app\n", HELLO].concat());
    for module in ["worker", "hooks", "app"] {
        app.write(&format!("{module}.py"), "");
    }
    assert_eq!(Server::of(app).start().get("/").text(), "hello over WSGI");
    let output = failing(App::started_by("passenger_wsgi.py", "import preloader\n"), &[]);
    expect_texts(&output, &["No module named 'preloader'"]);
}

#[rstest]
fn a_child_of_the_application_inherits_no_channel(#[values("smart", "direct")] spawn_method: &str) {
    let source = r#"
import subprocess, sys

LIST = [sys.executable, "-c", """
import os
for name in os.listdir("/proc/self/fd"):
    try:
        print(os.readlink(f"/proc/self/fd/{name}"))
    except FileNotFoundError:
        pass  # the directory that was being listed
"""]
AT_BOOT = subprocess.run(LIST, stdout=subprocess.PIPE, close_fds=False).stdout

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [AT_BOOT, subprocess.run(LIST, stdout=subprocess.PIPE, close_fds=False).stdout]
"#;
    let app = App::started_by("passenger_wsgi.py", source);
    let server = Server::of(app).argument("--spawn-method").argument(spawn_method).start();
    let inherited = server.get("/").text().to_owned();
    assert!(inherited.matches("pipe:").count() >= 2, "the lists are not there: {inherited}");
    assert!(!inherited.contains("socket:"), "{inherited}");
}
