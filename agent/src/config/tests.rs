use super::*;
use passenger_native::options::{Kind, OPTIONS};
use rstest::rstest;
use tempfile::TempDir;

/// An application directory whose `Passengerfile.json` is `file`.
fn app(file: &str) -> TempDir {
    let app = tempfile::tempdir().unwrap();
    if !file.is_empty() {
        std::fs::write(app.path().join("Passengerfile.json"), file).unwrap();
    }
    app
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn command_line(typed: &[(&str, &str)]) -> CommandLine {
    typed.iter().map(|(name, value)| (passenger_native::options::find(name).unwrap(), value.into())).collect()
}

fn resolve(file: &str, variables: &[(&str, &str)], typed: &[(&str, &str)]) -> Result<Config, String> {
    let app = app(file);
    Config::resolve(app.path(), &command_line(typed), &environment(variables))
        .map_err(|error| error.to_string().replace(&format!("{}/", app.path().display()), ""))
}

fn listens(config: &Config) -> String {
    config.listen[0].to_string()
}

#[test]
fn the_defaults() {
    let app = app("");
    let config = Config::resolve(app.path(), &Vec::new(), &environment(&[])).unwrap();
    let expected = Config {
        app_root: app.path().to_owned(),
        listen: vec![ListenAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3000 }],
        environment: "development".to_owned(),
        daemonize: false,
        pid_file: Some(app.path().join("passenger.3000.pid")),
        log_file: None,
        log_level: LogLevel::Notice,
        pool: PoolConfig {
            max_pool_size: 6,
            min_instances: 1,
            max_request_queue_size: 100,
            max_requests: 0,
            start_timeout: Duration::from_secs(90),
            threads: 1,
        },
        spawn_method: SpawnMethod::Smart,
        ruby: None,
        startup_file: None,
        app_type: None,
        static_files_dir: app.path().join("public"),
        registry_dir: "/tmp".into(),
    };
    assert_eq!(config, expected);
}

#[rstest]
#[case::file("{\"port\": 1}", &[], &[], "127.0.0.1:1")]
#[case::environment("{\"port\": 1}", &[("PASSENGER_PORT", "2")], &[], "127.0.0.1:2")]
#[case::command_line("{\"port\": 1}", &[("PASSENGER_PORT", "2")], &[("port", "3")], "127.0.0.1:3")]
#[case::last_of_two("", &[], &[("port", "3"), ("port", "4")], "127.0.0.1:4")]
#[case::empty_variable("{\"port\": 1}", &[("PASSENGER_PORT", "")], &[], "127.0.0.1:1")]
#[case::production("", &[("RAILS_ENV", "production")], &[], "0.0.0.0:3000")]
#[case::socket("", &[], &[("socket", "/run/a.sock"), ("port", "3")], "unix:/run/a.sock")]
#[case::port_over_socket("{\"socket\": \"/run/a.sock\"}", &[], &[("port", "3")], "127.0.0.1:3")]
#[case::socket_over_port("{\"port\": 1}", &[("PASSENGER_SOCKET", "/run/a.sock")], &[], "unix:/run/a.sock")]
fn the_stronger_place_wins(
    #[case] file: &str,
    #[case] variables: &[(&str, &str)],
    #[case] typed: &[(&str, &str)],
    #[case] expected: &str,
) {
    assert_eq!(listens(&resolve(file, variables, typed).unwrap()), expected);
}

#[rstest]
#[case(&[], "development")]
#[case(&[("RACK_ENV", "a")], "a")]
#[case(&[("RACK_ENV", "a"), ("RAILS_ENV", "b")], "b")]
#[case(&[("RAILS_ENV", "b"), ("PASSENGER_APP_ENV", "c")], "c")]
#[case(&[("PASSENGER_APP_ENV", "c"), ("PASSENGER_ENVIRONMENT", "d")], "d")]
#[case(&[("PASSENGER_APP_ENV", ""), ("RACK_ENV", "a")], "a")]
fn the_environment_is_inherited(#[case] variables: &[(&str, &str)], #[case] expected: &str) {
    assert_eq!(resolve("", variables, &[]).unwrap().environment, expected);
}

#[test]
fn a_setting_of_ours_is_stronger_than_an_inherited_environment() {
    let config = resolve("{\"environment\": \"staging\"}", &[("RAILS_ENV", "production")], &[]).unwrap();
    assert_eq!(config.environment, "staging");
}

#[rstest]
#[case("", &[("rackup", "a.ru")], "a.ru")]
#[case("{\"startup_file\": \"b.ru\"}", &[("rackup", "a.ru")], "a.ru")]
#[case("{\"rackup\": \"a.ru\"}", &[("startup_file", "b.ru")], "b.ru")]
fn rackup_names_the_startup_file(#[case] file: &str, #[case] typed: &[(&str, &str)], #[case] expected: &str) {
    let config = resolve(file, &[], typed).unwrap();
    assert_eq!(config.startup_file, Some(config.app_root.join(expected)));
}

#[test]
fn rackup_settles_the_kind_of_application() {
    assert_eq!(resolve("", &[], &[("rackup", "a.ru")]).unwrap().app_type, Some(AppKind::Rack));
}

