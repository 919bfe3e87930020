//! From a request frame to an ASGI scope.

use std::borrow::Cow;

use memchr::memchr;
use passenger_native::headers::{HOST, HeaderBlock, id_of};
use passenger_native::request::{Protocol, Request, RequestLine, Scheme};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use super::names::{Names, names};
use crate::strings::unescape;

/// Makes the scopes of a channel's requests.
pub(crate) struct Scopes {
    http: Template,
    websocket: Template,
    peer: Cached<PyString>,
    host: Cached<PyString>,
}

/// What scopes of one type have in common.
struct Template {
    scope: Py<PyDict>,
    /// Copied for each request, as applications may change them: `state` and `extensions` of the scope.
    copied: Vec<(Py<PyString>, Py<PyDict>)>,
}

/// A value that tends to be that of the request before.
struct Cached<T> {
    bytes: Vec<u8>,
    value: Option<Py<T>>,
}

impl Scopes {
    /// `http` and `websocket` are scopes with the members that are the same in all requests. A dict in them that is to be a
    /// copy in each request has its name in `copied`.
    ///
    /// # Errors
    /// When such a member is no dict.
    pub(crate) fn new(
        http: &Bound<'_, PyDict>,
        websocket: &Bound<'_, PyDict>,
        copied: Vec<Bound<'_, PyString>>,
    ) -> PyResult<Self> {
        Ok(Self {
            http: Template::new(http, &copied)?,
            websocket: Template::new(websocket, &copied)?,
            peer: Cached { bytes: Vec::new(), value: None },
            host: Cached { bytes: Vec::new(), value: None },
        })
    }

    /// The scope of `request`; `websocket` if it is a handshake.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn build<'py>(
        &mut self,
        py: Python<'py>,
        request: &Request<'_>,
        websocket: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let names = names(py);
        let line = &request.line;
        let scope = if websocket { &self.websocket } else { &self.http }.copy(py)?;
        if websocket {
            scope.set_item(intern!(py, "subprotocols"), subprotocols(py, &request.headers)?)?;
        } else {
            scope.set_item(intern!(py, "method"), names.method(py, line.method))?;
        }
        scope.set_item(intern!(py, "http_version"), version(py, line.protocol))?;
        scope.set_item(intern!(py, "scheme"), scheme(py, line.scheme, websocket))?;
        set_target(py, &scope, line)?;
        let (headers, host) = headers(py, names, &request.headers)?;
        scope.set_item(intern!(py, "headers"), headers)?;
        if !line.peer.is_empty() {
            let peer = self.peer.get(line.peer, || Ok(text(py, line.peer)))?.bind(py);
            scope.set_item(intern!(py, "client"), (peer, line.peer_port))?;
        }
        if line.local_port != 0 {
            let host = self.host.get(host, || Ok(text(py, host_name(host))))?.bind(py);
            scope.set_item(intern!(py, "server"), (host, line.local_port))?;
        }
        Ok(scope)
    }
}

impl Template {
    fn new(scope: &Bound<'_, PyDict>, copied: &[Bound<'_, PyString>]) -> PyResult<Self> {
        let mut pairs = Vec::new();
        for name in copied {
            if let Some(value) = scope.get_item(name)? {
                pairs.push((name.clone().unbind(), value.cast_into::<PyDict>()?.unbind()));
            }
        }
        Ok(Self { scope: scope.clone().unbind(), copied: pairs })
    }

    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let scope = self.scope.bind(py).copy()?;
        for (name, value) in &self.copied {
            scope.set_item(name, value.bind(py).copy()?)?;
        }
        Ok(scope)
    }
}

impl<T> Cached<T> {
    fn get(&mut self, bytes: &[u8], make: impl FnOnce() -> PyResult<Py<T>>) -> PyResult<&Py<T>> {
        if self.bytes != bytes {
            self.value = None;
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
        }
        match &mut self.value {
            Some(value) => Ok(value),
            none => Ok(none.insert(make()?)),
        }
    }
}

fn version(py: Python<'_>, protocol: Protocol) -> &Bound<'_, PyString> {
    match protocol {
        Protocol::Http10 => intern!(py, "1.0"),
        Protocol::Http11 => intern!(py, "1.1"),
    }
}

fn scheme(py: Python<'_>, scheme: Scheme, websocket: bool) -> &Bound<'_, PyString> {
    match (scheme, websocket) {
        (Scheme::Http, false) => intern!(py, "http"),
        (Scheme::Https, false) => intern!(py, "https"),
        (Scheme::Http, true) => intern!(py, "ws"),
        (Scheme::Https, true) => intern!(py, "wss"),
    }
}

/// `path` is all of the path, `root_path` included, as ASGI has it since its version 2.3 was made clear.
fn set_target(py: Python<'_>, scope: &Bound<'_, PyDict>, line: &RequestLine<'_>) -> PyResult<()> {
    let (path, query) = match memchr(b'?', line.target) {
        Some(at) => (&line.target[..at], &line.target[at + 1..]),
        None => (line.target, &b""[..]),
    };
    scope.set_item(intern!(py, "raw_path"), PyBytes::new(py, path))?;
    scope.set_item(intern!(py, "path"), text(py, &unescape(path)))?;
    scope.set_item(intern!(py, "query_string"), PyBytes::new(py, query))?;
    let script = usize::from(line.script_len).min(path.len());
    if script > 0 {
        scope.set_item(intern!(py, "root_path"), text(py, &unescape(&path[..script])))?;
    }
    Ok(())
}

/// Names and values in order, and the value of `host`.
fn headers<'py, 'a>(
    py: Python<'py>,
    names: &Names,
    block: &HeaderBlock<'a>,
) -> PyResult<(Bound<'py, PyList>, &'a [u8])> {
    let mut host = &b""[..];
    let mut pairs = Vec::with_capacity(16);
    for header in block.iter() {
        if header.id == HOST {
            host = header.value;
        }
        let name = names.header(py, header.id, header.name);
        pairs.push(PyTuple::new(py, [name, PyBytes::new(py, header.value)])?);
    }
    Ok((PyList::new(py, pairs)?, host))
}

fn subprotocols<'py>(py: Python<'py>, block: &HeaderBlock<'_>) -> PyResult<Bound<'py, PyList>> {
    let id = id_of(b"sec-websocket-protocol");
    let offered = PyList::empty(py);
    for header in block.iter().filter(|header| header.id == id) {
        for name in header.value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            offered.append(text(py, name))?;
        }
    }
    Ok(offered)
}

/// `example.com:80` and `[::1]:80` without the port and the brackets; `localhost` if there is nothing.
fn host_name(host: &[u8]) -> &[u8] {
    if host.is_empty() {
        return b"localhost";
    }
    if let Some(rest) = host.strip_prefix(b"[") {
        return rest.split(|&byte| byte == b']').next().unwrap_or(rest);
    }
    host.split(|&byte| byte == b':').next().unwrap_or(host)
}

/// Bytes of a client as text: what is not UTF-8 becomes U+FFFD.
fn text(py: Python<'_>, bytes: &[u8]) -> Py<PyString> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => PyString::new(py, text),
        Cow::Owned(text) => PyString::new(py, &text),
    }
    .unbind()
}
