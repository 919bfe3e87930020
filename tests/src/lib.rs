//! The vocabulary of Passenger's scenarios: an [`App`] is copied, a [`Server`] serves it, a [`Connection`] talks to it, a [`Process`] is
//! looked at or killed, a [`Status`] says what the pool does. The scenarios themselves are in `tests/`, a file a theme.
//!
//! A scenario waits for conditions ([`wait_until`]), never for time. Nothing it starts or writes outlives it: see [`guarded`].
//!
//! `PASSENGER_UNDER_TEST=puma` or `passenger6` runs the scenarios against that server instead, to prove that what they expect is
//! what users are used to; those about Passenger itself skip themselves.

pub mod app;
pub mod client;
pub mod command;
pub mod guarded;
pub mod launch;
pub mod processes;
pub mod request;
pub mod response;
pub mod second_ruby;
pub mod server;
pub mod status;
pub mod under_test;

pub use app::App;
pub use client::Connection;
pub use launch::Launch;
pub use processes::{Process, wait_for, wait_until};
pub use request::Request;
pub use response::{Framing, Response};
pub use second_ruby::SecondRuby;
pub use server::Server;
pub use status::Status;
pub use under_test::UnderTest;

use std::time::Duration;

/// How long anything may take before the scenario fails. Generous, since it is only ever waited for in full by a failing scenario.
pub const PATIENCE: Duration = Duration::from_secs(30);
