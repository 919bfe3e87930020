//! What processes are given: variables of the user's own, those of a login shell, limits.

use passenger_tests::{App, Server, command, ours_only};
use rstest::rstest;
use serde_json::json;

fn variables(server: &Server) -> serde_json::Value {
    server.get("/surroundings").json()["variables"].clone()
}

#[rstest]
fn variables_from_all_places_add_up() {
    ours_only!("our options");
    let app = App::reference();
    app.write(
        "Passengerfile.json",
        json!({ "envvars": { "FROM_FILE": "file", "THREADS": 4, "BOTH": "file", "PASSENGER_APP_ENV": "chosen" } })
            .to_string(),
    );
    let server = Server::of(app)
        .variable("FROM_SERVER", "server")
        .variable("BOTH", "server")
        .argument("--envvar=BOTH=typed=twice")
        .argument("--envvar=TYPED=with space")
        .start();
    let variables = variables(&server);
    for (name, value) in [
        ("FROM_FILE", "file"),
        ("THREADS", "4"),
        ("BOTH", "typed=twice"),
        ("TYPED", "with space"),
        ("FROM_SERVER", "server"),
        ("PASSENGER_APP_ENV", "chosen"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
}

#[rstest]
#[case::in_a_file("{\"envvars\": {\"A\": [\"hush\"]}}", &[], "\"envvars\": must be names with text for values")]
#[case::typed("{}", &["--envvar", "=hush"], "--envvars: must be names with text for values")]
#[case::several("{\"envvars\": {\"A\": \"hush\"}, \"port\": \"x\"}", &[], "\"port\": \"x\"")]
fn no_error_tells_a_value(#[case] file: &str, #[case] arguments: &[&str], #[case] complaint: &str) {
    ours_only!("our options");
    let app = App::reference();
    app.write("Passengerfile.json", file);
    let mut start = command::passenger(&command::registry(&app));
    let finished = command::run(start.arg("start").arg(app.root()).args(arguments));
    assert!(finished.stderr.contains(complaint), "{finished:?}");
    assert!(!finished.stderr.contains("hush"), "{finished:?}");
}

#[rstest]
#[case::switched_on(true)]
#[case::switched_off(false)]
fn the_login_shells_variables_are_loaded_when_asked_for(
    #[case] is_on: bool,
    #[values("smart", "direct")] method: &str,
) {
    ours_only!("our options");
    let app = App::reference();
    let home = app.scratch().join("home");
    std::fs::create_dir(&home).expect("a home");
    let profile = "echo chatter\nexport FROM_PROFILE=\"two\nlines\" PORT=profile SERVERS=profile\n";
    for file in [".profile", ".bash_profile", ".zprofile"] {
        std::fs::write(home.join(file), profile).expect("a profile");
    }
    let launch = Server::of(app)
        .variable("HOME", home.to_str().expect("UTF-8"))
        .variable("SERVERS", "server")
        .argument("--spawn-method")
        .argument(method)
        .argument("--envvar=PORT=typed");
    let launch = if is_on { launch.argument("--load-shell-envvars") } else { launch };
    let server = launch.start();
    let variables = variables(&server);
    let expected = if is_on { [json!("two\nlines"), json!("profile")] } else { [json!(null), json!("server")] };
    assert_eq!([&variables["FROM_PROFILE"], &variables["SERVERS"]], [&expected[0], &expected[1]]);
    assert_eq!(variables["PORT"], "typed");
    assert_eq!(variables["PWD"], server.app().root().to_str().expect("UTF-8"));
}

#[rstest]
fn a_login_shell_that_fails_is_told_with_what_it_said() {
    ours_only!("our options");
    let app = App::reference();
    let home = app.scratch().join("home");
    std::fs::create_dir(&home).expect("a home");
    for file in [".profile", ".bash_profile", ".zprofile"] {
        std::fs::write(home.join(file), "echo the profile is broken\nexit 3\n").expect("a profile");
    }
    let failure = Server::of(app)
        .variable("HOME", home.to_str().expect("UTF-8"))
        .argument("--load-shell-envvars")
        .start_in_vain();
    for text in
        ["asking the login shell", "exited with code 3 and told nothing", "the profile is broken", "load_shell_envvars"]
    {
        assert!(failure.output.contains(text), "{text}: {failure:?}");
    }
}

#[rstest]
fn the_limit_on_open_files_is_set(#[values("smart", "direct")] method: &str) {
    ours_only!("our options");
    let server = Server::of(App::reference())
        .argument("--app-file-descriptor-ulimit=300")
        .argument("--spawn-method")
        .argument(method)
        .start();
    assert_eq!(server.get("/surroundings").json()["open_files"], json!([300, 300]));
}