#[test]
fn a_log_file_is_used_in_the_background_or_when_asked_for() {
    let config = resolve("", &[], &[("daemonize", "true")]).unwrap();
    assert_eq!(config.log_file, Some(config.app_root.join("passenger.3000.log")));
    let config = resolve("{\"log_file\": \"log.txt\", \"daemonize\": true}", &[], &[("daemonize", "false")]).unwrap();
    assert_eq!((config.daemonize, config.log_file), (false, Some(config.app_root.join("log.txt"))));
}

#[rstest]
#[case("", &[], &[("port", "99999")], "--port 99999: must be a whole number between 0 and 65535")]
#[case("", &[("PASSENGER_THREADS", "abc")], &[], "PASSENGER_THREADS=abc (environment): must be a whole number between 1 and 128")]
#[case("", &[("PASSENGER_THREAD_COUNT", "x")], &[], "PASSENGER_THREAD_COUNT=x (environment): must be a whole number between 1 and 128")]
#[case(
    "{\"min_instances\": 8}", &[], &[],
    "Passengerfile.json:1:19: \"min_instances\": 8: must be at most max_pool_size, which is 6"
)]
#[case("", &[], &[("address", "::1:")], "--address ::1:: must be an address or host name without a port; use --port for the port")]
fn an_error_names_the_place_and_the_setting(
    #[case] file: &str,
    #[case] variables: &[(&str, &str)],
    #[case] typed: &[(&str, &str)],
    #[case] complaint: &str,
) {
    assert_eq!(resolve(file, variables, typed).unwrap_err(), complaint);
}

#[test]
fn a_socket_path_that_the_kernel_refuses_is_refused_first() {
    let path = format!("/{}", "a".repeat(107));
    let complaint = resolve("", &[], &[("socket", &path)]).unwrap_err();
    assert!(complaint.ends_with("a socket's path has at most 107 bytes; use a shorter one"), "{complaint}");
    assert!(resolve("", &[], &[("socket", &path[..107])]).is_ok());
}

#[test]
fn only_what_was_typed_is_a_usage_error() {
    let app = app("");
    let fails = |variables: &[_], typed: &[_]| {
        Config::resolve(app.path(), &command_line(typed), &environment(variables)).unwrap_err().is_usage_error()
    };
    assert!(fails(&[], &[("port", "x")]));
    assert!(!fails(&[("PASSENGER_PORT", "x")], &[]));
}

#[test]
fn variables_that_are_not_options_do_no_harm() {
    let variables = [("PASSENGER_RUBY_LIBDIR", "/x"), ("PASSENGER_AGENT", "/y"), ("PASSENGER_DEBUG", "")];
    assert!(resolve("", &variables, &[]).is_ok());
}

#[rstest]
#[case("", &[], &[], "/tmp")]
#[case("", &[("TMPDIR", "/a")], &[], "/a")]
#[case("{\"instance_registry_dir\": \"/b\"}", &[("TMPDIR", "/a")], &[], "/b")]
#[case("{\"instance_registry_dir\": \"/b\", \"nonsense\": 1}", &[("TMPDIR", "/a")], &[], "/a")]
#[case("", &[("PASSENGER_INSTANCE_REGISTRY_DIR", "/c"), ("PASSENGER_PORT", "x")], &[], "/c")]
#[case("", &[("PASSENGER_INSTANCE_REGISTRY_DIR", "/c")], &[("instance_registry_dir", "/d")], "/d")]
fn the_registry_is_found_whatever_else_is_wrong(
    #[case] file: &str,
    #[case] variables: &[(&str, &str)],
    #[case] typed: &[(&str, &str)],
    #[case] expected: &str,
) {
    let app = app(file);
    let selection = Selection::resolve(app.path(), &command_line(typed), &environment(variables)).unwrap();
    assert_eq!(selection.registry_dir, Path::new(expected));
}

#[test]
fn an_instance_is_selected_by_what_was_typed_alone() {
    let app = app("{\"port\": 1, \"pid_file\": \"/a.pid\"}");
    let resolve =
        |typed: &[_]| Selection::resolve(app.path(), &command_line(typed), &environment(&[("PASSENGER_PORT", "2")]));
    let nothing = resolve(&[]).unwrap();
    assert_eq!((nothing.port, nothing.pid_file), (None, None));
    let both = resolve(&[("port", "3"), ("pid_file", "/b.pid")]).unwrap();
    assert_eq!((both.port, both.pid_file), (Some(3), Some("/b.pid".into())));
    assert!(resolve(&[("port", "x")]).unwrap_err().is_usage_error());
}

/// Whatever the table offers as a word has a meaning of its own here.
#[test]
fn every_word_of_a_choice_is_understood() {
    for option in OPTIONS {
        let Kind::Choice { values, .. } = option.kind else { continue };
        let configs: Vec<_> = values.iter().map(|value| resolve("", &[], &[(option.name, value)]).unwrap()).collect();
        let meanings: Vec<_> =
            configs.iter().map(|config| (config.log_level, config.spawn_method, config.app_type)).collect();
        for (index, meaning) in meanings.iter().enumerate() {
            assert!(!meanings[..index].contains(meaning), "{} of {}", values[index], option.name);
        }
    }
}
