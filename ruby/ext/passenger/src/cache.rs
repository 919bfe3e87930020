//! Values of the environment that tend to be those of the request before.

use std::cell::Cell;

use passenger_native::request::RequestLine;
use rb_sys::{NIL_P, Qnil, VALUE, rb_gc_mark, rb_hash_aset, rb_obj_freeze};

use crate::names::Names;
use crate::request::{decimal, string};
use crate::response::bytes as contents;

/// One for each channel. Its strings are frozen, as environments share them.
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

    /// Sets SERVER_NAME and SERVER_PORT from the Host header.
    ///
    /// # Safety
    /// With the GVL, inside `rb_protect`; `env` is a hash.
    pub(crate) unsafe fn set_server(&self, names: &Names, env: VALUE, https: bool, host: &[u8]) {
        // SAFETY: the caller's; the cache holds strings or nil.
        unsafe {
            if self.https.get() != https || !is_equal(self.host.get(), host) {
                let (name, port) = split_host(host);
                self.server_name.set(if name.is_empty() { names.localhost } else { frozen(name) });
                self.server_port.set(match port {
                    Some(port) => frozen(port),
                    None if https => names.port_443,
                    None => names.port_80,
                });
                self.https.set(https);
                self.host.set(frozen(host));
            }
            rb_hash_aset(env, names.server_name, self.server_name.get());
            rb_hash_aset(env, names.server_port, self.server_port.get());
        }
    }

    /// Sets REMOTE_ADDR, and REMOTE_PORT if there is one.
    ///
    /// # Safety
    /// As above.
    pub(crate) unsafe fn set_peer(&self, names: &Names, env: VALUE, line: &RequestLine<'_>) {
        if line.peer.is_empty() {
            // SAFETY: the caller's.
            unsafe { rb_hash_aset(env, names.remote_addr, names.loopback) };
            return;
        }
        // SAFETY: the caller's; the cache holds strings or nil.
        unsafe {
            if !is_equal(self.peer.get(), line.peer) {
                self.peer.set(frozen(line.peer));
            }
            if self.peer_port.get() != line.peer_port || NIL_P(self.remote_port.get()) {
                self.remote_port.set(rb_obj_freeze(decimal(u64::from(line.peer_port))));
                self.peer_port.set(line.peer_port);
            }
            rb_hash_aset(env, names.remote_addr, self.peer.get());
            rb_hash_aset(env, names.remote_port, self.remote_port.get());
        }
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

unsafe fn frozen(bytes: &[u8]) -> VALUE {
    // SAFETY: the caller's.
    unsafe { rb_obj_freeze(string(bytes)) }
}

unsafe fn is_equal(cached: VALUE, bytes: &[u8]) -> bool {
    // SAFETY: the caller says that `cached` is a string or nil.
    !NIL_P(cached) && unsafe { contents(cached) == bytes }
}
