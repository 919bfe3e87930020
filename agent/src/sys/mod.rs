//! The kernel: the only module with `unsafe` and raw system calls.

pub mod available_memory;
pub mod descriptor;
pub mod file;
pub mod kin;
pub mod limits;
pub mod memory;
pub mod oom;
pub mod process;
pub mod socket;
pub mod user;
pub mod watch;
