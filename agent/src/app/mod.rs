//! What is run, and with what.

pub mod detect;
pub mod entry;
pub mod kind;
pub mod process;
pub mod runtime;
pub mod user;
