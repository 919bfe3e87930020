//! The methods of `Passenger::Native::Channel` with which a request is answered. Whatever they raise, they leave whole
//! frames in the output, and say in `answer` what was written.

use std::time::Duration;

use magnus::rb_sys::AsRawValue;
use magnus::{Error, Integer, RArray, RClass, RHash, RString, Ruby, Value, method, prelude::*};
use passenger_native::connection::Connection;
use passenger_native::frame::{self, Header, Kind, UPGRADE};
use passenger_native::response::FileRange;

use crate::channel::{Answer, Channel};
use crate::response::{self, Framing, Head, bytes, elements, is_bodiless};
use crate::{error, fds, receiving, sending};

/// An answer that took less waits for the next one, if that request is already here…
const QUICK: Duration = Duration::from_micros(50);
/// …and fewer bytes than this wait.
const COALESCED: usize = 64 * 1024;

impl Channel {
    pub(crate) fn define_answers(class: RClass) -> Result<(), Error> {
        class.define_method("respond", method!(Channel::respond, 3))?;
        class.define_method("bodiless?", method!(Channel::bodiless, 1))?;
        class.define_method("start", method!(Channel::start, 3))?;
        class.define_method("start_upgrade", method!(Channel::start_upgrade, 2))?;
        class.define_method("write", method!(Channel::write, 2))?;
        class.define_method("file", method!(Channel::file, 2))?;
        class.define_method("inform", method!(Channel::inform, 2))?;
        class.define_method("upgrade", method!(Channel::upgrade, 1))?;
        class.define_method("cancel", method!(Channel::cancel, 0))?;
        class.define_method("flush", method!(Channel::flush, 0))
    }

    /// `respond(status, headers, body)` sends a whole response. Returns false, having done nothing, unless the status is
    /// an Integer, the headers a Hash of strings or arrays of strings, and the body an Array of strings.
    ///
    /// # Errors
    /// `Passenger::InvalidResponse`, nothing being sent; `Passenger::Disconnected`.
    fn respond(ruby: &Ruby, rb_self: &Self, status: Value, headers: Value, body: Value) -> Result<bool, Error> {
        let kinds = (Integer::from_value(status), RHash::from_value(headers), RArray::from_value(body));
        let (Some(status), Some(headers), Some(body)) = kinds else { return Ok(false) };
        let status = response::check_status(ruby, status.to_i64()?, false)?;
        let connection = &mut *rb_self.lock_at(ruby, Answer::Nothing)?;
        let Some(head) = Head::write(ruby, connection.output(), headers)? else { return Ok(false) };
        let header = Header { aux: status, ..rb_self.end(Kind::Response) };
        if rb_self.is_head.get() || is_bodiless(status) {
            head.finish(ruby, header)?;
            rb_self.answer.set(Answer::Ended);
            rb_self.flush_unless_quick(ruby, connection)?;
            return Ok(true);
        }
        // SAFETY: Ruby does not run before the slice was used for the last time.
        let parts = unsafe { elements(body.as_raw()) };
        match (head.finish_ahead(ruby, header, parts)?, parts) {
            (None, _) => return Ok(false),
            (Some(Framing::Own), _) => {
                rb_self.answer.set(Answer::Begun);
                rb_self.write_all(ruby, connection, body)?;
            }
            // SAFETY: `finish_ahead` saw that all parts are strings.
            (Some(Framing::One), &[part]) if unsafe { bytes(part) }.len() >= sending::LARGE => {
                rb_self.answer.set(Answer::Ended);
                sending::flush_with(ruby, connection, part)?;
            }
            (Some(Framing::One), parts) => {
                rb_self.answer.set(Answer::Ended);
                for &part in parts {
                    // SAFETY: as above.
                    connection.output().extend_from_slice(unsafe { bytes(part) });
                }
                rb_self.flush_unless_quick(ruby, connection)?;
            }
        }
        Ok(true)
    }

    /// Whether a response with this status to the request at hand has no body.
    fn bodiless(&self, status: i64) -> bool {
        self.is_head.get() || u16::try_from(status).is_ok_and(is_bodiless)
    }

    /// `start(status, headers, last)` begins a response: with its head, which is all of it if `last`. It is held back
    /// until the next call, unless `last`.
    ///
    /// # Errors
    /// `Passenger::InvalidResponse`, also for names and values that `respond` would not take.
    fn start(ruby: &Ruby, rb_self: &Self, status: i64, headers: RHash, last: bool) -> Result<(), Error> {
        let status = response::check_status(ruby, status, false)?;
        let connection = &mut *rb_self.lock_at(ruby, Answer::Nothing)?;
        let head = write_plain(ruby, connection, headers)?;
        let header = if last { rb_self.end(Kind::Response) } else { rb_self.header(Kind::Response) };
        head.finish(ruby, Header { aux: status, ..header })?;
        rb_self.answer.set(if last { Answer::Ended } else { Answer::Begun });
        if last { sending::flush(ruby, connection) } else { Ok(()) }
    }

