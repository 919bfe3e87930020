//! Finding the running instances that a command means.

use super::command_line;
use super::failure::Failure;
use crate::config::{Environment, Selection};
use crate::instance::{self, Instance};
use crate::pid_file;
use clap::{Arg, ArgMatches};
use std::path::Path;

/// The options that say which instance is meant.
pub(super) fn flags() -> impl Iterator<Item = Arg> {
    command_line::flags().filter_map(|flag| {
        let help = match flag.get_id().as_str() {
            "port" => "The instance that listens on this TCP port",
            "pid_file" => "The instance whose process id is in this file",
            "instance_registry_dir" => "Look for instances in this directory [default: TMPDIR, else /tmp]",
            _ => return None,
        };
        Some(flag.help(help).help_heading(None))
    })
}

/// The instances that fit what was typed for `command`; at least one.
pub(super) fn instances(matches: &ArgMatches, command: &str) -> Result<Vec<Instance>, Failure> {
    let environment: Environment = std::env::vars_os().collect();
    let app_root = command_line::dir_or_current(matches);
    let selection = Selection::resolve(&app_root, &command_line::typed(matches), &environment)
        .map_err(|errors| Failure::config(&errors, command))?;
    find(&selection, command_line::dir(matches))
}

/// The same for a command that takes no directory.
pub(super) fn instances_of_any(matches: &ArgMatches, command: &str) -> Result<Vec<Instance>, Failure> {
    let environment: Environment = std::env::vars_os().collect();
    let selection = Selection::resolve(Path::new("."), &command_line::typed(matches), &environment)
        .map_err(|errors| Failure::config(&errors, command))?;
    find(&selection, None)
}

fn find(selection: &Selection, dir: Option<&Path>) -> Result<Vec<Instance>, Failure> {
    let pid = selection.pid_file.as_deref().map(pid_file::read).transpose().map_err(Failure::failed)?;
    let mut instances = instance::list(&selection.registry_dir);
    instances.retain(|instance| {
        dir.is_none_or(|dir| instance.serves(dir))
            && selection.port.is_none_or(|port| instance.has_port(port))
            && pid.is_none_or(|pid| instance.properties.pid == pid)
    });
    if instances.is_empty() {
        return Err(Failure::failed(nothing_found(selection, dir, pid)));
    }
    Ok(instances)
}

fn nothing_found(selection: &Selection, dir: Option<&Path>, pid: Option<u32>) -> String {
    let mut what = "no running Passenger instance".to_owned();
    if let Some(dir) = dir {
        what.push_str(&format!(" for {}", dir.display()));
    }
    if let Some(port) = selection.port {
        what.push_str(&format!(" on port {port}"));
    }
    if let Some(pid) = pid {
        what.push_str(&format!(" with process {pid}"));
    }
    format!(
        "{what} found in {}; if it was started with another TMPDIR, give it as --instance-registry-dir",
        selection.registry_dir.display()
    )
}

/// One line about an instance, by which a user can tell it from others.
pub(super) fn describe(instance: &Instance) -> String {
    let properties = &instance.properties;
    let (addresses, root) = (properties.addresses.join(", "), properties.root.display());
    format!("pid {}, {addresses}, {root}", properties.pid)
}

/// `text` without what a terminal would take as commands: root looks at what other users wrote.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{InstanceDir, Properties};
    use rstest::rstest;
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// A registry with an instance of `shop` on port 3000 and one of `blog` on a Unix socket, both run by this
    /// process.
    fn registry() -> (TempDir, [InstanceDir; 2]) {
        let registry = tempfile::tempdir().unwrap();
        let create = |app: &str, address: &str, started_at| {
            let properties = Properties {
                version: "1.2.3".to_owned(),
                pid: std::process::id(),
                root: registry.path().join(app),
                app_roots: vec![registry.path().join(app)],
                addresses: vec![address.to_owned()],
                environment: "production".to_owned(),
                started_at,
                pid_file: None,
            };
            InstanceDir::create(registry.path(), &properties).unwrap()
        };
        let instances = [create("shop", "127.0.0.1:3000", 1), create("blog", "unix:/run/blog.sock", 2)];
        (registry, instances)
    }

    fn select(
        registry: &TempDir,
        dir: Option<&str>,
        port: Option<u16>,
        pid: Option<u32>,
    ) -> Result<Vec<String>, String> {
        let pid_file = pid.map(|pid| {
            let path: PathBuf = registry.path().join("app.pid");
            std::fs::write(&path, pid.to_string()).unwrap();
            path
        });
        let selection = Selection { registry_dir: registry.path().to_owned(), port, pid_file };
        let dir = dir.map(|dir| registry.path().join(dir));
        let found = find(&selection, dir.as_deref()).map_err(|failure| failure.to_string())?;
        let app = |instance: &Instance| instance.properties.root.file_name().unwrap().to_str().unwrap().to_owned();
        Ok(found.iter().map(app).collect())
    }

    #[rstest]
    #[case(None, None, None, &["shop", "blog"])]
    #[case(Some("blog"), None, None, &["blog"])]
    #[case(None, Some(3000), None, &["shop"])]
    #[case(Some("shop"), Some(3000), Some(std::process::id()), &["shop"])]
    fn every_selector_must_fit(
        #[case] dir: Option<&str>,
        #[case] port: Option<u16>,
        #[case] pid: Option<u32>,
        #[case] found: &[&str],
    ) {
        let (registry, _instances) = registry();
        assert_eq!(select(&registry, dir, port, pid).unwrap(), found);
    }

    #[rstest]
    #[case(Some("blog"), Some(3000), None, "blog on port 3000 found in")]
    #[case(None, Some(3001), None, "no running Passenger instance on port 3001 found in")]
    #[case(None, None, Some(1), "no running Passenger instance with process 1 found in")]
    fn says_what_was_looked_for_in_vain(
        #[case] dir: Option<&str>,
        #[case] port: Option<u16>,
        #[case] pid: Option<u32>,
        #[case] complaint: &str,
    ) {
        let (registry, _instances) = registry();
        let said = select(&registry, dir, port, pid).unwrap_err();
        assert!(said.contains(complaint), "{said}");
    }

    #[test]
    fn what_others_wrote_cannot_drive_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc\r"), "a\u{fffd}[2Jb\nc\u{fffd}");
    }
}
