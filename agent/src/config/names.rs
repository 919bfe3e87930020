//! What applications are called.

use super::settings::Settings;
use super::{AppConfig, ConfigError};
use std::collections::HashSet;

/// Gives a name to those that have none: the directory's, with more of what tells them apart if that is taken. Names
/// that were given come first, so that they stay as they are.
pub(super) fn complete(apps: &mut [AppConfig]) {
    let mut taken: HashSet<String> = apps.iter().map(|app| app.name.clone()).filter(|name| !name.is_empty()).collect();
    let directories: Vec<String> = apps.iter().map(directory).collect();
    for (index, app) in apps.iter_mut().enumerate().filter(|(_, app)| app.name.is_empty()) {
        let directory = &directories[index];
        let is_alone = directories.iter().filter(|other| *other == directory).count() == 1;
        let usual = if is_alone || app.base_uri.is_empty() {
            directory.clone()
        } else {
            format!("{directory}{}", app.base_uri)
        };
        let host = app.server_names.first().map(|host| format!("{usual} at {host}"));
        let numbered = (2_u32..).map(|number| format!("{usual} {number}"));
        let mut candidates = std::iter::once(usual.clone()).chain(host).chain(numbered);
        app.name = candidates.find(|name| !taken.contains(name)).unwrap_or(usual);
        taken.insert(app.name.clone());
    }
}

/// Refuses a name that was given to several applications.
pub(super) fn check_unique(apps: &[(AppConfig, Settings)]) -> Vec<ConfigError> {
    let mut seen = HashSet::new();
    let repeated = apps.iter().filter(|(app, _)| !app.name.is_empty() && !seen.insert(&app.name));
    repeated.map(|(_, settings)| settings.error("name", "is the name of another application, too")).collect()
}

fn directory(app: &AppConfig) -> String {
    app.root.file_name().unwrap_or(app.root.as_os_str()).display().to_string()
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment};

    #[test]
    fn names_tell_applications_apart() {
        let directory = tempfile::tempdir().unwrap();
        let apps = [
            r#"{"root": "shop", "server_names": ["a.com"]}"#,
            r#"{"root": "old/shop", "server_names": ["b.com"]}"#,
            r#"{"root": "shop", "base_uri": "/admin"}"#,
            r#"{"root": "old/shop", "base_uri": "/admin", "server_names": ["b.com"]}"#,
            r#"{"root": "old/shop", "base_uri": "/admin", "server_names": ["a.com"], "name": "shop/admin"}"#,
            r#"{"root": "blog", "base_uri": "/blog"}"#,
        ];
        let file = format!("{{\"apps\": [{}]}}", apps.join(","));
        std::fs::write(directory.path().join("Passengerfile.json"), file).unwrap();
        let config = Config::resolve(directory.path(), &Vec::new(), &Environment::new()).unwrap();
        let names: Vec<&str> = config.apps.iter().map(|app| app.name.as_str()).collect();
        assert_eq!(names, ["shop", "shop at b.com", "shop/admin 2", "shop/admin at b.com", "shop/admin", "blog"]);
    }
}