    /// `start_upgrade(status, headers)` begins a response whose rest the application writes itself, after `upgrade`; until
    /// then it is held back.
    ///
    /// # Errors
    /// As `start`; but 101 is a status, too.
    fn start_upgrade(ruby: &Ruby, rb_self: &Self, status: i64, headers: RHash) -> Result<(), Error> {
        let status = response::check_status(ruby, status, true)?;
        let connection = &mut *rb_self.lock_at(ruby, Answer::Nothing)?;
        let head = write_plain(ruby, connection, headers)?;
        head.finish(ruby, Header { aux: status, flags: UPGRADE, ..rb_self.header(Kind::Response) })?;
        rb_self.answer.set(Answer::Begun);
        Ok(())
    }

    /// `write(string, last)` sends a part of the body, at once. Returns false, having sent nothing, if the client is
    /// gone and this is not the last part: the answer should be given up.
    fn write(ruby: &Ruby, rb_self: &Self, part: RString, last: bool) -> Result<bool, Error> {
        let connection = &mut *rb_self.lock_at(ruby, Answer::Begun)?;
        if last {
            let header = rb_self.end(Kind::Data);
            rb_self.answer.set(Answer::Ended);
            sending::send_data(ruby, connection, part.as_raw(), header)?;
            return Ok(true);
        }
        receiving::look(ruby, connection)?;
        if rb_self.is_cancelled(connection) {
            return Ok(false);
        }
        if !part.is_empty() {
            sending::send_data(ruby, connection, part.as_raw(), rb_self.header(Kind::Data))?;
        }
        Ok(true)
    }

    /// `file(io, length)`, after `start`: the body is the first `length` bytes of a file.
    fn file(ruby: &Ruby, rb_self: &Self, io: Value, length: u64) -> Result<(), Error> {
        let file = fds::duplicate(ruby, io)?;
        let connection = &mut *rb_self.lock_at(ruby, Answer::Begun)?;
        connection.attach(file);
        let header = Header { aux: 1, ..rb_self.end(Kind::File) };
        let range = FileRange { offset: 0, length }.encode();
        frame::push(connection.output(), header, &range).map_err(|error| error::from_protocol(ruby, &error))?;
        rb_self.answer.set(Answer::Ended);
        sending::flush(ruby, connection)
    }

    /// `inform(status, headers)` sends an interim response (102 to 199), at once; nothing once the response has begun.
    fn inform(ruby: &Ruby, rb_self: &Self, status: u16, headers: RHash) -> Result<(), Error> {
        if rb_self.answer.get() != Answer::Nothing {
            return Ok(());
        }
        if !(102..200).contains(&status) {
            return Err(error::invalid_response(ruby, format!("{status} is no status for an interim response")));
        }
        let connection = &mut *rb_self.lock(ruby)?;
        let head = write_plain(ruby, connection, headers)?;
        head.finish(ruby, Header { aux: status, ..rb_self.header(Kind::Informational) })?;
        sending::flush(ruby, connection)
    }

    /// `upgrade(socket)` connects the client with the other end of this socket pair, after the head if one was written.
    fn upgrade(ruby: &Ruby, rb_self: &Self, socket: Value) -> Result<(), Error> {
        let socket = fds::duplicate(ruby, socket)?;
        let begun = if rb_self.answer.get() == Answer::Begun { Answer::Begun } else { Answer::Nothing };
        let connection = &mut *rb_self.lock_at(ruby, begun)?;
        connection.attach(socket);
        let header = Header { aux: 1, ..rb_self.end(Kind::Upgrade) };
        connection.output().extend_from_slice(&header.encode());
        rb_self.answer.set(Answer::Ended);
        sending::flush(ruby, connection)
    }

    /// Gives an unfinished answer up: the agent sends an error, or cuts the client's connection if the response began.
    fn cancel(ruby: &Ruby, rb_self: &Self) -> Result<(), Error> {
        if rb_self.answer.get() == Answer::Ended {
            return Ok(());
        }
        let connection = &mut *rb_self.lock(ruby)?;
        rb_self.push_cancel(connection);
        sending::flush(ruby, connection)
    }

    /// Sends what was held back.
    fn flush(ruby: &Ruby, rb_self: &Self) -> Result<(), Error> {
        sending::flush(ruby, &mut *rb_self.lock(ruby)?)
    }

    fn flush_unless_quick(&self, ruby: &Ruby, connection: &mut Connection) -> Result<(), Error> {
        let next_is_here = || matches!(connection.peek(), Ok(Some(_)));
        if connection.pending() < COALESCED && next_is_here() && self.elapsed() < QUICK {
            return Ok(());
        }
        sending::flush(ruby, connection)
    }

    /// Sends the parts of a body in frames of their own. Another thread may change the array meanwhile.
    fn write_all(&self, ruby: &Ruby, connection: &mut Connection, body: RArray) -> Result<(), Error> {
        let mut at = 0;
        while at < body.len() {
            let part: RString = body.entry(at as isize)?;
            at += 1;
            if !part.is_empty() {
                sending::send_data(ruby, connection, part.as_raw(), self.header(Kind::Data))?;
            }
        }
        self.answer.set(Answer::Ended);
        connection.output().extend_from_slice(&self.end(Kind::Data).encode());
        sending::flush(ruby, connection)
    }
}

fn write_plain<'a>(ruby: &Ruby, connection: &'a mut Connection, headers: RHash) -> Result<Head<'a>, Error> {
    let odd = || error::invalid_response(ruby, "headers must be strings, or arrays of strings".into());
    Head::write(ruby, connection.output(), headers)?.ok_or_else(odd)
}
