//! `Passenger::Native::Control`: the process's end of its control channel.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use magnus::{Error, IntoValue, RArray, RHash, RModule, Ruby, function, method, prelude::*};
use nix::sys::socket::{Shutdown, shutdown};
use passenger_native::control::{ControlSocket, FromProcess, PROTOCOL, ToProcess};

use crate::{error, fds, gvl};

#[magnus::wrap(class = "Passenger::Native::Control", free_immediately)]
struct Control {
    // Two descriptors for one channel, so that a thread may send while another waits for a message.
    receiver: RefCell<Option<ControlSocket>>,
    sender: RefCell<Option<ControlSocket>>,
}

/// Defines the class.
pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Control", ruby.class_object())?;
    native.const_set("PROTOCOL", PROTOCOL)?;
    class.define_singleton_method("new", function!(Control::new, 1))?;
    class.define_method("receive", method!(Control::receive, 0))?;
    class.define_method("hello", method!(Control::hello, 1))?;
    class.define_method("progress", method!(Control::progress, 1))?;
    class.define_method("spawned", method!(Control::spawned, 2))?;
    class.define_method("ready", method!(Control::ready, 1))?;
    class.define_method("failed", method!(Control::failed, 3))?;
    class.define_method("exited", method!(Control::exited, 3))?;
    class.define_method("leaving", method!(Control::leaving, 1))?;
    class.define_method("oob_work_done", method!(Control::oob_work_done, 1))?;
    class.define_method("shutdown", method!(Control::shutdown, 0))?;
    class.define_method("close", method!(Control::close, 0))
}

impl Control {
    /// `Control.new(fd)`: takes charge of the descriptor.
    ///
    /// # Errors
    /// `IOError` if it is none.
    fn new(ruby: &Ruby, fd: RawFd) -> Result<Self, Error> {
        let sockets = fds::adopt(fd).and_then(|socket| Ok((socket.try_clone()?, socket)));
        let (receiver, sender) = sockets.map_err(|error| error::from_io(ruby, &error))?;
        Ok(Self {
            receiver: RefCell::new(Some(ControlSocket::new(receiver))),
            sender: RefCell::new(Some(ControlSocket::new(sender))),
        })
    }

    /// `receive` → `[:load, {…}, fds]`, `[:spawn, {…}, fds]`, `[:oob_work, {}, []]`, `[:promote, {}, []]`, or nil when the agent has closed the channel. Waits. The
    /// descriptors are numbers that the caller has to take charge of.
    fn receive(ruby: &Ruby, rb_self: &Self) -> Result<Option<RArray>, Error> {
        let mut receiver = rb_self.receiver.try_borrow_mut().map_err(|_| busy(ruby))?;
        let Some(socket) = receiver.as_mut() else { return Ok(None) };
        loop {
            match gvl::without_gvl(|| socket.receive()) {
                Some(Ok(None)) => return Ok(None),
                Some(Ok(Some((message, descriptors)))) => return to_ruby(ruby, message, descriptors).map(Some),
                Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Some(Err(error)) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error::from_io(ruby, &error));
                }
                None | Some(Err(_)) => gvl::check_interrupts()?,
            }
        }
    }

    fn hello(ruby: &Ruby, rb_self: &Self, version: String) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::Hello { protocol: PROTOCOL, language: "ruby".into(), version })
    }

    fn progress(ruby: &Ruby, rb_self: &Self, step: String) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::Progress { step })
    }

    fn spawned(ruby: &Ruby, rb_self: &Self, ticket: u32, pid: i32) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::Spawned { ticket, pid })
    }

    fn ready(ruby: &Ruby, rb_self: &Self, pid: i32) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::Ready { pid, multiplexed: false })
    }

    fn failed(ruby: &Ruby, rb_self: &Self, step: String, reason: String, output: String) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::failed(&step, &reason, &output))
    }

    fn exited(ruby: &Ruby, rb_self: &Self, pid: i32, code: Option<i32>, signal: Option<i32>) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::Exited { pid, code, signal })
    }

    fn leaving(ruby: &Ruby, rb_self: &Self, pid: i32) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::Leaving { pid })
    }

    fn oob_work_done(ruby: &Ruby, rb_self: &Self, pid: i32) -> Result<(), Error> {
        rb_self.send(ruby, &FromProcess::OobWorkDone { pid })
    }

    /// Makes `receive` return nil, in another thread too.
    fn shutdown(&self) {
        if let Some(socket) = &*self.sender.borrow() {
            let _ = shutdown(socket.as_fd().as_raw_fd(), Shutdown::Read);
        }
    }

    fn close(ruby: &Ruby, rb_self: &Self) -> Result<(), Error> {
        *rb_self.receiver.try_borrow_mut().map_err(|_| busy(ruby))? = None;
        *rb_self.sender.borrow_mut() = None;
        Ok(())
    }

    fn send(&self, ruby: &Ruby, message: &FromProcess) -> Result<(), Error> {
        match &*self.sender.borrow() {
            Some(socket) => socket.send(message).map_err(|error| error::from_io(ruby, &error)),
            None => Err(Error::new(ruby.exception_io_error(), "the control channel is closed")),
        }
    }
}

fn to_ruby(ruby: &Ruby, message: ToProcess, descriptors: Vec<OwnedFd>) -> Result<RArray, Error> {
    let body = ruby.hash_new();
    let set = |hash: RHash, key: &str, value: magnus::Value| hash.aset(ruby.to_symbol(key), value);
    let name = match message {
        ToProcess::Load { protocol, app, slots } => {
            set(body, "protocol", protocol.into_value_with(ruby))?;
            set(body, "slots", slots.into_value_with(ruby))?;
            set(body, "root", app.root.into_value_with(ruby))?;
            set(body, "startup_file", app.startup_file.into_value_with(ruby))?;
            set(body, "environment", app.environment.into_value_with(ruby))?;
            set(body, "multithread", app.multithread.into_value_with(ruby))?;
            set(body, "show_errors", app.show_errors.into_value_with(ruby))?;
            "load"
        }
        ToProcess::Spawn { ticket, slots } => {
            set(body, "ticket", ticket.into_value_with(ruby))?;
            set(body, "slots", slots.into_value_with(ruby))?;
            "spawn"
        }
        ToProcess::OobWork => "oob_work",
        ToProcess::Promote => "promote",
    };
    let numbers = ruby.ary_from_iter(descriptors.into_iter().map(IntoRawFd::into_raw_fd));
    Ok(ruby.ary_new_from_values(&[ruby.to_symbol(name).as_value(), body.as_value(), numbers.as_value()]))
}

fn busy(ruby: &Ruby) -> Error {
    Error::new(ruby.exception_thread_error(), "another thread is waiting for a message on this channel")
}
