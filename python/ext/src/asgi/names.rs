//! Strings that occur in every scope and message, made once.

use passenger_native::headers::KNOWN;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];

/// What [`names`] returns.
pub(crate) struct Names {
    /// The names of known headers by id, in lower case.
    headers: Vec<Py<PyBytes>>,
    methods: Vec<Py<PyString>>,
}

/// The strings.
pub(crate) fn names(py: Python<'_>) -> &Names {
    static NAMES: PyOnceLock<Names> = PyOnceLock::new();
    NAMES.get_or_init(py, || Names {
        headers: KNOWN.iter().map(|name| PyBytes::new(py, name.as_bytes()).unbind()).collect(),
        methods: METHODS.iter().map(|name| PyString::intern(py, name).unbind()).collect(),
    })
}

impl Names {
    /// The name of a request header as ASGI has it, from its id or its CGI name.
    pub(crate) fn header<'py>(&self, py: Python<'py>, id: u16, cgi: &[u8]) -> Bound<'py, PyBytes> {
        match self.headers.get(usize::from(id)) {
            Some(name) if id != 0 => name.bind(py).clone(),
            _ => PyBytes::new(py, &from_cgi(cgi)),
        }
    }

    /// The name of a method.
    pub(crate) fn method<'py>(&self, py: Python<'py>, method: &[u8]) -> Bound<'py, PyString> {
        match METHODS.iter().position(|known| known.as_bytes() == method) {
            Some(index) => self.methods[index].bind(py).clone(),
            None => PyString::new(py, &String::from_utf8_lossy(method)),
        }
    }
}

/// `HTTP_X_FOO` back to `x-foo`.
fn from_cgi(name: &[u8]) -> Vec<u8> {
    let name = name.strip_prefix(b"HTTP_").unwrap_or(name);
    name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect()
}
