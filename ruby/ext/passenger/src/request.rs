//! From a request frame to a Rack environment.
//!
//! Everything runs inside one `rb_protect`, so nothing here may need dropping: Ruby unwinds by `longjmp`.

use std::cell::Cell;

use magnus::Error;
use magnus::rb_sys::protect;
use passenger_native::headers::{CONTENT_LENGTH, COOKIE, HOST};
use passenger_native::request::{Body, Protocol, Request, RequestLine, Scheme};
use rb_sys::{
    NIL_P, Qnil, Qundef, RSTRING_LEN, RSTRING_PTR, VALUE, rb_ary_new, rb_class_new_instance, rb_gc_mark, rb_hash_aset,
    rb_hash_dup, rb_hash_lookup2, rb_interned_str, rb_obj_freeze, rb_str_cat, rb_str_new,
};

use crate::names::Names;

/// Values that tend to be those of the request before.
pub(crate) struct Cache {
    https: Cell<bool>,
    host: Cell<VALUE>,
    server_name: Cell<VALUE>,
    server_port: Cell<VALUE>,
    peer: Cell<VALUE>,
    peer_port: Cell<u16>,
    remote_port: Cell<VALUE>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        let nil = || Cell::new(Qnil as VALUE);
        Self {
            https: Cell::new(false),
            host: nil(),
            server_name: nil(),
            server_port: nil(),
            peer: nil(),
            peer_port: Cell::new(0),
            remote_port: nil(),
        }
    }

    /// Keeps the values alive and in their place.
    pub(crate) fn mark(&self) {
        for value in [&self.host, &self.server_name, &self.server_port, &self.peer, &self.remote_port] {
            // SAFETY: called by the GC while it marks; each is a string or nil.
            unsafe { rb_gc_mark(value.get()) };
        }
    }
}

/// Makes the environment: a copy of `template` and what is particular to `request`. `input` is the file that holds the
/// body when a descriptor came, else the class that makes one of the bytes (`StringIO`).
///
/// # Errors
/// What Ruby raises: out of memory, or an error in the input's class.
pub(crate) fn environment(
    names: &Names,
    template: VALUE,
    cache: &Cache,
    repeated: bool,
    request: &Request<'_>,
    input: VALUE,
) -> Result<VALUE, Error> {
    // SAFETY: we hold the GVL; `template` is a hash; each value is stored in the hash, or in the cache that is marked,
    // before the next is made.
    protect(|| unsafe {
        let env = rb_hash_dup(template);
        let set = |key, value| rb_hash_aset(env, key, value);
        let line = &request.line;
        set_target(names, env, line);
        set(names.request_method, method(names, line.method));
        let protocol = match line.protocol {
            Protocol::Http10 => names.http_10,
            Protocol::Http11 => names.http_11,
        };
        set(names.server_protocol, protocol);
        let https = line.scheme == Scheme::Https;
        if https {
            set(names.url_scheme, names.https);
            set(names.https_key, names.on);
        }
        let (mut host, mut has_length) = (&b""[..], false);
        for header in request.headers.iter() {
            let key = match header.id {
                0 => rb_interned_str(header.name.as_ptr().cast(), header.name.len() as _),
                id => names.headers[usize::from(id)],
            };
            match header.id {
                HOST => host = header.value,
                CONTENT_LENGTH => has_length = true,
                _ => {}
            }
            let mut value = string(header.value);
            if repeated {
                let separator = if header.id == COOKIE { b"; " } else { b", " };
                value = joined(rb_hash_lookup2(env, key, Qundef as VALUE), separator, value);
            }
            set(key, value);
        }
        // After the headers: one of the name `Version` would have the same key.
        set(names.http_version, protocol);
        set_server(names, env, cache, https, host);
        set_peer(names, env, cache, line);
        if line.body_len > 0 {
            let input = match request.body {
                Body::Inline(bytes) => rb_class_new_instance(1, &string(bytes), input),
                Body::Descriptor => input,
            };
            set(names.input, input);
            if !has_length {
                set(names.headers[usize::from(CONTENT_LENGTH)], decimal(line.body_len));
            }
        }
        set(names.after_reply, rb_ary_new());
        set(names.response_finished, rb_ary_new());
        env
    })
}

