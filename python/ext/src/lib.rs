//! `passenger._native`: the channels between the agent and a Python process. Only what must be fast is here, or has to
//! be written in one way for both languages; the rest of the package is Python.
//!
//! One file serves every CPython from 3.9 on (the stable ABI).

mod answer;
mod asgi;
mod body;
mod cache;
mod callables;
mod channel;
mod control;
mod error;
mod exchange;
mod fastcall;
mod fds;
mod gil;
mod names;
mod receiving;
mod request;
mod response;
mod sending;
mod server;
mod strings;

use pyo3::prelude::*;

/// The native half of the package `passenger`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::asgi::Channel as AsgiChannel;
    #[pymodule_export]
    use crate::asgi::Stream as AsgiStream;
    #[pymodule_export]
    use crate::channel::Channel;
    #[pymodule_export]
    use crate::control::Control;
    #[pymodule_export]
    use crate::error::Disconnected;
    /// The version of the protocol that is spoken with the agent.
    #[pymodule_export]
    const PROTOCOL: u32 = passenger_native::control::PROTOCOL;
}
