use super::*;
use crate::app::detect::{Start, Wanted};
use crate::app::entry::Entry;
use crate::app::kind::AppKind;
use crate::app::process::ProcessConfig;
use crate::app::runtime::Interpreters;
use crate::app::user::UserRules;
use crate::pool::limits::Limits;
use passenger_native::options::{Kind, OPTIONS};
use rstest::rstest;
use std::time::Duration;
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
    config.instance.listen[0].to_string()
}

#[test]
fn the_defaults() {
    let app = app("");
    let config = Config::resolve(app.path(), &Vec::new(), &environment(&[])).unwrap();
    let expected = Config {
        instance: InstanceConfig {
            root: app.path().to_owned(),
            listen: vec![ListenAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3000 }],
            environment: "development".to_owned(),
            max_pool_size: Some(6),
            max_spawns: std::thread::available_parallelism().map_or(2, |number| number.get().max(2)),
            daemonize: false,
            pid_file: Some(app.path().join("passenger.3000.pid")),
            log_file: None,
            log_level: LogLevel::Notice,
            registry_dir: "/tmp".into(),
        },
        apps: vec![AppConfig {
            name: app.path().file_name().unwrap().to_str().unwrap().to_owned(),
            root: app.path().to_owned(),
            server_names: Vec::new(),
            base_uri: String::new(),
            environment: "development".to_owned(),
            pool: PoolConfig {
                max_instances: 6,
                pre_start: true,
                idle_time: Some(Duration::from_secs(300)),
                preloader_idle_time: Some(Duration::from_secs(300)),
                min_instances: 1,
                max_request_queue_size: 100,
                max_requests: 0,
                refork_after: Vec::new(),
                limits: Limits::default(),
                max_concurrent_requests: 1000,
                start_timeout: Duration::from_secs(90),
                threads: 1,
            },
            spawn_method: SpawnMethod::Smart,
            wanted: Wanted::default(),
            interpreters: Interpreters::default(),
            health_check_paths: Vec::new(),
            user: UserRules {
                switching: true,
                user: None,
                group: None,
                default_user: "nobody".to_owned(),
                default_group: None,
                said_by: None,
            },
            restart: RestartConfig {
                rolling: true,
                resists_errors: true,
                dir: app.path().join("tmp"),
                shutdown_timeout: Duration::from_secs(30),
            },
            processes: ProcessConfig::default(),
            sticky_sessions: None,
            static_files_dir: app.path().join("public"),
        }],
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
    assert_eq!(resolve("", variables, &[]).unwrap().apps[0].environment, expected);
}

#[test]
fn a_setting_of_ours_is_stronger_than_an_inherited_environment() {
    let config = resolve("{\"environment\": \"staging\"}", &[("RAILS_ENV", "production")], &[]).unwrap();
    assert_eq!((&*config.apps[0].environment, &*config.instance.environment), ("staging", "staging"));
}

/// What the options say about the application: where it begins and its kind.
fn wanted(
    file: &str,
    variables: &[(&str, &str)],
    typed: &[(&str, &str)],
) -> Result<(Option<String>, Option<AppKind>), String> {
    let AppConfig { root, wanted, .. } = resolve(file, variables, typed)?.apps.remove(0);
    let start = wanted.start.map(|start| match start {
        Start::File(path) => path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
        Start::Entry(Entry { object, factory }) => {
            if factory {
                format!("{object}()")
            } else {
                object
            }
        }
    });
    Ok((start, wanted.kind))
}

const APP: &str = "{\"app\": \"shop:app\"}";

