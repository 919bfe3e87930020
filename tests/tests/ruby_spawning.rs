//! What starting a Ruby application has of its own: rackup files, gems, interpreters.

use passenger_tests::{App, Server, ours_only};
use rstest::rstest;

#[rstest]
fn a_gem_that_is_not_installed_is_named(#[values("smart", "direct")] spawn_method: &str) {
    ours_only!("about Passenger's own spawning");
    let app = App::of("require \"a_gem_that_is_not_installed\"\n");
    let failure = Server::of(app).argument("--spawn-method").argument(spawn_method).start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in ["LoadError", "a_gem_that_is_not_installed", "config.ru:1"] {
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
