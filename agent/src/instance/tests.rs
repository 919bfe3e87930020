use super::*;
use rstest::{fixture, rstest};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use tempfile::TempDir;

#[fixture]
fn registry() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn properties() -> Properties {
    Properties {
        version: "1.2.3".to_owned(),
        pid: std::process::id(),
        root: "/srv/shop".into(),
        app_roots: vec!["/srv/shop".into()],
        addresses: vec!["127.0.0.1:3000".to_owned()],
        environment: "production".to_owned(),
        started_at: 1,
        pid_file: None,
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[rstest]
fn an_instance_is_found_while_it_lives(registry: TempDir) {
    let directory = InstanceDir::create(registry.path(), &properties()).unwrap();
    let found = list(registry.path());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].properties, properties());
    assert!(found[0].is_alive());
    assert!(found[0].is_alive(), "asking does not take the lock away");

    drop(directory);
    assert!(!found[0].is_alive());
    assert!(list(registry.path()).is_empty());
    assert!(registry.path().read_dir().unwrap().next().is_none());
}

#[rstest]
fn takes_its_own_files_along(registry: TempDir) {
    let [socket, alive, pid_file, other] =
        ["a.sock", "b.sock", "a.pid", "b.pid"].map(|name| registry.path().join(name));
    drop(UnixListener::bind(&socket).unwrap());
    let _somebody = UnixListener::bind(&alive).unwrap();
    crate::pid_file::write(&pid_file, std::process::id()).unwrap();
    crate::pid_file::write(&other, 1).unwrap();
    let addresses = [&socket, &alive].map(|path| format!("unix:{}", path.display())).to_vec();
    let of = |pid_file| Properties { addresses: addresses.clone(), pid_file, ..properties() };
    drop(InstanceDir::create(registry.path(), &of(Some(pid_file.clone()))).unwrap());
    drop(InstanceDir::create(registry.path(), &of(Some(other.clone()))).unwrap());
    assert_eq!([&socket, &alive, &pid_file, &other].map(|path| path.exists()), [false, true, false, true]);
}

#[rstest]
fn is_private_to_its_owner(registry: TempDir) {
    let directory = InstanceDir::create(registry.path(), &properties()).unwrap();
    let _listener = listen_for_admin(directory.path()).unwrap();
    assert_eq!(mode(directory.path()), 0o700);
    assert_eq!(mode(&directory.path().join(ADMIN_SOCKET)), 0o600);
    assert_eq!(list(registry.path())[0].admin_socket(), directory.path().join(ADMIN_SOCKET));
}

#[rstest]
fn the_next_start_removes_the_dead_and_only_them(registry: TempDir) {
    let dead = registry.path().join("passenger.dead00");
    fs::create_dir(&dead).unwrap();
    fs::set_permissions(&dead, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(dead.join(LOCK), "").unwrap();
    fs::write(dead.join(PROPERTIES), serde_json::to_vec(&properties()).unwrap()).unwrap();
    let being_made = registry.path().join("passenger.new000");
    fs::create_dir(&being_made).unwrap();
    fs::set_permissions(&being_made, fs::Permissions::from_mode(0o700)).unwrap();
    let unrelated = registry.path().join("somebody.else");
    fs::create_dir(&unrelated).unwrap();
    assert!(list(registry.path()).is_empty());

    let first = InstanceDir::create(registry.path(), &properties()).unwrap();
    let second = InstanceDir::create(registry.path(), &properties()).unwrap();
    assert!(!dead.exists());
    assert!(being_made.exists() && unrelated.exists() && first.path().exists() && second.path().exists());
    assert_eq!(list(registry.path()).len(), 2);
}

#[rstest]
#[case::open_to_others(|path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap())]
#[case::linked(|path: &Path| {
    let elsewhere = path.parent().unwrap().join("elsewhere");
    fs::rename(path, &elsewhere).unwrap();
    symlink(elsewhere, path).unwrap();
})]
#[case::not_json(|path: &Path| fs::write(path.join(PROPERTIES), "{").unwrap())]
#[case::linked_properties(|path: &Path| {
    fs::rename(path.join(PROPERTIES), path.join("other")).unwrap();
    symlink("other", path.join(PROPERTIES)).unwrap();
})]
#[case::pipe(|path: &Path| {
    fs::remove_file(path.join(PROPERTIES)).unwrap();
    nix::unistd::mkfifo(&path.join(PROPERTIES), nix::sys::stat::Mode::S_IRUSR).unwrap();
})]
#[case::endless(|path: &Path| {
    let properties = Properties { version: "1".repeat(1 << 20), ..properties() };
    fs::write(path.join(PROPERTIES), serde_json::to_vec(&properties).unwrap()).unwrap();
})]
#[case::nobodys_process(|path: &Path| {
    let properties = Properties { pid: u32::MAX, ..properties() };
    fs::write(path.join(PROPERTIES), serde_json::to_vec(&properties).unwrap()).unwrap();
})]
fn a_directory_that_cannot_be_trusted_is_not_listed(registry: TempDir, #[case] spoil: fn(&Path)) {
    let directory = InstanceDir::create(registry.path(), &properties()).unwrap();
    spoil(directory.path());
    assert!(list(registry.path()).is_empty());
}

