use super::*;
use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

const JSON: &str = "Passengerfile.json";
const TOML: &str = "Passengerfile.toml";

fn app_with(name: &str, text: impl AsRef<[u8]>) -> TempDir {
    let app = tempfile::tempdir().unwrap();
    std::fs::write(app.path().join(name), text).unwrap();
    app
}

type Settings = Vec<(&'static str, Json)>;

fn settings(entries: Vec<Entry>) -> Settings {
    entries.into_iter().map(|entry| (entry.option.name, entry.value)).collect()
}

/// What `read` says about the file, without the directory's name: the settings at the top, and of applications.
fn read_in(app: &TempDir) -> Result<(Settings, Option<Vec<Settings>>), String> {
    let file =
        read(app.path()).map_err(|error| error.to_string().replace(&format!("{}/", app.path().display()), ""))?;
    let apps = file.apps.map(|apps| apps.into_iter().map(|app| settings(app.entries)).collect());
    Ok((settings(file.entries), apps))
}

#[rstest]
#[case::roots(0, 0, 0)]
#[case::ones_own(1000, 1000, 1000)]
#[case::a_link_to_roots(1000, 0, 1000)]
#[case::roots_link(0, 1000, 1000)]
#[case::a_link_to_anothers(1000, 2000, 1000)]
fn whoever_made_a_link_has_said_it(#[case] link: u32, #[case] file: u32, #[case] expected: u32) {
    use std::os::unix::fs::{chown, lchown, symlink};
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    std::fs::write(&target, "{}").unwrap();
    chown(&target, Some(file), None).unwrap();
    symlink(&target, directory.path().join(JSON)).unwrap();
    lchown(directory.path().join(JSON), Some(link), None).unwrap();
    assert_eq!(read(directory.path()).unwrap().owner, Some(expected));
}

#[test]
fn no_file_means_no_settings() {
    assert_eq!(read_in(&tempfile::tempdir().unwrap()), Ok((Vec::new(), None)));
}

#[rstest]
#[case(JSON, "\u{feff}{ \"thread_count\": \"4\", \"port\": null, \"pid_file\": \"run/pid\", \"apps\": null }")]
#[case(TOML, "\u{feff}thread_count = \"4\" # four\npid_file = 'run/pid'\n")]
fn reads_settings_with_aliases_and_null_and_a_byte_order_mark(#[case] name: &str, #[case] text: &str) {
    let expected = vec![("threads", json!("4")), ("pid_file", json!("run/pid"))];
    assert_eq!(read_in(&app_with(name, text)), Ok((expected, None)));
}

#[rstest]
#[case(JSON, r#"{"port": 1, "apps": [{"root": "a", "server_names": ["x"]}, {"app_root": "b", "threads": 2}]}"#)]
#[case(TOML, "port = 0x1\n[[apps]]\nroot = 'a'\nserver_names = ['x']\n[[apps]]\napp_root = 'b'\nthreads = 2\n")]
#[case(TOML, "port = 1\napps = [{root = 'a', server_names = ['x']}, {root = 'b', threads = 2}]\n")]
fn reads_applications(#[case] name: &str, #[case] text: &str) {
    let apps = vec![
        vec![("root", json!("a")), ("server_names", json!(["x"]))],
        vec![("root", json!("b")), ("threads", json!(2))],
    ];
    assert_eq!(read_in(&app_with(name, text)), Ok((vec![("port", json!(1))], Some(apps))));
}

#[rstest]
#[case::unknown(r#"{"max_pool_sizes": 3}"#, r#"1:2: "max_pool_sizes" is not an option; did you mean "max_pool_size"?"#)]
#[case::dashes(r#"{"Max-Pool-Size": 3}"#, r#"1:2: "Max-Pool-Size" is not an option; did you mean "max_pool_size"?"#)]
#[case::no_idea("{\n\"port\": 1,\n\"xyz\": 3}", r#"3:1: "xyz" is not an option; `passenger help start` lists them"#)]
#[case::twice(
    r#"{"threads": 1, "thread_count": 2}"#,
    r#"1:32: "thread_count": 2: is the second value of threads; remove one"#
)]
#[case::apps_misspelt(r#"{"appps": []}"#, r#"1:2: "appps" is not an option; did you mean "apps"?"#)]
#[case::no_apps(r#"{"apps": []}"#, " \"apps\" names no application; add one")]
#[case::apps_no_list(
    r#"{"apps": {"root": "a"}}"#,
    r#"1:10: "apps" must be a list of applications, such as [{ "root": "shop" }]"#
)]
#[case::app_no_object(r#"{"apps": ["shop"]}"#, r#"1:11: an application must be an object, such as { "root": "shop" }"#)]
#[case::apps_twice(r#"{"apps": [{}], "apps": [{}]}"#, r#"1:16: "apps" is there a second time; remove one"#)]
#[case::instance_in_an_app(
    "{\"apps\": [{},\n {\"port\": 1}]}",
    r#"2:3: "port" is about the whole instance, not one application; move it out of "apps""#
)]
#[case::unknown_in_an_app(
    "{\"apps\": [{},\n {\"base_url\": \"/\"}]}",
    r#"2:3: "base_url" is not an option; did you mean "base_uri"?"#
)]
#[case::root_beside_apps(
    r#"{"root": "a", "apps": [{}]}"#,
    r#"1:2: "root" is about one application; move it into its entry of "apps""#
)]
#[case::root_without_apps(
    r#"{"root": "a"}"#,
    r#"1:2: "root" stands only in an entry of "apps"; an application alone is in the file's directory"#
)]
#[case::list("[1]", "1:0: invalid type: sequence, expected an object such as { \"max_pool_size\": 4 }")]
#[case::comma(
    "{\n  \"port\": 1\n  \"threads\": 2\n}",
    "3:3: expected `,` or `}`; this is not valid JSON, look for a missing comma, quote or brace"
)]
#[case::empty("", "1:0: EOF while parsing a value; this is not valid JSON, look for a missing comma, quote or brace")]
#[case::trailing("{} {}", "1:4: trailing characters; this is not valid JSON, look for a missing comma, quote or brace")]
fn explains_what_is_wrong_and_where(#[case] json: &str, #[case] complaint: &str) {
    assert_eq!(read_in(&app_with(JSON, json)), Err(format!("{JSON}:{complaint}")));
}

