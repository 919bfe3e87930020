//! The keys and constant values of the Rack environment, made once and kept for ever, so that a request allocates
//! none and looking one up in the application compares pointers.

use std::sync::OnceLock;

use magnus::rb_sys::protect;
use magnus::{Error, Ruby};
use passenger_native::headers::{KNOWN, cgi_name};
use rb_sys::{VALUE, rb_enc_interned_str, rb_gc_register_mark_object, rb_utf8_encoding};

/// Interned, frozen strings.
pub(crate) struct Names {
    /// The keys of known headers by id; nothing at 0.
    pub(crate) headers: [VALUE; KNOWN.len()],
    /// The request methods that are worth comparing with.
    pub(crate) methods: [(&'static [u8], VALUE); 7],
    pub(crate) empty: VALUE,
    pub(crate) https: VALUE,
    pub(crate) http_10: VALUE,
    pub(crate) http_11: VALUE,
    pub(crate) localhost: VALUE,
    pub(crate) loopback: VALUE,
    pub(crate) on: VALUE,
    pub(crate) port_80: VALUE,
    pub(crate) port_443: VALUE,
    pub(crate) request_method: VALUE,
    pub(crate) request_uri: VALUE,
    pub(crate) request_path: VALUE,
    pub(crate) script_name: VALUE,
    pub(crate) path_info: VALUE,
    pub(crate) query_string: VALUE,
    pub(crate) server_protocol: VALUE,
    pub(crate) http_version: VALUE,
    pub(crate) server_name: VALUE,
    pub(crate) server_port: VALUE,
    pub(crate) remote_addr: VALUE,
    pub(crate) remote_port: VALUE,
    pub(crate) https_key: VALUE,
    pub(crate) url_scheme: VALUE,
    pub(crate) input: VALUE,
    pub(crate) after_reply: VALUE,
    pub(crate) response_finished: VALUE,
}

static NAMES: OnceLock<Names> = OnceLock::new();

/// The names.
///
/// # Errors
/// Before [`define`].
pub(crate) fn names(ruby: &Ruby) -> Result<&'static Names, Error> {
    NAMES
        .get()
        .ok_or_else(|| Error::new(ruby.exception_load_error(), "Passenger's extension was not loaded completely"))
}

/// Makes the names.
pub(crate) fn define(_: &Ruby) -> Result<(), Error> {
    let intern = |name: &str| {
        // Ruby 3.1 reads a byte even of an empty string, whose pointer may lead nowhere in Rust.
        let terminated = format!("{name}\0");
        protect(|| {
            // SAFETY: pointer and length are those of `name`; registering keeps the string alive and in its place.
            unsafe {
                let string = rb_enc_interned_str(terminated.as_ptr().cast(), name.len() as _, rb_utf8_encoding());
                rb_gc_register_mark_object(string);
                string
            }
        })
    };
    let empty = intern("")?;
    let mut headers = [empty; KNOWN.len()];
    for (id, key) in headers.iter_mut().enumerate().skip(1) {
        *key = intern(&cgi_name(id as u16))?;
    }
    let mut methods = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"].map(|name| (name.as_bytes(), empty));
    for (name, value) in &mut methods {
        *value = intern(std::str::from_utf8(name).unwrap_or_default())?;
    }
    let names = Names {
        headers,
        methods,
        empty,
        https: intern("https")?,
        http_10: intern("HTTP/1.0")?,
        http_11: intern("HTTP/1.1")?,
        localhost: intern("localhost")?,
        loopback: intern("127.0.0.1")?,
        on: intern("on")?,
        port_80: intern("80")?,
        port_443: intern("443")?,
        request_method: intern("REQUEST_METHOD")?,
        request_uri: intern("REQUEST_URI")?,
        request_path: intern("REQUEST_PATH")?,
        script_name: intern("SCRIPT_NAME")?,
        path_info: intern("PATH_INFO")?,
        query_string: intern("QUERY_STRING")?,
        server_protocol: intern("SERVER_PROTOCOL")?,
        http_version: intern("HTTP_VERSION")?,
        server_name: intern("SERVER_NAME")?,
        server_port: intern("SERVER_PORT")?,
        remote_addr: intern("REMOTE_ADDR")?,
        remote_port: intern("REMOTE_PORT")?,
        https_key: intern("HTTPS")?,
        url_scheme: intern("rack.url_scheme")?,
        input: intern("rack.input")?,
        after_reply: intern("rack.after_reply")?,
        response_finished: intern("rack.response_finished")?,
    };
    let _ = NAMES.set(names);
    Ok(())
}
