//! Passenger's agent: HTTP in, a pool of application processes behind it.
//!
//! Modules import downwards only: `sys ← buffer, app ← spawn ← pool ← proxy ← server ← watchdog ← cli`, with `http` beside `buffer`.
//! Everything but file I/O runs on one thread, so state is shared by `Rc` and held in `Cell`s by its one owner.

#![deny(unsafe_code)]

pub mod admin;
pub mod app;
pub mod buffer;
pub mod cli;
pub mod config;
pub mod http;
pub mod instance;
pub mod pid_file;
pub mod pool;
pub mod proxy;
pub mod server;
pub mod spawn;
#[allow(unsafe_code, reason = "the one module that talks to the kernel; each block says why it is sound")]
pub mod sys;
pub mod watchdog;
