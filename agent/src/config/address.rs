//! Where applications are reached: hosts and paths.

use super::settings::Settings;
use super::{AppConfig, ConfigError};
use std::collections::HashMap;
use std::net::Ipv6Addr;

/// More than anybody nests applications in each other; bounds what finding one costs.
const MOST_SEGMENTS: usize = 16;

/// What a host name can have (RFC 1035, 2.3.4), in bytes.
const LONGEST_NAME: usize = 253;

/// The hosts that were named.
pub(super) fn server_names(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let read = |name: &String| {
        server_name(name).map_err(|reason| settings.error("server_names", &format!("{name:?} {reason}")))
    };
    settings.list("server_names").iter().map(read).collect()
}

fn server_name(name: &str) -> Result<String, String> {
    if name.starts_with('[') {
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = bare.is_some_and(|bare| bare.parse::<Ipv6Addr>().is_ok());
        return if is_address { Ok(name.to_ascii_lowercase()) } else { Err("is not an IPv6 address".to_owned()) };
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let domain = name.strip_prefix("*.").unwrap_or(&name);
    if !name.is_ascii() {
        return Err("must be written as it is in requests, such as xn--bcher-kva.example for bücher.example".to_owned());
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > LONGEST_NAME || !domain.split('.').all(is_label) {
        return Err("must be a host name without a port, such as example.com or *.example.com".to_owned());
    }
    Ok(name)
}

/// The paths by which the application's health is checked.
pub(super) fn health_check_paths(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let paths = settings.list("health_check_paths");
    match paths.iter().find(|path| !path.starts_with('/') || path.contains(['?', '#'])) {
        Some(path) => {
            let reason = format!("{path:?} must be a path without a query that begins with a slash, such as /up");
            Err(settings.error("health_check_paths", &reason))
        }
        None => Ok(paths.to_vec()),
    }
}

/// The path below which the application is, without a slash at its end.
pub(super) fn base_uri(settings: &Settings) -> Result<String, ConfigError> {
    let text = settings.text("base_uri").unwrap_or_default();
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_segment = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        !segment.is_empty() && segment.bytes().all(plain) && !matches!(segment, "." | "..")
    };
    let mut segments = path.split('/');
    let reason = if segments.next() != Some("") {
        "must begin with a slash, such as /shop"
    } else if !path.is_empty() && !segments.clone().all(is_segment) {
        "must be a path as it is in requests, without anything escaped, such as /shop"
    } else if segments.count() > MOST_SEGMENTS {
        "must have at most 16 segments"
    } else {
        return Ok(path.to_owned());
    };
    Err(settings.error("base_uri", reason))
}

/// Refuses two applications in the same place.
pub(super) fn check_unique(apps: &[(AppConfig, Settings)]) -> Vec<ConfigError> {
    let mut taken: HashMap<(&str, &str), &AppConfig> = HashMap::new();
    let mut errors = Vec::new();
    for (app, settings) in apps {
        let hosts = app.server_names.iter().map(String::as_str).chain(app.server_names.is_empty().then_some("*"));
        for host in hosts {
            let Some(other) = taken.insert((host, &app.base_uri), app) else { continue };
            let base = if app.base_uri.is_empty() { "/" } else { &app.base_uri };
            let host = if host == "*" { "hosts without a name of their own" } else { host };
            let reason = format!(
                "the application in {} is at {base} of {host} already; give one another base_uri",
                other.root.display()
            );
            errors.push(settings.error("base_uri", &reason));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Example.COM", "example.com")]
    #[case("example.com.", "example.com")]
    #[case("*.example.com", "*.example.com")]
    #[case("localhost", "localhost")]
    #[case("my_shop.internal", "my_shop.internal")]
    #[case("127.0.0.1", "127.0.0.1")]
    #[case("[2001:DB8::1]", "[2001:db8::1]")]
    fn a_name_is_as_requests_have_it(#[case] given: &str, #[case] name: &str) {
        assert_eq!(server_name(given).as_deref(), Ok(name));
    }

    #[rstest]
    #[case("example.com:80")]
    #[case("http://example.com")]
    #[case("*")]
    #[case("*.")]
    #[case("a.*.com")]
    #[case("a..b")]
    #[case("[::1")]
    #[case("[::1]:80")]
    #[case("bücher.example")]
    fn what_no_request_can_name_is_refused(#[case] given: &str) {
        server_name(given).unwrap_err();
    }
}