#[rstest]
fn a_process_of_somebody_else_is_not_believed(registry: TempDir) {
    // Only root can tell: process 1 is root's, the directory is not.
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let directory = InstanceDir::create(registry.path(), &Properties { pid: 1, ..properties() }).unwrap();
    assert_eq!(list(registry.path()).len(), 1);
    std::os::unix::fs::chown(directory.path(), Some(65534), None).unwrap();
    assert!(list(registry.path()).is_empty());
}

#[rstest]
fn instances_come_oldest_first(registry: TempDir) {
    let young = InstanceDir::create(registry.path(), &Properties { started_at: 9, ..properties() }).unwrap();
    let old = InstanceDir::create(registry.path(), &Properties { started_at: 2, ..properties() }).unwrap();
    let order: Vec<u64> = list(registry.path()).iter().map(|instance| instance.properties.started_at).collect();
    assert_eq!(order, [2, 9]);
    drop((young, old));
}

#[rstest]
#[case(&["127.0.0.1:3000"], true)]
#[case(&["[::1]:3000"], true)]
#[case(&["127.0.0.1:13000"], false)]
#[case(&["unix:/run/a:3000"], false)]
#[case(&[], false)]
fn is_found_by_its_port(registry: TempDir, #[case] addresses: &[&str], #[case] expected: bool) {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    let _directory = InstanceDir::create(registry.path(), &Properties { addresses, ..properties() }).unwrap();
    assert_eq!(list(registry.path())[0].has_port(3000), expected);
}

#[rstest]
fn is_found_by_its_applications_through_links(registry: TempDir) {
    let [shop, blog, all] = ["shop", "blog", "all"].map(|_| tempfile::tempdir().unwrap());
    let link = registry.path().join("current");
    symlink(shop.path(), &link).unwrap();
    let app_roots = vec![link.clone(), blog.path().to_owned()];
    let properties = Properties { root: all.path().to_owned(), app_roots, ..properties() };
    let _directory = InstanceDir::create(registry.path(), &properties).unwrap();
    let instances = list(registry.path());
    for served in [shop.path(), &link, blog.path(), all.path()] {
        assert!(instances[0].serves(served), "{}", served.display());
    }
    assert!(!instances[0].serves(registry.path()));
    assert!(!instances[0].serves(Path::new("/missing")));
}

#[test]
fn what_an_earlier_version_says_is_understood() {
    let old = r#"{"version":"7.0.0","pid":7,"app_root":"/srv/shop","addresses":[],"environment":"production","started_at":1,"pid_file":null}"#;
    let properties: Properties = serde_json::from_str(old).unwrap();
    assert_eq!((properties.root, properties.app_roots), ("/srv/shop".into(), Vec::new()));
}

#[rstest]
fn says_where_a_directory_could_not_be_made(registry: TempDir) {
    let file = registry.path().join("file");
    fs::write(&file, "").unwrap();
    let complaint = InstanceDir::create(&file, &properties()).unwrap_err().to_string();
    assert!(complaint.contains("choose another place with --instance-registry-dir"), "{complaint}");

    let deep = registry.path().join("a".repeat(100));
    let directory = InstanceDir::create(&deep, &properties()).unwrap();
    let complaint = listen_for_admin(directory.path()).unwrap_err().to_string();
    assert!(complaint.contains("choose a shorter path"), "{complaint}");
}
