//! Applications on another Ruby than the one that `passenger` was started with.

use passenger_tests::{App, SecondRuby, Server, command, ours_only};
use rstest::rstest;
use std::path::Path;
use std::process::Command;

/// The `passenger` command of a checkout, started by the machine's Ruby.
fn passenger_command(app: &App, gem_home: &Path) -> Command {
    let mut command = Command::new("ruby");
    command::without_foreign_settings(&mut command);
    command
        .arg(command::repository().join("ruby/exe/passenger"))
        .args(["start", "--address", "127.0.0.1", "--port", "0"])
        .env("PASSENGER_AGENT", command::agent())
        .env("PASSENGER_INSTANCE_REGISTRY_DIR", command::registry(app))
        .env("PASSENGER_USER_SWITCHING", "false")
        .env("GEM_HOME", gem_home);
    for name in ["PASSENGER_RUBY", "PASSENGER_RUBY_EXT", "PASSENGER_RUBY_LIBDIR"] {
        command.env_remove(name);
    }
    command
}

fn app() -> App {
    App::of("run ->(_) { [200, {}, [\"Ruby #{RUBY_VERSION} with Rack #{Rack.release}\"]] }\n")
}

#[rstest]
fn the_application_may_have_another_ruby_than_the_command() {
    ours_only!("about Passenger's own spawning");
    let Some(ruby) = SecondRuby::obtained() else { return };
    let answer_with = |arguments: &[&str]| {
        let app = app();
        let gem_home = app.scratch().join("gems");
        ruby.install_extension(&gem_home);
        let mut command = passenger_command(&app, &gem_home);
        command.args(arguments);
        Server::of(app).by(command).start().get("/").text().to_owned()
    };
    let other = answer_with(&["--ruby", ruby.interpreter().to_str().expect("UTF-8")]);
    assert!(other.starts_with("Ruby 3.3.") && other.contains("with Rack 3."), "{other}");
    let own = answer_with(&[]);
    assert!(!own.starts_with("Ruby 3.3."), "{own}");
}

#[rstest]
fn a_ruby_without_the_extension_says_how_to_get_it(#[values("smart", "direct")] spawn_method: &str) {
    ours_only!("about Passenger's own spawning");
    let Some(ruby) = SecondRuby::obtained() else { return };
    let app = app();
    let mut command = passenger_command(&app, &app.scratch().join("gems"));
    command.arg("--ruby").arg(ruby.interpreter()).args(["--spawn-method", spawn_method]);
    let failure = Server::of(app).by(command).start_in_vain();
    assert_eq!(failure.status.code(), Some(1), "{}", failure.output);
    for text in ["can't be loaded by Ruby 3.3.", "3.3/passenger_ruby.so", "ruby3.3 -S gem install passenger -v"] {
        assert!(failure.output.contains(text), "{text:?} is not in {}", failure.output);
    }
}
