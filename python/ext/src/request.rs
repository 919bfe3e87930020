//! From a request frame to a WSGI environment (PEP 3333).

use std::borrow::Cow;

use passenger_native::headers::{CONTENT_LENGTH, COOKIE, HOST};
use passenger_native::request::{Body, Protocol, Request, RequestLine, Scheme};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::cache::Cache;
use crate::names::{Names, names};
use crate::strings::{latin1, unescape};

/// Makes environments.
pub(crate) struct Environments<'py> {
    py: Python<'py>,
    names: &'py Names,
    cache: Cache<'py>,
    /// What all environments have in common.
    template: Bound<'py, PyDict>,
    /// `io.BytesIO`.
    bytes_io: Bound<'py, PyAny>,
}

impl<'py> Environments<'py> {
    /// Each will be a copy of `template` and what is particular to its request.
    ///
    /// # Errors
    /// What Python raises when it can't import `io`.
    pub(crate) fn new(template: Bound<'py, PyDict>) -> PyResult<Self> {
        let py = template.py();
        let bytes_io = py.import("io")?.getattr("BytesIO")?;
        Ok(Self { py, names: names(py), cache: Cache::new(), template, bytes_io })
    }

    /// The environment of a request. `file` holds its body if a descriptor came with it; `repeated` says that there may
    /// be headers of the same name, whose values are to be joined.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn make(
        &mut self,
        request: &Request<'_>,
        repeated: bool,
        file: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (py, names, line) = (self.py, self.names, &request.line);
        let env = self.template.copy()?;
        self.set_target(&env, line)?;
        match names.methods.iter().find(|(name, _)| *name == line.method) {
            Some((_, method)) => env.set_item(&names.request_method, method)?,
            None => env.set_item(&names.request_method, latin1(py, line.method)?)?,
        }
        if line.protocol == Protocol::Http10 {
            env.set_item(&names.server_protocol, &names.http_10)?;
        }
        if line.scheme == Scheme::Https {
            env.set_item(&names.url_scheme, &names.https)?;
            env.set_item(&names.https_key, &names.on)?;
        }
        let (mut host, mut has_length) = (None, false);
        for header in request.headers.iter() {
            let mut value = self.cache.value(py, &header)?;
            match header.id {
                HOST => host = Some(header.value),
                CONTENT_LENGTH => has_length = true,
                _ => {}
            }
            if header.id == 0 {
                let key = self.cache.name(py, header.name)?;
                if repeated {
                    value = joined(&env, &key, ", ", value)?;
                }
                env.set_item(key, value)?;
            } else {
                let key = names.headers[usize::from(header.id)].bind(py);
                if repeated {
                    value = joined(&env, key, if header.id == COOKIE { "; " } else { ", " }, value)?;
                }
                env.set_item(key, value)?;
            }
        }
        self.set_server(&env, line, host)?;
        self.set_peer(&env, line)?;
        if line.body_len > 0 {
            match (request.body, file) {
                (Body::Inline(bytes), _) => {
                    env.set_item(&names.input, self.bytes_io.call1((PyBytes::new(py, bytes),))?)?;
                }
                (Body::Descriptor, file) => env.set_item(&names.input, file)?,
            }
            if !has_length {
                env.set_item(&names.headers[usize::from(CONTENT_LENGTH)], line.body_len.to_string())?;
            }
        }
        Ok(env)
    }

    fn set_target(&self, env: &Bound<'py, PyDict>, line: &RequestLine<'_>) -> PyResult<()> {
        let (py, names) = (self.py, self.names);
        let (path, query) = match memchr::memchr(b'?', line.target) {
            Some(at) => (&line.target[..at], &line.target[at + 1..]),
            None => (line.target, &b""[..]),
        };
        let uri = latin1(py, line.target)?;
        let (script, path_info) = path.split_at(usize::from(line.script_len).min(path.len()));
        match unescape(path_info) {
            Cow::Borrowed(plain) if plain.len() == line.target.len() => env.set_item(&names.path_info, &uri)?,
            path_info => env.set_item(&names.path_info, latin1(py, &path_info)?)?,
        }
        env.set_item(&names.raw_uri, &uri)?;
        env.set_item(&names.request_uri, uri)?;
        if !script.is_empty() {
            env.set_item(&names.script_name, latin1(py, &unescape(script))?)?;
        }
        if !query.is_empty() {
            env.set_item(&names.query_string, latin1(py, query)?)?;
        }
        Ok(())
    }

    /// SERVER_NAME and SERVER_PORT, from the Host header if there is one.
    fn set_server(&mut self, env: &Bound<'py, PyDict>, line: &RequestLine<'_>, host: Option<&[u8]>) -> PyResult<()> {
        let (py, names) = (self.py, self.names);
        let (name, port) = split_host(host.unwrap_or_default());
        match name {
            b"" => env.set_item(&names.server_name, &names.localhost)?,
            name => env.set_item(&names.server_name, self.cache.server_name.get(py, name)?)?,
        }
        match port {
            Some(port) => env.set_item(&names.server_port, self.cache.server_port.get(py, port)?),
            None if host.is_none() && line.local_port != 0 => {
                env.set_item(&names.server_port, line.local_port.to_string())
            }
            None if line.scheme == Scheme::Https => env.set_item(&names.server_port, &names.port_443),
            None => env.set_item(&names.server_port, &names.port_80),
        }
    }

    /// REMOTE_ADDR, and REMOTE_PORT if there is one.
    fn set_peer(&mut self, env: &Bound<'py, PyDict>, line: &RequestLine<'_>) -> PyResult<()> {
        let (py, names) = (self.py, self.names);
        if line.peer.is_empty() {
            return env.set_item(&names.remote_addr, &names.loopback);
        }
        env.set_item(&names.remote_addr, self.cache.peer.get(py, line.peer)?)?;
        env.set_item(&names.remote_port, self.cache.peer_port(py, line.peer_port))
    }
}

/// `value` behind what the environment has under `key`.
fn joined<'py>(
    env: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
    separator: &str,
    value: Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyString>> {
    match env.get_item(key)? {
        Some(present) => {
            let separator = PyString::new(env.py(), separator);
            Ok(separator.call_method1(intern!(env.py(), "join"), ((present, value),))?.cast_into()?)
        }
        None => Ok(value),
    }
}

/// `example.com:80` and `[::1]:80` in two; the port only if it is a number.
fn split_host(host: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memrchr(b':', host) {
        Some(at) if at + 1 < host.len() && host[at + 1..].iter().all(u8::is_ascii_digit) => {
            (&host[..at], Some(&host[at + 1..]))
        }
        Some(at) if at + 1 == host.len() => (&host[..at], None),
        _ => (host, None),
    }
}