#[rstest]
#[case::rackup("", &[], &[("rackup", "a.ru")], "a.ru")]
#[case::rackup_over_startup_file("{\"startup_file\": \"b.ru\"}", &[], &[("rackup", "a.ru")], "a.ru")]
#[case::startup_file_over_rackup("{\"rackup\": \"a.ru\"}", &[], &[("startup_file", "b.ru")], "b.ru")]
#[case::rackup_beside_startup_file("", &[], &[("rackup", "a.ru"), ("startup_file", "b.ru")], "a.ru")]
#[case::entry("", &[("PASSENGER_APP", "shop.wsgi")], &[], "shop.wsgi")]
#[case::entry_over_file("{\"rackup\": \"a.ru\"}", &[("PASSENGER_APP", "shop:app")], &[], "shop:app")]
#[case::file_over_entry(APP, &[], &[("startup_file", "passenger_wsgi.py")], "passenger_wsgi.py")]
#[case::rackup_over_entry(APP, &[("PASSENGER_FACTORY", "1")], &[("rackup", "a.ru")], "a.ru")]
#[case::factory(APP, &[("PASSENGER_FACTORY", "1")], &[], "shop:app()")]
#[case::factory_by_parentheses("", &[], &[("app", "shop:app()")], "shop:app()")]
fn the_application_named_in_the_strongest_place_counts(
    #[case] file: &str,
    #[case] variables: &[(&str, &str)],
    #[case] typed: &[(&str, &str)],
    #[case] expected: &str,
) {
    assert_eq!(wanted(file, variables, typed).unwrap().0.as_deref(), Some(expected));
}

#[rstest]
#[case::not_named("", &[], None)]
#[case::auto("{\"app_type\": \"auto\"}", &[], None)]
#[case::rackup("{\"app_type\": \"wsgi\"}", &[("rackup", "a.ru")], Some(AppKind::Rack))]
#[case::interface(APP, &[("interface", "asgi")], Some(AppKind::Asgi))]
#[case::of_a_file("", &[("startup_file", "main.py"), ("app_type", "wsgi")], Some(AppKind::Wsgi))]
fn the_kind_of_application_is_named(
    #[case] file: &str,
    #[case] typed: &[(&str, &str)],
    #[case] expected: Option<AppKind>,
) {
    assert_eq!(wanted(file, &[], typed).unwrap().1, expected);
}

#[rstest]
#[case::no_entry(
    &[("app", "shop.py:app")],
    "--app shop.py:app: is a file where a module is needed; write shop:application"
)]
#[case::entry_and_file(
    &[("app", "shop:app"), ("startup_file", "a.py")],
    "--app shop:app: startup_file names what to run, too; remove one of them"
)]
#[case::entry_and_rackup(
    &[("app", "shop:app"), ("rackup", "a.ru")],
    "--app shop:app: rackup names what to run, too; remove one of them"
)]
#[case::entry_in_ruby(
    &[("app", "shop:app"), ("app_type", "rack")],
    "--app shop:app: is for Python, but app_type is rack; remove one of them"
)]
#[case::factory_of_nothing(
    &[("factory", "true")],
    "--factory true: there is no function named; name it as module:function by --app"
)]
#[case::factory_without_a_name(
    &[("factory", "true"), ("app", "shop")],
    "--app shop: does not name the factory; write shop:create_app"
)]
#[case::unknown_interface(
    &[("interface", "rsgi")],
    "--app-type rsgi: must be one of auto, rack, wsgi, asgi"
)]
#[case::no_app_dir(
    &[("app_dir", "src")],
    "--app-dir src: there is no such directory in the application; give the one that has its modules"
)]
fn what_cannot_be_run_is_refused(#[case] typed: &[(&str, &str)], #[case] complaint: &str) {
    assert_eq!(resolve("", &[], typed).unwrap_err(), complaint);
}

#[test]
fn modules_are_looked_for_in_the_application() {
    let app = app("");
    std::fs::create_dir(app.path().join("src")).unwrap();
    let config = Config::resolve(app.path(), &command_line(&[("pythonpath", "src")]), &environment(&[])).unwrap();
    assert_eq!(config.apps[0].wanted.app_dir, Some(app.path().join("src")));
}

