//! Workers come to be: from a preloader or directly. If they do not, the reason is told in the application's own words.

use passenger_tests::{App, Process, Request, Server, ours_only};
use rstest::rstest;
use std::collections::HashSet;

/// Notes each time it is loaded.
const COUNTS_BOOTS: &str = r##"
require "fileutils"
FileUtils.mkdir_p("tmp")
File.write("tmp/boots", "#{Process.pid}\n", mode: "a")

run(lambda do |env|
  gate = env["PATH_INFO"].delete_prefix("/")
  File.write("tmp/at-gate-#{gate}", Process.pid.to_s)
  sleep 0.002 until File.exist?("tmp/gate-#{gate}")
  [200, { "Content-Type" => "text/plain" }, [Process.pid.to_s]]
end)
"##;

/// Makes `count` workers serve at the same time; returns them and the processes that loaded the application.
fn occupy(server: &Server, count: usize) -> (HashSet<Process>, Vec<Process>) {
    let mut connections: Vec<_> = (0..count).map(|_| server.connect()).collect();
    for (i, connection) in connections.iter_mut().enumerate() {
        connection.send(Request::get(&format!("/{i}")).to_bytes());
    }
    for i in 0..count {
        server.app().worker_at_gate(&i.to_string());
    }
    for i in 0..count {
        server.app().open_gate(&i.to_string());
    }
    let workers = connections.iter_mut().map(|connection| Process(connection.receive().number())).collect();
    let boots = server.app().read("tmp/boots").lines().map(|pid| Process(pid.parse().expect("a process id"))).collect();
    (workers, boots)
}

#[rstest]
fn smart_spawning_loads_the_application_once_and_forks() {
    ours_only!("about Passenger's own spawning");
    let server = Server::of(App::of(COUNTS_BOOTS)).max_pool_size(3).start();
    let (workers, boots) = occupy(&server, 3);
    assert_eq!(workers.len(), 3);
    assert_eq!(boots.len(), 1, "the application was loaded more than once");
    assert!(!workers.contains(&boots[0]), "the preloader serves requests");
}

#[rstest]
fn direct_spawning_loads_the_application_in_each_worker() {
    ours_only!("about Passenger's own spawning");
    let server =
        Server::of(App::of(COUNTS_BOOTS)).max_pool_size(3).argument("--spawn-method").argument("direct").start();
    let (workers, boots) = occupy(&server, 3);
    assert_eq!(workers.len(), 3);
    assert_eq!(boots.into_iter().collect::<HashSet<_>>(), workers);
}

#[rstest]
#[case::an_exception("exception", &["ArgumentError", "DATABASE_URL is not set", "config.ru:"])]
#[case::an_exit("exit", &["the license has expired", "7"])]
#[case::a_silent_exit("exit-silently", &["9"])]
#[case::a_signal("kill", &["SIGKILL"])]
#[case::a_syntax_error("syntax", &["SyntaxError", "broken.rb:1"])]
#[case::a_missing_gem("missing-gem", &["LoadError", "a_gem_that_is_not_installed"])]
#[case::much_output("chatty", &["line 1999 of a long complaint", "the last word"])]
fn an_application_that_does_not_boot_says_why(
    #[values("smart", "direct")] spawn_method: &str,
    #[case] fault: &str,
    #[case] expected: &[&str],
) {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::fixture("crashing"))
        .variable("CRASH_AT_BOOT", fault)
        .argument("--spawn-method")
        .argument(spawn_method)
        .start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in expected.iter().chain(&["config.ru"]) {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
    assert!(!failure.output.contains("panicked"), "{}", failure.output);
}

#[rstest]
fn an_application_that_takes_too_long_to_boot_is_given_up(#[values("smart", "direct")] spawn_method: &str) {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::fixture("crashing"))
        .variable("CRASH_AT_BOOT", "hang")
        .argument("--start-timeout=1")
        .argument("--spawn-method")
        .argument(spawn_method)
        .start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in ["1 s", "--start-timeout", "connecting to a database that never answers"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}

#[rstest]
fn a_syntax_error_in_the_rackup_file_is_shown_with_its_line() {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::of("\n\nrun ->(env) {\n")).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    assert!(failure.output.contains("config.ru:3"), "{}", failure.output);
}

#[rstest]
fn a_rackup_file_that_runs_nothing_is_refused() {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::of("use Rack::Runtime\n")).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    assert!(failure.output.contains("missing run or map statement"), "{}", failure.output);
}

#[rstest]
#[case::that_is_not_there("/nowhere/ruby", "/nowhere/ruby")]
#[case::that_is_no_ruby("/bin/true", "/bin/true")]
#[case::not_in_the_path("ruby-of-tomorrow", "ruby-of-tomorrow")]
fn a_ruby_that_cannot_be_used_is_named(#[case] ruby: &str, #[case] expected: &str) {
    ours_only!("about Passenger's own spawning");
    let failure = Server::of(App::fixture("rack")).argument("--ruby").argument(ruby).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    assert!(failure.output.contains(expected), "{}", failure.output);
}

#[rstest]
fn a_gem_that_the_bundle_lacks_is_named() {
    ours_only!("about Passenger's own spawning");
    let app = App::fixture("sinatra");
    app.write("Gemfile", "gem \"a_gem_that_is_not_installed\"\n");
    let failure = Server::of(app).start_in_vain();
    assert_eq!(failure.status.code(), Some(1));
    assert!(failure.output.contains("a_gem_that_is_not_installed"), "{}", failure.output);
}

#[rstest]
fn the_application_may_set_its_load_paths_itself() {
    ours_only!("about Passenger's own spawning");
    let app = App::of("require \"of_the_application\"\nrun ->(_) { [200, {}, [OF_THE_APPLICATION]] }\n");
    app.write("config/setup_load_paths.rb", "$LOAD_PATH.unshift(File.expand_path(\"../vendor\", __dir__))\n");
    app.write("vendor/of_the_application.rb", "OF_THE_APPLICATION = \"found\"\n");
    assert_eq!(Server::of(app).start().get("/").text(), "found");
}

#[rstest]
fn a_slow_boot_is_waited_for() {
    let server = Server::of(App::fixture("slow")).variable("BOOT_SECONDS", "1.5").start();
    assert!(server.get("/0").text().ends_with(" after 0.0 s\n"));
}

#[rstest]
fn what_the_application_prints_while_booting_is_in_the_log() {
    let app = App::of("puts \"printed at boot\"\nwarn \"warned at boot\"\nrun ->(_) { [200, {}, []] }\n");
    let server = Server::of(app).start();
    server.wait_for_log("printed at boot");
    server.wait_for_log("warned at boot");
}
