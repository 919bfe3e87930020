//! What is run, and with what.

pub mod detect;
pub mod runtime;