#[rstest]
#[case(&[("workers", "4")], (4, 4))]
#[case(&[("workers", "4"), ("min_instances", "2")], (4, 2))]
#[case(&[("workers", "4"), ("max_pool_size", "8")], (8, 4))]
fn workers_sets_both_limits(#[case] typed: &[(&str, &str)], #[case] limits: (usize, usize)) {
    let config = resolve("{\"max_pool_size\": 3, \"min_instances\": 3}", &[], typed).unwrap();
    assert_eq!((config.instance.max_pool_size, config.apps[0].pool.min_instances), (Some(limits.0), limits.1));
    assert_eq!(config.apps[0].pool.max_instances, limits.0);
}

#[test]
fn workers_gives_way_to_a_stronger_place() {
    let config = resolve("{\"workers\": 8}", &[("PASSENGER_MIN_INSTANCES", "1")], &[]).unwrap();
    assert_eq!((config.instance.max_pool_size, config.apps[0].pool.min_instances), (Some(8), 1));
    let complaint = resolve("", &[("PASSENGER_WORKERS", "8")], &[("max_pool_size", "2")]).unwrap_err();
    assert_eq!(complaint, "PASSENGER_WORKERS=8 (environment): must be at most max_pool_size, which is 2");
}

#[test]
fn a_log_file_is_used_in_the_background_or_when_asked_for() {
    let config = resolve("", &[], &[("daemonize", "true")]).unwrap();
    assert_eq!(config.instance.log_file, Some(config.instance.root.join("passenger.3000.log")));
    let config = resolve("{\"log_file\": \"log.txt\", \"daemonize\": true}", &[], &[("daemonize", "false")]).unwrap();
    assert_eq!(
        (config.instance.daemonize, config.instance.log_file),
        (false, Some(config.instance.root.join("log.txt")))
    );
}

#[rstest]
#[case("{\n  \"port\": 99999\n}", &[], &[], "Passengerfile.json:2:11: \"port\": 99999: must be a whole number between 0 and 65535")]
#[case("{\"port\": {\"a\": 1}}", &[], &[], "Passengerfile.json:1:10: \"port\": {\"a\":1}: must be a whole number between 0 and 65535")]
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
        let meanings: Vec<_> = configs
            .iter()
            .map(|config| (config.instance.log_level, config.apps[0].spawn_method, config.apps[0].wanted.kind))
            .collect();
        for (index, meaning) in meanings.iter().enumerate() {
            assert!(!meanings[..index].contains(meaning), "{} of {}", values[index], option.name);
        }
    }
}

/// A directory with this `Passengerfile.json`, whose applications have directories of these names.
fn several(file: &str, roots: &[&str]) -> TempDir {
    let directory = app(file);
    for root in roots {
        std::fs::create_dir_all(directory.path().join(root)).unwrap();
    }
    directory
}

#[test]
fn an_entry_goes_before_what_stands_beside_it() {
    let file = r#"{
        "port": 80, "max_pool_size": 9, "threads": 2, "environment": "production", "static_files_dir": "web",
        "apps": [
            { "root": "shop", "threads": 3, "max_instances": 4, "python": ".venv/bin/python" },
            { "root": "blog", "environment": "staging", "base_uri": "/blog/", "server_names": ["A.com", "*.b.com"] }
        ]
    }"#;
    let directory = several(file, &["shop", "blog"]);
    let root = directory.path();
    let config = Config::resolve(root, &Vec::new(), &environment(&[])).unwrap();
    assert_eq!((listens(&config), config.instance.max_pool_size), ("0.0.0.0:80".to_owned(), Some(9)));
    assert_eq!(
        (&config.instance.root, &config.instance.pid_file),
        (&root.to_owned(), &Some(root.join("passenger.80.pid")))
    );
    let [shop, blog] = &config.apps[..] else { panic!("two applications") };
    assert_eq!((&*shop.name, &*shop.environment, shop.pool.threads), ("shop", "production", 3));
    assert_eq!((&*blog.name, &*blog.environment, blog.pool.threads), ("blog", "staging", 2));
    assert_eq!((shop.pool.max_instances, blog.pool.max_instances), (4, 9));
    assert_eq!(
        (shop.places(), blog.places()),
        (vec!["/".to_owned()], vec!["a.com/blog".to_owned(), "*.b.com/blog".to_owned()])
    );
    // Each path starts at its application.
    assert_eq!(shop.interpreters.python, Some(root.join("shop/.venv/bin/python")));
    assert_eq!((&shop.static_files_dir, &blog.static_files_dir), (&root.join("shop/web"), &root.join("blog/web")));
}

