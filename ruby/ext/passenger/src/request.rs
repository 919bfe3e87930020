//! From a request frame to a Rack environment.
//!
//! Everything runs inside one `rb_protect`, so nothing here may need dropping: Ruby unwinds by `longjmp`.

use magnus::Error;
use magnus::rb_sys::protect;
use passenger_native::headers::{CONTENT_LENGTH, COOKIE, HOST};
use passenger_native::request::{Body, Protocol, Request, RequestLine, Scheme};
use rb_sys::{
    Qundef, RSTRING_LEN, RSTRING_PTR, VALUE, rb_ary_new, rb_class_new_instance, rb_hash_aset, rb_hash_dup,
    rb_hash_lookup2, rb_interned_str, rb_str_cat, rb_str_new,
};

use crate::cache::Cache;
use crate::names::Names;
use crate::response::bytes as contents;

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
        cache.set_server(names, env, https, host);
        cache.set_peer(names, env, line);
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

unsafe fn method(names: &Names, method: &[u8]) -> VALUE {
    match names.methods.iter().find(|(name, _)| *name == method) {
        Some((_, value)) => *value,
        // SAFETY: the caller's.
        None => unsafe { string(method) },
    }
}

/// A string; binary, as Puma and Unicorn make them: Rack leaves the encoding to the application.
///
/// # Safety
/// With the GVL, inside `rb_protect`.
pub(crate) unsafe fn string(bytes: &[u8]) -> VALUE {
    // SAFETY: the pointer and length are those of `bytes`.
    unsafe { rb_str_new(bytes.as_ptr().cast(), bytes.len() as _) }
}

/// A number's digits.
///
/// # Safety
/// With the GVL, inside `rb_protect`.
pub(crate) unsafe fn decimal(mut number: u64) -> VALUE {
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

/// `value` behind what is already there.
unsafe fn joined(present: VALUE, separator: &[u8; 2], value: VALUE) -> VALUE {
    if present == Qundef as VALUE {
        return value;
    }
    // SAFETY: header keys hold strings; a new one is made because `present` may be the template's.
    unsafe {
        let all = string(contents(present));
        rb_str_cat(all, separator.as_ptr().cast(), separator.len() as _);
        rb_str_cat(all, RSTRING_PTR(value), RSTRING_LEN(value))
    }
}
