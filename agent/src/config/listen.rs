//! Where to listen.

use super::ConfigError;
use super::settings::Settings;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv6Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What the kernel takes as the path of a Unix socket, in bytes.
const LONGEST_SOCKET_PATH: usize = 107;

/// One address that requests come in on. Shown as `127.0.0.1:3000`, `[::1]:3000` or `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenAddress {
    /// A TCP port.
    Tcp {
        /// An IP address without brackets, or a host name.
        host: String,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// A socket replaces address and port, unless one of those was set in a stronger place.
pub(super) fn resolve(settings: &Settings, environment: &str) -> Result<ListenAddress, ConfigError> {
    if let Some(path) = settings.path("socket")
        && settings.source("socket") >= settings.source("address").max(settings.source("port"))
    {
        if path.as_os_str().as_bytes().len() > LONGEST_SOCKET_PATH {
            let reason = format!("a socket's path has at most {LONGEST_SOCKET_PATH} bytes; use a shorter one");
            return Err(settings.error("socket", &reason));
        }
        return Ok(ListenAddress::Unix(path));
    }
    let host = match settings.text("address") {
        Some(host) => check_host(host).map_err(|reason| settings.error("address", &reason))?,
        None if environment == "production" => "0.0.0.0".to_owned(),
        None => "127.0.0.1".to_owned(),
    };
    // The table's bounds keep it within 16 bits.
    let port = u16::try_from(settings.integer("port")).unwrap_or(u16::MAX);
    Ok(ListenAddress::Tcp { host, port })
}

fn check_host(host: &str) -> Result<String, String> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.contains(':') && bare.parse::<Ipv6Addr>().is_err() {
        return Err("must be an address or host name without a port; use --port for the port".to_owned());
    }
    if bare.contains(['/', ' ', '[', ']']) {
        return Err("must be an address or host name, such as 127.0.0.1".to_owned());
    }
    Ok(bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("127.0.0.1", "127.0.0.1:80")]
    #[case("::1", "[::1]:80")]
    #[case("[::1]", "[::1]:80")]
    #[case("localhost", "localhost:80")]
    fn shows_an_address_as_it_is_typed_in_a_browser(#[case] given: &str, #[case] shown: &str) {
        let host = check_host(given).unwrap();
        assert_eq!(ListenAddress::Tcp { host, port: 80 }.to_string(), shown);
    }

    #[rstest]
    #[case("127.0.0.1:3000")]
    #[case("http://localhost")]
    #[case("local host")]
    #[case("[::1]:3000")]
    fn refuses_what_is_not_a_host(#[case] given: &str) {
        check_host(given).unwrap_err();
    }
}