#[test]
fn toml_says_the_same_as_json() {
    let toml = "port = 80\n[[apps]]\nroot = 'shop'\n[[apps]]\nroot = 'blog'\nbase_uri = '/blog'\nmin_instances = 0\n";
    let json = r#"{"port": 80, "apps": [{"root": "shop"}, {"root": "blog", "base_uri": "/blog", "min_instances": 0}]}"#;
    let directory = several(json, &["shop", "blog"]);
    let from_json = Config::resolve(directory.path(), &Vec::new(), &environment(&[])).unwrap();
    std::fs::remove_file(directory.path().join("Passengerfile.json")).unwrap();
    std::fs::write(directory.path().join("Passengerfile.toml"), toml).unwrap();
    assert_eq!(Config::resolve(directory.path(), &Vec::new(), &environment(&[])), Ok(from_json));
}

#[test]
fn an_only_entry_is_like_no_entries() {
    let config = resolve(r#"{"apps": [{"workers": 2, "threads": 3}]}"#, &[("PASSENGER_THREADS", "4")], &[]).unwrap();
    let pool = &config.apps[0].pool;
    assert_eq!(
        (config.instance.max_pool_size, pool.max_instances, pool.min_instances, pool.threads),
        (Some(2), 2, 2, 4)
    );
}

const TWO: &str = r#"{"apps": [{"workers": 2}, {"base_uri": "/b"}]}"#;

#[test]
fn workers_of_one_of_several_are_its_own() {
    let config = resolve(TWO, &[], &[("environment", "test")]).unwrap();
    let limits: Vec<_> = config.apps.iter().map(|app| (app.pool.max_instances, app.pool.min_instances)).collect();
    assert_eq!((config.instance.max_pool_size, limits), (Some(6), vec![(2, 2), (6, 1)]));
    assert_eq!((&*config.apps[0].environment, &*config.apps[1].environment), ("test", "test"));
}

#[rstest]
#[case::typed(TWO, &[], &[("threads", "2")], "--threads 2: there are several applications; set it in the Passengerfile, in the entry of the one that is meant")]
#[case::variable(TWO, &[("PASSENGER_PYTHON", "python3")], &[], "PASSENGER_PYTHON=python3 (environment): there are several applications; set it in the Passengerfile, in the entry of the one that is meant")]
#[case::same_place(
    r#"{"apps": [{"server_names": ["a.com"]}, {"server_names": ["b.com", "A.com"]}]}"#, &[], &[],
    "Passengerfile.json:1:40: base_uri (default /): the application in DIR is at / of a.com already; give one another base_uri"
)]
#[case::same_base_uri(
    r#"{"apps": [{"base_uri": "/a"}, {"base_uri": "/a/"}]}"#, &[], &[],
    "Passengerfile.json:1:44: \"base_uri\": \"/a/\": the application in DIR is at /a of hosts without a name of their own already; give one another base_uri"
)]
#[case::same_name(
    r#"{"apps": [{"name": "a"}, {"name": "a", "base_uri": "/b"}]}"#, &[], &[],
    "Passengerfile.json:1:35: \"name\": \"a\": is the name of another application, too"
)]
#[case::no_slash(
    r#"{"base_uri": "shop"}"#, &[], &[],
    "Passengerfile.json:1:14: \"base_uri\": \"shop\": must begin with a slash, such as /shop"
)]
#[case::escaped(
    r#"{"base_uri": "/a%20b"}"#, &[], &[],
    "Passengerfile.json:1:14: \"base_uri\": \"/a%20b\": must be a path as it is in requests, without anything escaped, such as /shop"
)]
#[case::direct(r#"{"spawn_method": "direct"}"#, &[], &[("refork_after", "50")], "--refork-after 50: must be 0 where spawn_method is direct: workers are not forked there")]
#[case::no_path("", &[], &[("health_check_paths", "/up,health")], "--health-check-paths /up,health: \"health\" must be a path without a query that begins with a slash, such as /up")]
#[case::no_host("", &[], &[("server_names", "a.com,b.com:80")], "--server-names a.com,b.com:80: \"b.com:80\" must be a host name without a port, such as example.com or *.example.com")]
#[case::limits(
    r#"{"apps": [{"max_instances": 2, "min_instances": 3}, {"base_uri": "/b"}]}"#, &[], &[],
    "Passengerfile.json:1:49: \"min_instances\": 3: must be at most max_instances, which is 2"
)]
#[case::all_of_it(
    "{\"apps\": [{\"threads\": 0},\n{\"threads\": 0}]}", &[], &[("port", "x")],
    "--port x: must be a whole number between 0 and 65535\n\
     Passengerfile.json:1:23: \"threads\": 0: must be a whole number between 1 and 128\n\
     Passengerfile.json:2:13: \"threads\": 0: must be a whole number between 1 and 128"
)]
fn what_several_applications_cannot_have_is_refused(
    #[case] file: &str,
    #[case] variables: &[(&str, &str)],
    #[case] typed: &[(&str, &str)],
    #[case] complaint: &str,
) {
    let directory = app(file);
    let path = directory.path().to_str().unwrap();
    let said = Config::resolve(directory.path(), &command_line(typed), &environment(variables)).unwrap_err();
    let said = said.to_string().replace(&format!("{path}/"), "").replace(path, "DIR");
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said.join("\n"), complaint);
}

