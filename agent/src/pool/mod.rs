//! The pool: which process serves which request, when processes start and stop.
//!
//! A group owns its workers, its queue and its spawner; a worker owns its slots; a slot holds the sessions that are in it.
//! Everything here lives on the agent's one thread, so state is in `Cell`s and no borrow outlives a call.

pub mod attempts;
pub mod capacity;
mod control;
pub mod exchange;
pub mod group;
mod inbox;
pub mod limits;
mod load;
mod promotion;
pub mod restart;
pub mod service_times;
pub mod session;
#[cfg(test)]
mod simulation;
pub mod slot;
pub mod snapshot;
pub mod turn;
pub mod worker;
