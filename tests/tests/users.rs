//! As which user applications run, and what that keeps them from.

use passenger_tests::command::{self, registry};
use passenger_tests::users::{DAEMON, GAMES, NOBODY, user};
use passenger_tests::{App, Server, Status, needs_other_users, ours_only};
use rstest::rstest;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

/// Answers with what the path below `/read` names, or has the server send what the path below `/send` names.
const READER: &str = r#"
run lambda { |env|
  _, how, path = env["PATH_INFO"].split("/", 3)
  next [200, { "x-sendfile" => "/#{path}" }, []] if how == "send"
  begin
    [200, {}, [File.read("/#{path}")]]
  rescue SystemCallError => error
    [403, {}, [error.class.name]]
  end
}
"#;

fn is(server: &Server, name: &str) {
    let user = user(name);
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let told = server.get("/surroundings").json();
    assert_eq!((&told["uids"], &told["gids"]), (&json!([uid, uid]), &json!([gid, gid])), "{told}");
    assert!(!told["groups"].as_array().expect("groups").contains(&json!(0)), "{told}");
    let variables = &told["variables"];
    let home = user.dir.to_str().expect("UTF-8");
    assert_eq!(
        [&variables["USER"], &variables["LOGNAME"], &variables["HOME"]],
        [&json!(name), &json!(name), &json!(home)]
    );
    assert_eq!(variables["SHELL"], user.shell.to_str().expect("UTF-8"));
    assert_eq!(Status::of(server).group()["user"], name);
}

#[rstest]
fn an_application_runs_as_its_owner(#[values("smart", "direct")] method: &str) {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    let server = Server::of(app)
        .switching_users()
        .argument("--spawn-method")
        .argument(method)
        .variable("DATABASE_URL", "of the agent")
        .variable("NOTIFY_SOCKET", "/run/of-the-agent")
        .start();
    is(&server, GAMES);
    let variables = server.get("/surroundings").json()["variables"].clone();
    assert_eq!(variables["DATABASE_URL"], "of the agent");
    assert_eq!(variables["PWD"], server.app().root().to_str().expect("UTF-8"));
    for name in ["NOTIFY_SOCKET", "PASSENGER_USER_SWITCHING", "PASSENGER_INSTANCE_REGISTRY_DIR"] {
        assert_eq!(variables[name], json!(null), "{name}");
    }
}

#[rstest]
fn what_belongs_to_root_runs_as_nobody_and_that_is_said() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference();
    app.open_to_everybody();
    let server = Server::of(app).switching_users().start();
    is(&server, NOBODY);
    server.wait_for_log(&format!("it runs as {NOBODY}, because"));
}

#[rstest]
#[case::by_name(&["--user", DAEMON], DAEMON)]
#[case::by_default(&["--default-user", DAEMON], GAMES)]
fn a_user_that_is_named_goes_before_the_owner(#[case] arguments: &[&str], #[case] expected: &str) {
    ours_only!("our user switching");
    needs_other_users!();
    let launch = Server::of(App::reference().owned_by(GAMES)).switching_users();
    is(&arguments.iter().fold(launch, |launch, argument| launch.argument(argument)).start(), expected);
}

#[rstest]
fn the_owner_of_a_link_counts_not_whose_file_it_leads_to() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    let file = passenger_tests::Language::current().startup_file();
    let (path, target) = (app.root().join(file), app.root().join(format!("real_{file}")));
    fs::rename(&path, &target).expect("the file moves");
    symlink(&target, &path).expect("a link");
    app.give(file, DAEMON);
    is(&Server::of(app).switching_users().start(), DAEMON);
}

#[rstest]
fn switched_off_applications_run_as_root() {
    ours_only!("our user switching");
    needs_other_users!();
    let server = Server::of(App::reference().owned_by(GAMES)).argument("--no-user-switching").start();
    assert_eq!(server.get("/surroundings").json()["uids"], json!([0, 0]));
    assert_eq!(Status::of(&server).group()["user"], "root");
}

#[rstest]
fn a_restart_follows_a_new_owner() {
    ours_only!("our user switching");
    needs_other_users!();
    let server = Server::of(App::reference().owned_by(GAMES)).switching_users().start();
    is(&server, GAMES);
    server.app().give("", DAEMON);
    server.app().touch_restart_txt();
    assert_eq!(server.get("/hello").status, 200);
    is(&server, DAEMON);
}