#[rstest]
#[case::log("{\"log_file\": \"/etc/shadow\"}")]
#[case::pid("{\"pid_file\": \"x.pid\"}")]
#[case::socket("{\"socket\": \"x.sock\"}")]
#[case::registry("{\"instance_registry_dir\": \"/tmp\"}")]
#[case::ulimit("{\"app_file_descriptor_ulimit\": 1000000}")]
fn root_opens_nothing_that_others_name(#[case] file: &str) {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let app = app(file);
    let resolve = |typed: &[(&str, &str)]| Config::resolve(app.path(), &command_line(typed), &environment(&[]));
    resolve(&[]).unwrap();
    std::os::unix::fs::chown(app.path().join("Passengerfile.json"), Some(5), None).unwrap();
    let refused = resolve(&[]).unwrap_err().to_string();
    assert!(refused.contains("only root can say this"), "{refused}");
    resolve(&[("user_switching", "false")]).unwrap();
}

#[test]
fn the_pool_may_find_out_its_size() {
    let config = resolve("{\"max_pool_size\": \"auto\", \"min_instances\": 3}", &[], &[]).unwrap();
    assert_eq!((config.instance.max_pool_size, config.apps[0].pool.min_instances), (None, 3));
    let config = resolve("{\"max_pool_size\": \"auto\", \"max_instances\": 2}", &[], &[("max_spawns", "1")]).unwrap();
    assert_eq!((config.instance.max_spawns, config.apps[0].pool.max_instances), (1, 2));
    let config = resolve("{\"max_pool_size\": 2}", &[], &[("max_pool_size", "auto")]).unwrap();
    assert_eq!(config.instance.max_pool_size, None);
}

#[test]
fn times_of_0_are_for_ever() {
    let config =
        resolve("{\"pool_idle_time\": 0, \"pre_start\": false}", &[], &[("max_preloader_idle_time", "7")]).unwrap();
    let pool = &config.apps[0].pool;
    assert_eq!((pool.idle_time, pool.preloader_idle_time), (None, Some(Duration::from_secs(7))));
    assert!(!pool.pre_start);
}
