//! The vocabulary of Passenger's scenarios: an [`App`] is copied, a [`Server`] serves it, a [`Connection`] talks to it, a [`Process`] is
//! looked at or killed, a [`Status`] says what the pool does. The scenarios themselves are in `tests/`, a file a theme.
//!
//! A scenario waits for conditions ([`wait_until`]), never for time. Nothing it starts or writes outlives it: see [`guarded`].
//!
//! `PASSENGER_TEST_LANGUAGE=wsgi` or `asgi` runs those that are not about one language over applications in Python.
//!
//! `PASSENGER_UNDER_TEST=puma` or `passenger6` runs the scenarios against that server instead, to prove that what they expect is
//! what users are used to; those about Passenger itself skip themselves, and those over Python applications are not for them.

pub mod app;
pub mod client;
pub mod command;
pub mod guarded;
pub mod language;
pub mod launch;
pub mod processes;
pub mod pythons;
pub mod request;
pub mod response;
pub mod second_ruby;
pub mod server;
pub mod status;
pub mod under_test;
pub mod users;
pub mod websocket;

pub use app::App;
pub use client::Connection;
pub use language::Language;
pub use launch::Launch;
pub use processes::{Process, wait_for, wait_until};
pub use pythons::{Python, python_with_frameworks};
pub use request::Request;
pub use response::{Framing, Response};
pub use second_ruby::SecondRuby;
pub use server::Server;
pub use status::Status;
pub use under_test::UnderTest;
pub use websocket::WebSocket;

use std::time::Duration;

/// How long anything may take before the scenario fails. Generous, since it is only ever waited for in full by a failing scenario.
pub const PATIENCE: Duration = Duration::from_secs(30);
