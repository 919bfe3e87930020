//! From bytes to something that can be served: parses the head and decides, while it is borrowed, what it asks for.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes};

use super::request;
use super::static_files::StaticFile;
use super::{Proxy, nothing};
use crate::http::body::Upload;
use crate::http::connection::Connection;
use crate::http::head::{self, Framing, Head, MAX_HEADERS, Rejection};
use crate::http::response::Context;
use crate::pool::session::Request;

/// What a head asks for.
pub enum Incoming {
    /// A file in `public/`.
    File(StaticFile, Context),
    /// The application; there is no body.
    Request(Request, Context),
    /// The application, when the body is there.
    Pending(Pending),
}

/// A request whose body has not been read.
pub struct Pending {
    head: Bytes,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client waits to be asked for it.
    pub expects_continue: bool,
}

/// Takes a request head off the connection's input; `None` while it is incomplete.
///
/// # Errors
/// As [`head::parse`].
pub fn take(proxy: &Proxy, connection: &mut Connection) -> Result<Option<Incoming>, Rejection> {
    if !connection.may_hold_a_head() {
        return Ok(None);
    }
    if proxy.restart.was_touched() {
        proxy.group.restart();
    }
    let mut scratch = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let Some((head, length)) = head::parse(&connection.input, &mut scratch)? else { return Ok(None) };
    let context = context(&head, connection);
    let (framing, expects_continue) = (head.framing, head.expects_continue);
    if framing != Framing::None {
        let head = connection.take_head(length).freeze();
        return Ok(Some(Incoming::Pending(Pending { head, framing, expects_continue })));
    }
    let incoming = match proxy.static_files.find(&head) {
        Some(file) => Incoming::File(file, context),
        None => Incoming::Request(request::encode(proxy, connection, &head, nothing())?, context),
    };
    connection.take_head(length).clear();
    Ok(Some(incoming))
}

fn context(head: &Head<'_>, connection: &Connection) -> Context {
    let keep_alive = head.keep_alive && !connection.lobby.is_closing();
    Context { protocol: head.protocol, is_head: head.method == "HEAD", keep_alive }
}

impl Pending {
    /// The request, now that its body is there.
    ///
    /// # Errors
    /// When it does not fit into a frame.
    pub fn request(
        &self,
        proxy: &Proxy,
        connection: &Connection,
        upload: Upload,
    ) -> Result<(Request, Context), Rejection> {
        let mut scratch = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        // Parsed a second time, as borrowing it over the upload would keep 4 KB of headers in every connection's task.
        let Some((head, _)) = head::parse(self.head.chunk(), &mut scratch)? else {
            return Err(Rejection { status: 400, reason: "the request head is malformed" });
        };
        Ok((request::encode(proxy, connection, &head, upload)?, context(&head, connection)))
    }
}
