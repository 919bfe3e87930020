//! `Passenger::Native`: the channels between the agent and a Ruby process. Only what must be fast, or cannot be done
//! in Ruby without loading a library before the application's Bundler has been set up, is here; the rest of the gem is Ruby.

#![expect(missing_docs, reason = "the functions that `magnus::init` makes cannot be documented")]

mod abi;
mod answer;
mod cache;
mod channel;
mod control;
mod error;
mod fds;
mod gvl;
mod names;
mod receiving;
mod request;
mod response;
mod sending;

use magnus::{Error, Ruby, prelude::*};

/// Called by Ruby for `require "…/passenger_ruby.so"`.
#[magnus::init(name = "passenger_ruby")]
fn init(ruby: &Ruby) -> Result<(), Error> {
    abi::check(ruby)?;
    let passenger = ruby.define_module("Passenger")?;
    let native = passenger.define_module("Native")?;
    error::define(ruby, passenger)?;
    names::define(ruby)?;
    channel::define(ruby, native)?;
    control::define(ruby, native)
}

/// The same for the name under which cargo leaves the library, so that tests need no copy of it.
#[magnus::init(name = "libpassenger_ruby")]
fn init_unpackaged(ruby: &Ruby) -> Result<(), Error> {
    init(ruby)
}
