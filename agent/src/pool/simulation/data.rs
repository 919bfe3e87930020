//! A worker's end of a data channel.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;

use nix::sys::socket::Shutdown;
use passenger_native::connection::Connection;
use passenger_native::frame::{self, END, Header, Kind};
use passenger_native::request;
use passenger_native::response::ResponseWriter;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ledger::byte;
use crate::sys;

/// A request as a worker finds it on its channel.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub stream: u32,
    /// Which request of the world it is, and what it asks for.
    pub id: usize,
    pub route: u32,
}

pub enum Frame {
    Request(Asked),
    Cancel(u32),
    Window(u32, u32),
}

pub struct Data {
    connection: RefCell<Connection>,
    readiness: AsyncFd<OwnedFd>,
    /// Nothing more can come.
    pub ended: Cell<bool>,
}

impl Data {
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let readiness = sys::watch::register(socket.try_clone()?, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { connection: RefCell::new(Connection::new(socket)), readiness, ended: Cell::new(false) })
    }

    /// Waits for more to read; false when there is no more.
    pub async fn receive(&self) -> bool {
        loop {
            let received = self.connection.borrow_mut().receive(false);
            match received {
                Ok(1..) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => {
                    self.ended.set(true);
                    return false;
                }
            }
            match self.readiness.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return false,
            }
        }
    }

    /// Sends what has been written; false when nobody takes it.
    pub async fn flush(&self) -> bool {
        loop {
            let flushed = self.connection.borrow_mut().flush(&[], false);
            match flushed {
                Ok(flushed) if flushed.all => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
            match self.readiness.writable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return false,
            }
        }
    }

    /// The next frame that is there; anything that should not be there ends the channel's use.
    pub fn next(&self) -> Option<Frame> {
        let mut connection = self.connection.borrow_mut();
        let (header, payload) = connection.next_frame().expect("the agent sends frames")?;
        let frame = match header.kind {
            Kind::Request => Frame::Request(asked(&header, connection.bytes(payload))),
            Kind::Cancel => Frame::Cancel(header.stream),
            Kind::Window => Frame::Window(header.stream, header.value),
            other => panic!("the agent sent {other:?}"),
        };
        Some(frame)
    }

    /// The frames that have been received and not been looked at.
    pub fn buffered(&self) -> Vec<Header> {
        self.connection.borrow().buffered().collect()
    }

    pub fn stop_reading(&self) {
        sys::socket::shut_down(&self.readiness, Shutdown::Read);
    }

    /// Writes the head of an answer to a request and the first bytes of its body. With `micros` that is all.
    pub fn answer(&self, asked: Asked, body: usize, micros: Option<u32>) {
        let header = Header { aux: 200, ..last(Kind::Response, asked.stream, micros) };
        let body: Vec<u8> = (0..body).map(|at| byte(asked.id, at)).collect();
        let mut connection = self.connection.borrow_mut();
        ResponseWriter::new(connection.output()).finish(header, &body).expect("it is short");
    }

    /// Writes more of the body, which has got as far as `from`.
    pub fn more(&self, asked: Asked, from: usize, length: usize, micros: Option<u32>) {
        let body: Vec<u8> = (from..from + length).map(|at| byte(asked.id, at)).collect();
        self.push(last(Kind::Data, asked.stream, micros), &body);
    }

    /// Writes that this is given up.
    pub fn cancel(&self, stream: u32) {
        self.push(last(Kind::Cancel, stream, Some(1)), &[]);
    }

    /// Gives credit for what came on a stream.
    pub fn push(&self, header: Header, payload: &[u8]) {
        frame::push(self.connection.borrow_mut().output(), header, payload).expect("it is short");
    }
}

fn last(kind: Kind, stream: u32, micros: Option<u32>) -> Header {
    Header { flags: if micros.is_some() { END } else { 0 }, value: micros.unwrap_or(0), ..frame::header(kind, stream) }
}

/// The target of a request is `/id/route`.
fn asked(header: &Header, payload: &[u8]) -> Asked {
    let request = request::decode(header, payload).expect("the agent sends requests as they are");
    let target = std::str::from_utf8(request.line.target).expect("it is ASCII");
    let mut parts = target.trim_start_matches('/').split('/').map(|part| part.parse().expect("it is a number"));
    let (id, route) = (parts.next().expect("it has an id"), parts.next().expect("it has a route"));
    Asked { stream: header.stream, id: id as usize, route }
}