#[rstest]
fn what_the_user_may_not_enter_is_named() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    app.close_to_others();
    let scratch = app.scratch().display().to_string();
    let failure = Server::of(app).switching_users().start_in_vain();
    assert!(
        failure.output.contains(&format!("{GAMES} may not enter the directory {scratch}, which is")),
        "{failure:?}"
    );
    assert!(failure.output.contains("--user"), "{failure:?}");
}

#[rstest]
fn root_without_the_right_to_change_users_is_told_what_to_do(#[values("-setgid", "-setuid")] missing: &str) {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    let start = by_setpriv(&app, &["--bounding-set", missing, "--inh-caps", missing]);
    let failure = Server::of(app).by(start).switching_users().start_in_vain();
    assert!(failure.output.contains(&format!("while preparing to run as {GAMES}")), "{failure:?}");
    assert!(failure.output.contains("CAP_SETGID") && failure.output.contains("--no-user-switching"), "{failure:?}");
}

#[rstest]
fn what_the_user_may_not_read_is_named() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference();
    app.open_to_everybody();
    let file = passenger_tests::Language::current().startup_file();
    app.permit(file, 0o600);
    let failure = Server::of(app).switching_users().start_in_vain();
    assert!(failure.output.contains(&format!("{NOBODY} may not read ")), "{failure:?}");
}

#[rstest]
fn two_applications_can_not_read_each_others_files() {
    ours_only!("our user switching");
    needs_other_users!();
    let directory = App::empty("instance");
    directory.open_to_everybody();
    for (name, owner) in [("a", GAMES), ("b", DAEMON)] {
        directory.write(&format!("{name}/config.ru"), READER);
        directory.write(&format!("{name}/secret"), name);
        directory.permit(&format!("{name}/secret"), 0o600);
        directory.give(name, owner);
    }
    let apps = json!({ "apps": [{ "root": "a", "base_uri": "/a" }, { "root": "b", "base_uri": "/b" }] });
    directory.write("Passengerfile.json", apps.to_string());
    let root = directory.root().display().to_string();
    let mut start = command::passenger(&registry(&directory));
    start.arg("start").arg(directory.root()).args(["--address", "127.0.0.1", "--port", "0"]);
    let server = Server::of(directory).by(start).switching_users().start();
    for (own, other) in [("a", "b"), ("b", "a")] {
        for how in ["read", "send"] {
            let get = |whose: &str| server.get(&format!("/{own}/{how}{root}/{whose}/secret"));
            assert_eq!(get(own).text(), own);
            let refused = get(other);
            assert!(refused.status >= 400 && refused.text() != other, "{refused:?}");
        }
    }
}

#[rstest]
fn the_server_sends_no_file_that_the_user_may_not_read(#[values("0", "1")] workers: &str) {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::of(READER).owned_by(GAMES);
    app.write("public/open.txt", "open");
    app.write("public/closed.txt", "closed");
    app.permit("public/closed.txt", 0o600);
    symlink("/etc/shadow", app.root().join("public/link.txt")).expect("a link");
    let launch = Server::of(app).switching_users().environment("production");
    let server = launch.argument("--min-instances").argument(workers).start();
    assert_eq!(server.get("/open.txt").text(), "open");
    // The application hears of these, and has no such paths.
    for path in ["/closed.txt", "/link.txt"] {
        assert_eq!(server.get(path).status, 403, "{path}");
    }
    assert_eq!(server.get("/send/etc/passwd").text(), fs::read_to_string("/etc/passwd").expect("it is there"));
    let refused = server.get("/send/etc/shadow");
    assert!(refused.status >= 400 && !refused.text().contains("root:"), "{refused:?}");
    server.wait_for_log(&format!("it must be the absolute path of a file that {GAMES} may read"));
}

#[rstest]
fn the_log_can_be_opened_by_its_name() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::of("File.write(\"/dev/stdout\", \"by its name\\n\")\nrun ->(_) { [200, {}, []] }\n").owned_by(GAMES);
    Server::of(app).switching_users().start().wait_for_log("by its name");
}

