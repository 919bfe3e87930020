//! Somebody who wants something of an application: what the proxy does with the pool, without HTTP.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use passenger_native::frame::Header;
use passenger_native::request::{self, Body, Protocol, RequestLine, Scheme};
use passenger_native::response;
use tokio::time::sleep;

use super::ledger::{Outcome, byte};
use super::world::World;
use crate::buffer::Chunk;
use crate::pool::attempts::Attempts;
use crate::pool::exchange::{Exchange, Request};
use crate::pool::session::{Ending, Event, Session};

/// What somebody wants.
#[derive(Default)]
pub struct Wish {
    pub app: usize,
    pub route: u32,
    pub safe: bool,
    pub is_health_check: bool,
    /// Bytes of the request's body.
    pub upload: usize,
    /// How long the client waits, if it does not wait for ever.
    pub patience: Option<Duration>,
    /// How long it takes for a piece of the answer.
    pub slowness: Duration,
}

/// Has the wish fulfilled, or not.
pub async fn ask(world: Rc<World>, wish: Wish) -> Outcome {
    let id = world.ledger.open(wish.app, wish.safe);
    world.trace.note(|| {
        let Wish { app, route, safe, patience, .. } = &wish;
        format!("request {id} for app {app}, route {route}, {} {patience:?}", if *safe { "safe" } else { "unsafe" })
    });
    let request = Rc::new(Request {
        frame: frame(id, &wish),
        body: None,
        is_safe: wish.safe,
        route: wish.route + 1,
        is_websocket: false,
        is_health_check: wish.is_health_check,
    });
    let mut attempts = Attempts::new(request.is_safe);
    let patience = async {
        match wish.patience {
            Some(patience) => sleep(patience).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(patience);
    let outcome = loop {
        let exchange = Exchange::new(Rc::clone(&request), Path::new("/nowhere").into());
        let mut session = Session::new(Rc::clone(&exchange));
        world.apps()[wish.app].group.submit(Rc::clone(&exchange));
        let read = tokio::select! {
            biased;
            read = read(&world, id, &wish, &mut session) => read,
            () = &mut patience => Err(Outcome::Left),
        };
        let ending = match read {
            Ok(ending) => ending,
            Err(outcome) => {
                if outcome == Outcome::Left && exchange.place().is_none() {
                    world.ledger.withdrawn(id);
                }
                break outcome;
            }
        };
        if !attempts.goes_on(&ending) {
            break outcome_of(&ending);
        }
        match ending {
            Ending::Moved => world.ledger.moved(id),
            _ => world.ledger.repeated(id),
        }
    };
    world.ledger.close(id, outcome);
    world.check();
    outcome
}

/// Reads an answer; how it ended if there was none, and what came of it if there was.
async fn read(world: &World, id: usize, wish: &Wish, session: &mut Session) -> Result<Ending, Outcome> {
    let mut at = 0;
    let mut has_head = false;
    let mut take = |bytes: &[u8]| {
        let own = bytes.iter().enumerate().all(|(index, &found)| found == byte(id, at + index));
        world.trace.expect("everybody gets the own answer", own, || format!("request {id} at byte {at}"));
        at += bytes.len();
    };
    loop {
        match session.next().await {
            Event::Head { frame, payload } => {
                world.trace.expect("an answer has one head", !has_head, || format!("request {id}"));
                has_head = true;
                take(body(&frame, &payload));
            }
            Event::Chunk(Chunk::Memory(bytes)) => take(&bytes),
            Event::End(Ending::Complete) if has_head => return Err(Outcome::Answered),
            Event::End(_) if has_head => return Err(Outcome::Cut),
            Event::End(ending) => return Ok(ending),
            other => {
                world.trace.broken("an answer is what was sent", || format!("request {id}: {other:?}"));
                return Err(Outcome::Cut);
            }
        }
        if !wish.slowness.is_zero() {
            sleep(wish.slowness).await;
        }
    }
}

fn body<'a>(frame: &Header, payload: &'a [u8]) -> &'a [u8] {
    response::decode(frame, payload).expect("the worker answers well").body
}

fn frame(id: usize, wish: &Wish) -> Vec<u8> {
    let target = format!("/{id}/{}", wish.route);
    let upload = vec![b'x'; wish.upload];
    let line = RequestLine {
        protocol: Protocol::Http11,
        scheme: Scheme::Http,
        method: if wish.safe { b"GET" } else { b"POST" },
        target: target.as_bytes(),
        script_len: 0,
        peer: b"127.0.0.1",
        peer_port: 1,
        local_port: 80,
        body_len: upload.len() as u64,
    };
    let mut frame = Vec::new();
    request::encode(&mut frame, 0, false, &line, Body::Inline(&upload), |_| {}).expect("it is short");
    frame
}

fn outcome_of(ending: &Ending) -> Outcome {
    match ending {
        Ending::Complete => Outcome::Answered,
        Ending::Cancelled => Outcome::Cancelled,
        Ending::Lost { .. } => Outcome::Lost,
        Ending::QueueFull => Outcome::QueueFull,
        Ending::NotSpawned(_) => Outcome::NotSpawned,
        Ending::Closing => Outcome::Closing,
        Ending::WaitedTooLong => Outcome::WaitedTooLong,
        Ending::Overdue => Outcome::Overdue,
        Ending::Moved | Ending::Unbuffered(_) => Outcome::Cut,
    }
}
