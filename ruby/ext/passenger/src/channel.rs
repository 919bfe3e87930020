//! `Passenger::Native::Channel`: a slot's end of its data channel. One thread takes requests from it and answers them
//! (`answer.rs`).
//!
//! ```text
//!              next_request             start
//!     Ended ─────────────────▶ Nothing ───────▶ Begun
//!       ▲                      │  ▲ │           │  ▲ │
//!       │                      └──┘ │           └──┘ │
//!       │                     inform│          write │
//!       └───────────────────────────┴────────────────┘
//!        respond, write(last), file, upgrade, cancel: each sends the one frame with END
//! ```

use std::cell::{Cell, RefCell, RefMut};
use std::ops::Range;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use magnus::rb_sys::{AsRawValue, FromRawValue};
use magnus::{DataTypeFunctions, Error, RHash, RModule, Ruby, TypedData, Value, function, gc, method, prelude::*};
use nix::sys::socket::{self, Shutdown};
use passenger_native::connection::Connection;
use passenger_native::error::ProtocolError;
use passenger_native::frame::{self, END, Header, Kind, REPEATED};
use passenger_native::request::{self, Request};
use rb_sys::{NIL_P, Qnil, VALUE, rb_gc_mark};

use crate::cache::Cache;
use crate::names::names;
use crate::request::environment;
use crate::{error, fds, receiving};

/// How far the answer to the request at hand is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Begun,
    Ended,
}

/// What Ruby holds.
#[derive(TypedData)]
#[magnus(class = "Passenger::Native::Channel", free_immediately, mark)]
pub(crate) struct Channel {
    connection: RefCell<Option<Connection>>,
    /// For `shutdown`, which comes from another thread while `connection` is borrowed.
    fd: Cell<Option<RawFd>>,
    /// A hash: what all environments have in common.
    template: VALUE,
    /// The class of `rack.input` for a body that came in the frame.
    input: VALUE,
    cache: Cache,
    /// The file with the body of the request at hand, or nil.
    body: Cell<VALUE>,
    pub(crate) answer: Cell<Answer>,
    pub(crate) is_head: Cell<bool>,
    stream: Cell<u32>,
    taken_at: Cell<Instant>,
    /// Requests that the last read brought.
    batch: Cell<u32>,
}

impl DataTypeFunctions for Channel {
    fn mark(&self, _: &gc::Marker) {
        // SAFETY: called by the GC while it marks; all are values.
        unsafe {
            rb_gc_mark(self.template);
            rb_gc_mark(self.input);
            rb_gc_mark(self.body.get());
        }
        self.cache.mark();
    }
}

/// Defines the class.
pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Channel", ruby.class_object())?;
    class.define_singleton_method("new", function!(Channel::new, 3))?;
    class.define_method("next_request", method!(Channel::next_request, 0))?;
    class.define_method("begun?", method!(Channel::is_begun, 0))?;
    class.define_method("answered?", method!(Channel::is_answered, 0))?;
    class.define_method("shutdown", method!(Channel::shutdown, 0))?;
    class.define_method("close", method!(Channel::close, 0))?;
    Channel::define_answers(class)
}

// What Ruby calls.
impl Channel {
    /// `Channel.new(fd, template, input_class)`: takes charge of the descriptor.
    ///
    /// # Errors
    /// `IOError` if it is none.
    fn new(ruby: &Ruby, fd: RawFd, template: RHash, input: Value) -> Result<Self, Error> {
        let socket = fds::adopt(fd).map_err(|error| error::from_io(ruby, &error))?;
        Ok(Self {
            connection: RefCell::new(Some(Connection::new(socket))),
            fd: Cell::new(Some(fd)),
            template: template.as_raw(),
            input: input.as_raw(),
            cache: Cache::new(),
            body: Cell::new(Qnil as VALUE),
            answer: Cell::new(Answer::Ended),
            is_head: Cell::new(false),
            stream: Cell::new(0),
            taken_at: Cell::new(Instant::now()),
            batch: Cell::new(0),
        })
    }

    /// The environment of the next request, waiting for one; nil when the agent has closed the channel, or `shutdown`
    /// was called, and what had arrived is answered. A request that was left unanswered is given up.
    ///
    /// # Errors
    /// `Passenger::Disconnected`; `IOError` if the agent breaks the protocol.
    fn next_request(ruby: &Ruby, rb_self: &Self) -> Result<Option<Value>, Error> {
        let connection = &mut *rb_self.lock(ruby)?;
        if rb_self.answer.get() != Answer::Ended {
            rb_self.push_cancel(connection);
        }
        rb_self.close_body()?;
        loop {
            let next = connection.next_frame().map_err(|error| error::from_protocol(ruby, &error))?;
            let Some((header, payload)) = next else {
                if receiving::fill(ruby, connection, rb_self.batch.replace(0) > 1)? {
                    continue;
                }
                return Ok(None);
            };
            match header.kind {
                Kind::Request => {}
                // Late: the stream was answered.
                Kind::Cancel => continue,
                _ => return Err(error::from_protocol(ruby, &ProtocolError::Unexpected("frame kind"))),
            }
            rb_self.batch.set(rb_self.batch.get() + 1);
            rb_self.taken_at.set(Instant::now());
            rb_self.stream.set(header.stream);
            rb_self.answer.set(Answer::Nothing);
            if rb_self.is_cancelled(connection) {
                rb_self.push_cancel(connection);
                continue;
            }
            return rb_self.environment(ruby, connection, &header, payload).map(Some);
        }
    }

