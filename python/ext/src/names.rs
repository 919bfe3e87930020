//! The keys and constant values of the WSGI environment, made once and kept for ever, so that a request allocates none
//! and looking one up in the application compares pointers.

use passenger_native::headers::{KNOWN, cgi_name};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

type Name = Py<PyString>;

/// Interned strings.
pub(crate) struct Names {
    /// The keys of known headers by id; the empty string at 0.
    pub(crate) headers: [Name; KNOWN.len()],
    /// The request methods that are worth comparing with.
    pub(crate) methods: [(&'static [u8], Name); 7],
    pub(crate) https: Name,
    pub(crate) http_10: Name,
    pub(crate) localhost: Name,
    pub(crate) loopback: Name,
    pub(crate) on: Name,
    pub(crate) port_80: Name,
    pub(crate) port_443: Name,
    pub(crate) request_method: Name,
    pub(crate) request_uri: Name,
    pub(crate) raw_uri: Name,
    pub(crate) script_name: Name,
    pub(crate) path_info: Name,
    pub(crate) query_string: Name,
    pub(crate) server_protocol: Name,
    pub(crate) server_name: Name,
    pub(crate) server_port: Name,
    pub(crate) remote_addr: Name,
    pub(crate) remote_port: Name,
    pub(crate) https_key: Name,
    pub(crate) url_scheme: Name,
    pub(crate) input: Name,
}

/// The names.
pub(crate) fn names(py: Python<'_>) -> &Names {
    static NAMES: PyOnceLock<Names> = PyOnceLock::new();
    NAMES.get_or_init(py, || make(py))
}

fn make(py: Python<'_>) -> Names {
    let intern = |name: &str| PyString::intern(py, name).unbind();
    let method = |name: &'static str| (name.as_bytes(), intern(name));
    Names {
        headers: std::array::from_fn(|id| if id == 0 { intern("") } else { intern(&cgi_name(id as u16)) }),
        methods: ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"].map(method),
        https: intern("https"),
        http_10: intern("HTTP/1.0"),
        localhost: intern("localhost"),
        loopback: intern("127.0.0.1"),
        on: intern("on"),
        port_80: intern("80"),
        port_443: intern("443"),
        request_method: intern("REQUEST_METHOD"),
        request_uri: intern("REQUEST_URI"),
        raw_uri: intern("RAW_URI"),
        script_name: intern("SCRIPT_NAME"),
        path_info: intern("PATH_INFO"),
        query_string: intern("QUERY_STRING"),
        server_protocol: intern("SERVER_PROTOCOL"),
        server_name: intern("SERVER_NAME"),
        server_port: intern("SERVER_PORT"),
        remote_addr: intern("REMOTE_ADDR"),
        remote_port: intern("REMOTE_PORT"),
        https_key: intern("HTTPS"),
        url_scheme: intern("wsgi.url_scheme"),
        input: intern("wsgi.input"),
    }
}
