//! The world around an application: its directory, its environment, where its output goes.

use passenger_tests::{App, Language, Server, UnderTest};
use rstest::{fixture, rstest};

#[fixture]
#[once]
fn server() -> Server {
    Server::of(App::reference()).start()
}

#[rstest]
fn what_the_application_prints_is_in_the_log(server: &Server) {
    assert_eq!(server.get("/log/a-distinct-message").text(), "logged\n");
    let errors = match Language::current() {
        Language::Ruby => "rack.errors",
        Language::Wsgi => "wsgi.errors",
        Language::Asgi => "stderr",
    };
    server.wait_for_log(&format!("{errors}: a-distinct-message"));
    server.wait_for_log("stdout: a-distinct-message");
}

#[rstest]
fn the_application_runs_in_its_directory(server: &Server) {
    let directory = server.get("/surroundings").json()["directory"].as_str().expect("a path").to_owned();
    assert_eq!(
        directory,
        server.app().root().canonicalize().expect("the application is there").to_str().expect("UTF-8")
    );
}

#[rstest]
#[case("development")]
#[case("production")]
#[case("staging")]
fn the_environment_reaches_the_application(#[case] environment: &str) {
    let server = Server::of(App::reference()).environment(environment).variable("OF_THE_USER", "value").start();
    let variables = &server.get("/surroundings").json()["variables"];
    assert_eq!(variables["OF_THE_USER"], "value");
    if UnderTest::is_ours() {
        assert_eq!(variables["PASSENGER_APP_ENV"], environment);
    }
    if Language::current() == Language::Ruby {
        assert_eq!((&variables["RACK_ENV"], &variables["RAILS_ENV"]), (&environment.into(), &environment.into()));
    }
}

#[rstest]
fn what_the_application_prints_while_booting_is_in_the_log() {
    let app = App::answering("hello");
    let startup_file = Language::current().startup_file();
    let print = match Language::current() {
        Language::Ruby => "puts \"printed at boot\"\nwarn \"warned at boot\"\n",
        // Without a flush: the server's process sees to that.
        Language::Wsgi | Language::Asgi => {
            "import sys\nprint(\"printed at boot\")\nprint(\"warned at boot\", file=sys.stderr)\n"
        }
    };
    app.write(startup_file, [print, &app.read(startup_file)].concat());
    let server = Server::of(app).start();
    server.wait_for_log("printed at boot");
    server.wait_for_log("warned at boot");
}
