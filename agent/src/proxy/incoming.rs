//! From bytes to something that can be served: parses the head and decides, while it is borrowed, what it asks for.

use std::mem::MaybeUninit;
use std::rc::Rc;

use bytes::{Buf, Bytes};

use super::handshake::Handshake;
use super::request;
use super::router::Miss;
use super::static_files::StaticFile;
use super::{Proxy, Site, nothing};
use crate::http::body::Upload;
use crate::http::connection::Connection;
use crate::http::head::{self, Framing, Head, MAX_HEADERS, Rejection};
use crate::http::response::Context;
use crate::pool::exchange::Request;
use crate::pool::restart::Wish;

/// What a head asks for.
pub enum Incoming {
    /// Something for which there is no application; there is no body.
    Nowhere(Rejection, Context),
    /// A file in `public/`.
    File(StaticFile, Context),
    /// The application; there is no body. It may be to become a WebSocket.
    Request(Rc<Site>, Request, Context, Option<Box<Handshake>>),
    /// The application, when the body is there.
    Pending(Pending),
}

/// A request whose body has not been read.
pub struct Pending {
    /// The application that it is for.
    pub site: Rc<Site>,
    script_len: usize,
    head: Bytes,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client waits to be asked for it.
    pub expects_continue: bool,
}

/// Takes a request head off the connection's input; `None` while it is incomplete.
///
/// # Errors
/// As [`head::parse`], and when there is no application for what has a body.
pub fn take(proxy: &Proxy, connection: &mut Connection) -> Result<Option<Incoming>, Rejection> {
    if !connection.may_hold_a_head() {
        return Ok(None);
    }
    let mut scratch = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let Some((head, length)) = head::parse(&connection.input, &mut scratch)? else { return Ok(None) };
    let mut context = context(&head, connection);
    let (framing, expects_continue) = (head.framing, head.expects_continue);
    let found = proxy.router.borrow().find(host(&head), head.target).map(|(site, length)| (Rc::clone(site), length));
    let (site, script_len) = match found {
        Ok(found) => found,
        Err(miss) if framing == Framing::None => {
            connection.take_head(length).clear();
            return Ok(Some(Incoming::Nowhere(rejection(miss), context)));
        }
        // What would have to be read first is not worth it.
        Err(miss) => return Err(rejection(miss)),
    };
    match site.restart.wish() {
        Some(Wish::Touched) => site.group.restart(),
        // A version that is being started is new enough.
        Some(Wish::Always) => site.group.restart_unless_under_way(),
        None => {}
    }
    if framing != Framing::None {
        let head = connection.take_head(length).freeze();
        return Ok(Some(Incoming::Pending(Pending { site, script_len, head, framing, expects_continue })));
    }
    let incoming = match site.static_files.find(&head, script_len) {
        Some(file) => Incoming::File(file, context),
        None => {
            context.sticks_to = sticks_to(&site, &head);
            let handshake = Handshake::read(&head);
            let mut request = request::encode(&site, script_len, connection, &head, nothing())?;
            request.is_websocket = matches!(handshake, Some(Handshake::Valid(_)));
            Incoming::Request(site, request, context, handshake.map(Box::new))
        }
    };
    connection.take_head(length).clear();
    Ok(Some(incoming))
}

/// The host that a request names (RFC 9112, 3.2.2).
fn host<'b>(head: &Head<'b>) -> &'b [u8] {
    let header = || head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("host"));
    head.authority.map_or_else(|| header().map_or(&[][..], |header| header.value), str::as_bytes)
}

/// The answer where there is no application (RFC 9110, 15.5.5 and 15.5.20).
const fn rejection(miss: Miss) -> Rejection {
    match miss {
        Miss::Host => Rejection { status: 421, reason: "this server has no application for this host" },
        Miss::Path => Rejection { status: 404, reason: "there is no application at this address" },
    }
}

fn context(head: &Head<'_>, connection: &Connection) -> Context {
    let keep_alive = head.keep_alive && !connection.lobby.is_closing();
    Context { protocol: head.protocol, is_head: head.method == "HEAD", keep_alive, sticks_to: None }
}

/// The worker that the client has been told to come back to, if the application's clients are.
fn sticks_to(site: &Site, head: &Head<'_>) -> Option<u32> {
    site.sticky_sessions.as_ref().map(|sticky| sticky.number(head))
}

impl Pending {
    /// The request, now that its body is there.
    ///
    /// # Errors
    /// When it does not fit into a frame.
    pub fn request(&self, connection: &Connection, upload: Upload) -> Result<(Request, Context), Rejection> {
        let mut scratch = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        // Parsed a second time, as borrowing it over the upload would keep 4 KB of headers in every connection's task.
        let Some((head, _)) = head::parse(self.head.chunk(), &mut scratch)? else {
            return Err(Rejection { status: 400, reason: "the request head is malformed" });
        };
        let request = request::encode(&self.site, self.script_len, connection, &head, upload)?;
        let sticks_to = sticks_to(&self.site, &head);
        Ok((request, Context { sticks_to, ..context(&head, connection) }))
    }
}
