//! The admin socket: how commands talk to a running instance. One connection carries one request and its answer,
//! each one line of JSON.

pub mod api;
pub mod client;
pub mod server;