/// `passenger start` by a user who is not root.
fn as_games(app: &App) -> std::process::Command {
    app.give(registry(app).to_str().expect("UTF-8"), GAMES);
    let games = user(GAMES);
    by_setpriv(app, &["--reuid", &games.uid.to_string(), "--regid", &games.gid.to_string(), "--clear-groups"])
}

/// `passenger start` with fewer rights.
fn by_setpriv(app: &App, arguments: &[&str]) -> std::process::Command {
    let passenger = command::passenger(&registry(app));
    let mut start = std::process::Command::new("setpriv");
    start.args(arguments);
    start.arg(passenger.get_program());
    for (name, value) in passenger.get_envs() {
        match value {
            Some(value) => start.env(name, value),
            None => start.env_remove(name),
        };
    }
    start.args(["start", "--address", "127.0.0.1", "--port", "0"]);
    start
}

#[rstest]
fn without_root_everything_runs_as_whoever_started_it() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(DAEMON);
    let start = as_games(&app);
    let server = Server::of(app).by(start).switching_users().start();
    let games = user(GAMES).uid.as_raw();
    assert_eq!(server.get("/surroundings").json()["uids"], json!([games, games]));
}

#[rstest]
fn without_root_another_user_is_refused() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    app.write("Passengerfile.json", json!({ "user": DAEMON }).to_string());
    let mut start = as_games(&app);
    let finished = command::run(start.current_dir(app.root()));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("Passengerfile.json:1:"), "{finished:?}");
    assert!(finished.stderr.contains("\"user\": \"daemon\": only a server that was started by root"), "{finished:?}");
}

#[rstest]
#[case::root("{\"user\": \"root\"}", "\"user\": \"root\": applications never run as root")]
#[case::unknown("{\"user\": \"nosuch\"}", "\"user\": \"nosuch\": there is no user \"nosuch\" on this machine")]
#[case::group("{\"group\": \"root\"}", "\"group\": \"root\": applications never run with root's group")]
#[case::off("{\"user\": \"games\", \"user_switching\": false}", "\"user\": \"games\": user_switching is off")]
fn users_that_can_not_be_are_refused_before_anything_starts(#[case] file: &str, #[case] complaint: &str) {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference();
    app.write("Passengerfile.json", file);
    let mut check = command::passenger(&registry(&app));
    check.env_remove("PASSENGER_USER_SWITCHING").args(["config", "--check"]).arg(app.root());
    let finished = command::run(&mut check);
    assert!(finished.code != Some(0) && finished.stderr.contains(complaint), "{finished:?}");
}

#[rstest]
fn the_check_says_as_which_user_an_application_would_run() {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    let mut check = command::passenger(&registry(&app));
    check.env("PASSENGER_USER_SWITCHING", "true").args(["config", "--check"]).arg(app.root());
    let finished = command::run(&mut check);
    assert!(finished.stdout.contains(&format!(" as {GAMES}\n")), "{finished:?}");
}

#[rstest]
#[case::switching_off("{\"user_switching\": false}", GAMES, "\"user_switching\": false: only root can say this")]
#[case::a_group("{\"group\": \"shadow\"}", GAMES, "\"group\": \"shadow\": only root can say this")]
#[case::another_user(
    "{\"user\": \"daemon\"}",
    GAMES,
    "its Passengerfile belongs to games, who must not decide what daemon runs"
)]
#[case::himself("{\"user\": \"games\"}", GAMES, "")]
#[case::root_says("{\"user\": \"daemon\", \"group\": \"shadow\"}", "root", "")]
fn a_passengerfile_gives_its_owner_no_more_rights(#[case] file: &str, #[case] owner: &str, #[case] complaint: &str) {
    ours_only!("our user switching");
    needs_other_users!();
    let app = App::reference().owned_by(GAMES);
    app.write("Passengerfile.json", file);
    app.give("Passengerfile.json", owner);
    let mut check = command::passenger(&registry(&app));
    check.env_remove("PASSENGER_USER_SWITCHING").args(["config", "--check"]).arg(app.root());
    let finished = command::run(&mut check);
    assert_eq!(finished.code == Some(0), complaint.is_empty(), "{finished:?}");
    assert!(finished.stderr.contains(complaint), "{finished:?}");
}
