//! What happens to a request, in order:
//!
//! ```text
//!   which application? ─▶ restart.txt touched? ─▶ a file in public/? ─▶ upload ─▶ pool ─▶ forward the answer
//!                                                                                         (or WebSocket, tunnel, error page)
//! ```

mod error_page;
mod forward;
mod handshake;
mod head_writer;
mod incoming;
mod request;
pub mod router;
mod sendfile;
mod static_files;
mod sticky;
mod tunnel;
mod websocket;

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

pub use static_files::StaticFiles;
pub use sticky::StickySessions;

use crate::app::user::AppUser;
use crate::http::body::{self, BodyError, Upload};
use crate::http::connection::{Arrival, Connection};
use crate::http::head::Rejection;
use crate::http::response::Context;
use crate::pool::attempts::Attempts;
use crate::pool::exchange::{Exchange, Request};
use crate::pool::group::Group;
use crate::pool::restart::RestartFiles;
use crate::pool::session::{Ending, Session};

use forward::Verdict;
use handshake::Handshake;
use incoming::{Incoming, Pending};
use router::Router;

/// The answer for which a client with `Expect: 100-continue` waits (RFC 9110, 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// One application as requests meet it.
pub struct Site {
    /// Who serves it.
    pub group: Rc<Group>,
    /// What restarts the application.
    pub restart: Rc<RestartFiles>,
    /// The paths, as the application sees them, by which its health is checked.
    pub health_check_paths: Vec<String>,
    /// Has clients come back to the worker that answered them.
    pub sticky_sessions: Option<StickySessions>,
    /// What is served without the application.
    pub static_files: StaticFiles,
    /// Whose files may be sent for it.
    pub user: Rc<AppUser>,
}

/// Everything a request needs on its way.
pub struct Proxy {
    /// Which application it is for.
    pub router: RefCell<Router<Rc<Site>>>,
    /// Where bodies go that do not fit into memory.
    pub buffer_dir: Rc<Path>,
}

impl Proxy {
    /// Serves a connection to its end.
    pub async fn serve(self: Rc<Self>, mut connection: Connection) {
        loop {
            match self.serve_request(&mut connection).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::debug!("a client's connection broke: {error}"),
            }
        }
    }

    /// Serves one request; returns whether the connection goes on.
    async fn serve_request(&self, connection: &mut Connection) -> io::Result<bool> {
        let incoming = loop {
            match incoming::take(self, connection) {
                Ok(Some(incoming)) => break incoming,
                Ok(None) if connection.await_head().await? == Arrival::Closed => return Ok(false),
                Ok(None) => {}
                Err(rejection) => return refuse(connection, &rejection).await,
            }
        };
        match incoming {
            Incoming::Nowhere(rejection, context) => error_page::refuse(connection, &rejection, &context).await,
            Incoming::File(file, context) => file.send(connection, context).await,
            Incoming::Request(site, request, context, handshake) => {
                // Only workers that leave the WebSocket to the server need not see what is wrong with the handshake.
                if let Some(Handshake::Invalid(rejection)) = handshake.as_deref()
                    && site.group.is_multiplexed()
                {
                    return error_page::refuse(connection, rejection, &context).await;
                }
                self.dispatch(&site, connection, request, context, handshake).await
            }
            Incoming::Pending(pending) => self.upload(connection, pending).await,
        }
    }

    async fn upload(&self, connection: &mut Connection, pending: Pending) -> io::Result<bool> {
        let ask = pending.expects_continue.then_some(CONTINUE);
        match body::read(connection, pending.framing, ask, &self.buffer_dir).await {
            Ok(upload) => match pending.request(connection, upload) {
                Ok((request, context)) => self.dispatch(&pending.site, connection, request, context, None).await,
                Err(rejection) => refuse(connection, &rejection).await,
            },
            Err(BodyError::Rejected(rejection)) => refuse(connection, &rejection).await,
            Err(BodyError::Gone) => Ok(false),
            Err(BodyError::Storage(error)) => {
                tracing::error!("an upload could not be stored in {}: {error}", self.buffer_dir.display());
                refuse(connection, &Rejection { status: 507, reason: "the upload could not be stored" }).await
            }
        }
    }

    /// Has the application answer; again if a worker died that had not begun with the request, and once more if it may
    /// have begun and the method is safe (RFC 9110, 9.2.1). Nothing has been sent to the client then.
    async fn dispatch(
        &self,
        site: &Site,
        connection: &mut Connection,
        request: Request,
        context: Context,
        handshake: Option<Box<Handshake>>,
    ) -> io::Result<bool> {
        let request = Rc::new(request);
        let mut attempts = Attempts::new(request.is_safe && handshake.is_none());
        loop {
            if let Some(mut file) = request.body.as_deref() {
                io::Seek::rewind(&mut file)?;
            }
            let exchange = Exchange::new(Rc::clone(&request), Rc::clone(&self.buffer_dir));
            exchange.stick_to(context.sticks_to);
            let mut session = Session::new(Rc::clone(&exchange));
            site.group.submit(exchange);
            let ending = match forward::respond(connection, &mut session, &context, site).await? {
                Verdict::Done { keep_alive } => return Ok(keep_alive),
                Verdict::Tunnel(descriptor) => {
                    drop(session);
                    tunnel::run(connection, descriptor).await?;
                    return Ok(false);
                }
                Verdict::WebSocket { frame, payload } => {
                    match websocket::accept(connection, handshake.as_deref(), &frame, &payload) {
                        // In a box of its own, as most connections never need that much.
                        Ok(()) => return Box::pin(websocket::run(connection, session)).await.map(|()| false),
                        Err(mistake) => tracing::error!("a WebSocket handshake failed: {mistake}"),
                    }
                    Ending::Cancelled
                }
                Verdict::NoFile => return error_page::no_file(connection, &context).await,
                Verdict::Failed(ending) => ending,
            };
            if !attempts.goes_on(&ending) {
                let show_details = site.group.config().is_development();
                return error_page::send(connection, &ending, &context, show_details).await;
            }
        }
    }
}

/// Answers what can't be a request, and ends the connection, as nobody knows where the next one would begin.
async fn refuse(connection: &mut Connection, rejection: &Rejection) -> io::Result<bool> {
    tracing::info!("refused a request from {}: {} {}", connection.peer.address, rejection.status, rejection.reason);
    error_page::reject(connection, rejection).await?;
    connection.linger().await;
    Ok(false)
}

/// The upload of a request that has none.
const fn nothing() -> Upload {
    Upload::Memory(Vec::new())
}