#[rstest]
#[case::unknown(
    "port = 1\nmax_pool_sizes = 3\n",
    r#"2:1: "max_pool_sizes" is not an option; did you mean "max_pool_size"?"#
)]
#[case::in_an_app(
    "[[apps]]\nroot = 'a'\n[[apps]]\n  log_level = 1\n",
    r#"4:3: "log_level" is about the whole instance, not one application; move it out of "apps""#
)]
#[case::one_table("[apps]\nroot = 'a'\n", "1:1: applications must be tables, each under [[apps]]")]
#[case::no_tables("apps = ['a']\n", "1:9: applications must be tables, each under [[apps]]")]
#[case::no_toml(
    "port = \n",
    "1:8: string values must be quoted, expected literal string; this is not valid TOML, look for a missing quote or bracket"
)]
fn explains_toml_as_well(#[case] toml: &str, #[case] complaint: &str) {
    assert_eq!(read_in(&app_with(TOML, toml)), Err(format!("{TOML}:{complaint}")));
}

#[test]
fn everything_that_is_wrong_is_told() {
    let app = app_with(JSON, "{\"a\": 1,\n\"apps\": [{\"b\": 1},\n{\"c\": 1, \"root\": \".\"}]}");
    let said = read_in(&app).unwrap_err();
    let places: Vec<&str> = said.lines().map(|line| line.split(" is not").next().unwrap()).collect();
    assert_eq!(
        places,
        [r#"Passengerfile.json:1:2: "a""#, r#"Passengerfile.json:2:11: "b""#, r#"Passengerfile.json:3:2: "c""#]
    );
}

#[test]
fn there_is_one_file() {
    let app = app_with(JSON, "{}");
    std::fs::write(app.path().join(TOML), "").unwrap();
    let complaint = read_in(&app).unwrap_err();
    assert_eq!(complaint, format!("{TOML}: there is {JSON} as well; remove one of them"));
}

#[test]
fn survives_what_is_not_meant_for_it() {
    let complaint = read_in(&app_with(JSON, b"{\"port\xff\": 1}")).unwrap_err();
    assert_eq!(complaint, format!("{JSON}: is not UTF-8 text: invalid utf-8 sequence of 1 bytes from index 6"));
    for start in ["", "{\"port\": ", "{\"apps\": ", "{\"apps\": [{\"apps\": "] {
        assert!(read_in(&app_with(JSON, format!("{start}{}", "[".repeat(100_000)))).is_err(), "{start}");
        let closed = format!("{start}{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read_in(&app_with(JSON, closed)).is_err(), "{start}");
    }
    assert!(read_in(&app_with(JSON, "{\"apps\":[".repeat(100_000))).is_err());
    assert!(read_in(&app_with(TOML, format!("port = {}", "[".repeat(100_000)))).is_err());
    assert!(read_in(&app_with(TOML, format!("port = {}", "{a=".repeat(100_000)))).is_err());
}

#[test]
fn a_directory_or_an_endless_file_is_one_clear_line() {
    let app = tempfile::tempdir().unwrap();
    std::fs::create_dir(app.path().join(JSON)).unwrap();
    assert_eq!(read_in(&app), Err(format!("{JSON}: is not a file; remove it or make it one")));
    let app = app_with(JSON, vec![b' '; LARGEST_FILE as usize + 1]);
    assert!(read_in(&app).unwrap_err().contains("is larger than"));
}