unsafe fn set_target(names: &Names, env: VALUE, line: &RequestLine<'_>) {
    let (path, query) = match line.target.iter().position(|&byte| byte == b'?') {
        Some(at) => (&line.target[..at], &line.target[at + 1..]),
        None => (line.target, &b""[..]),
    };
    let script = usize::from(line.script_len).min(path.len());
    // SAFETY: the caller's.
    unsafe {
        rb_hash_aset(env, names.request_uri, string(line.target));
        let request_path = string(path);
        rb_hash_aset(env, names.request_path, request_path);
        let path_info = if script == 0 { request_path } else { string(&path[script..]) };
        rb_hash_aset(env, names.path_info, path_info);
        if script > 0 {
            rb_hash_aset(env, names.script_name, string(&path[..script]));
        }
        rb_hash_aset(env, names.query_string, if query.is_empty() { names.empty } else { string(query) });
    }
}

unsafe fn set_server(names: &Names, env: VALUE, cache: &Cache, https: bool, host: &[u8]) {
    // SAFETY: the caller's; the cache holds strings or nil.
    unsafe {
        if cache.https.get() != https || !is_equal(cache.host.get(), host) {
            let (name, port) = split_host(host);
            cache.server_name.set(if name.is_empty() { names.localhost } else { frozen(name) });
            cache.server_port.set(match port {
                Some(port) => frozen(port),
                None if https => names.port_443,
                None => names.port_80,
            });
            cache.https.set(https);
            cache.host.set(frozen(host));
        }
        rb_hash_aset(env, names.server_name, cache.server_name.get());
        rb_hash_aset(env, names.server_port, cache.server_port.get());
    }
}

unsafe fn set_peer(names: &Names, env: VALUE, cache: &Cache, line: &RequestLine<'_>) {
    if line.peer.is_empty() {
        // SAFETY: the caller's.
        unsafe { rb_hash_aset(env, names.remote_addr, names.loopback) };
        return;
    }
    // SAFETY: the caller's; the cache holds strings or nil.
    unsafe {
        if !is_equal(cache.peer.get(), line.peer) {
            cache.peer.set(frozen(line.peer));
        }
        if cache.peer_port.get() != line.peer_port || NIL_P(cache.remote_port.get()) {
            cache.remote_port.set(rb_obj_freeze(decimal(u64::from(line.peer_port))));
            cache.peer_port.set(line.peer_port);
        }
        rb_hash_aset(env, names.remote_addr, cache.peer.get());
        rb_hash_aset(env, names.remote_port, cache.remote_port.get());
    }
}

/// `example.com:80` and `[::1]:80` in two; the port only if it is a number.
fn split_host(host: &[u8]) -> (&[u8], Option<&[u8]>) {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(at) if at + 1 < host.len() && host[at + 1..].iter().all(u8::is_ascii_digit) => {
            (&host[..at], Some(&host[at + 1..]))
        }
        Some(at) if at + 1 == host.len() => (&host[..at], None),
        _ => (host, None),
    }
}

unsafe fn method(names: &Names, method: &[u8]) -> VALUE {
    match names.methods.iter().find(|(name, _)| *name == method) {
        Some((_, value)) => *value,
        // SAFETY: the caller's.
        None => unsafe { string(method) },
    }
}

/// Binary, as Puma and Unicorn make them: Rack leaves the encoding to the application.
unsafe fn string(bytes: &[u8]) -> VALUE {
    // SAFETY: the pointer and length are those of `bytes`.
    unsafe { rb_str_new(bytes.as_ptr().cast(), bytes.len() as _) }
}

unsafe fn frozen(bytes: &[u8]) -> VALUE {
    // SAFETY: the caller's.
    unsafe { rb_obj_freeze(string(bytes)) }
}

unsafe fn decimal(mut number: u64) -> VALUE {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    // SAFETY: the caller's.
    unsafe { string(&digits[at..]) }
}

unsafe fn is_equal(cached: VALUE, bytes: &[u8]) -> bool {
    // SAFETY: the caller says that `cached` is a string or nil; a string's pointer is good until Ruby runs again.
    !NIL_P(cached)
        && unsafe { std::slice::from_raw_parts(RSTRING_PTR(cached).cast::<u8>(), RSTRING_LEN(cached) as usize) == bytes }
}

/// `value` behind what is already there.
unsafe fn joined(present: VALUE, separator: &[u8; 2], value: VALUE) -> VALUE {
    if present == Qundef as VALUE {
        return value;
    }
    // SAFETY: header keys hold strings; a new one is made because `present` may be the template's.
    unsafe {
        let all = string(std::slice::from_raw_parts(RSTRING_PTR(present).cast(), RSTRING_LEN(present) as usize));
        rb_str_cat(all, separator.as_ptr().cast(), separator.len() as _);
        rb_str_cat(all, RSTRING_PTR(value), RSTRING_LEN(value))
    }
}