    /// Whether the head of the response was sent, or all of it.
    fn is_begun(&self) -> bool {
        self.answer.get() != Answer::Nothing
    }

    /// Whether the request at hand was answered, or there is none.
    fn is_answered(&self) -> bool {
        self.answer.get() == Answer::Ended
    }

    /// Makes `next_request` return nil when what has arrived is answered. For any thread and for signal handlers.
    fn shutdown(&self) {
        if let Some(fd) = self.fd.get() {
            let _ = socket::shutdown(fd, Shutdown::Read);
        }
    }

    /// Closes the descriptor. Nothing but `shutdown` and the questions may be called afterwards.
    fn close(ruby: &Ruby, rb_self: &Self) -> Result<(), Error> {
        let mut connection = rb_self.connection.try_borrow_mut().map_err(|_| busy(ruby))?;
        rb_self.fd.set(None);
        *connection = None;
        Ok(())
    }
}

// What answers are made with.
impl Channel {
    /// The connection, for this thread alone.
    pub(crate) fn lock(&self, ruby: &Ruby) -> Result<RefMut<'_, Connection>, Error> {
        let connection = self.connection.try_borrow_mut().map_err(|_| busy(ruby))?;
        let closed = |_| Error::new(ruby.exception_io_error(), "this channel is closed");
        RefMut::filter_map(connection, Option::as_mut).map_err(closed)
    }

    /// As `lock`, when the answer is as far as `answer`.
    pub(crate) fn lock_at(&self, ruby: &Ruby, answer: Answer) -> Result<RefMut<'_, Connection>, Error> {
        if self.answer.get() == answer {
            return self.lock(ruby);
        }
        let message = match self.answer.get() {
            Answer::Nothing => "the response has not begun",
            Answer::Begun => "the response has begun",
            Answer::Ended => "the request was answered",
        };
        Err(Error::new(ruby.exception_io_error(), message))
    }

    /// Whether the agent has said that the client of the request at hand is gone.
    pub(crate) fn is_cancelled(&self, connection: &Connection) -> bool {
        connection.buffered().any(|header| header.kind == Kind::Cancel && header.stream == self.stream.get())
    }

    /// How long the request at hand has been worked on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.taken_at.get().elapsed()
    }

    /// The header of a frame within the answer.
    pub(crate) fn header(&self, kind: Kind) -> Header {
        frame::header(kind, self.stream.get())
    }

    /// The header of the frame that ends the answer.
    pub(crate) fn end(&self, kind: Kind) -> Header {
        let value = u32::try_from(self.elapsed().as_micros()).unwrap_or(u32::MAX);
        Header { flags: END, value, ..self.header(kind) }
    }

    /// Gives the answer up.
    pub(crate) fn push_cancel(&self, connection: &mut Connection) {
        connection.output().extend_from_slice(&self.end(Kind::Cancel).encode());
        self.answer.set(Answer::Ended);
    }

    /// Gives the space of a large upload back at once instead of at some garbage collection.
    fn close_body(&self) -> Result<(), Error> {
        let file = self.body.replace(Qnil as VALUE);
        if NIL_P(file) {
            return Ok(());
        }
        // SAFETY: it is a File.
        unsafe { Value::from_raw(file) }.funcall::<_, _, Value>("close", ()).map(drop)
    }

    fn environment(
        &self,
        ruby: &Ruby,
        connection: &mut Connection,
        header: &Header,
        payload: Range<usize>,
    ) -> Result<Value, Error> {
        let broken = |error| error::from_protocol(ruby, &error);
        let input = match header.descriptors() {
            0 => self.input,
            _ => {
                let file = fds::open(ruby, connection.take_descriptor().map_err(broken)?)?.as_raw();
                self.body.set(file);
                file
            }
        };
        let request: Request<'_> = request::decode(header, connection.bytes(payload)).map_err(broken)?;
        self.is_head.set(request.line.method == b"HEAD");
        let repeated = header.flags & REPEATED != 0;
        let env = environment(names(ruby)?, self.template, &self.cache, repeated, &request, input)?;
        // SAFETY: it is a hash.
        Ok(unsafe { Value::from_raw(env) })
    }
}

fn busy(ruby: &Ruby) -> Error {
    Error::new(ruby.exception_thread_error(), "another thread is using this channel")
}
