//! What Passenger's agent, gem and wheel must agree on: the frames on the data channels, the messages on the control
//! channels, how descriptors travel, and the table of options. Nothing here knows an interpreter or an event loop.

pub mod connection;
pub mod control;
pub mod error;
pub mod fds;
pub mod frame;
pub mod headers;
pub mod options;
pub mod outbox;
pub mod request;
pub mod response;
