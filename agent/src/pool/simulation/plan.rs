//! What a worker does with one request.

use std::time::Duration;

use super::process::Version;
use super::world::World;

/// Something that goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    DiesBefore,
    DiesAmid,
    /// It dies after the answer, which may still be in its buffer.
    DiesAfter,
    GivesUp,
    GivesUpAmid,
    Hangs,
}

pub struct Plan {
    /// How long it takes to the answer's head; zero for less than a millisecond.
    pub service: Duration,
    /// What it is measured to take in that case.
    pub micros: u32,
    /// The body: what comes with the head, then the rest.
    pub body: Vec<usize>,
    pub pause: Duration,
    pub fault: Fault,
}

impl Plan {
    pub fn new(world: &World, version: &Version, route: u32) -> Self {
        let chance = &world.chance;
        let service = match route % 4 {
            0 => 0..1,
            1 if chance.one_in(6) => 5..90,
            1 => 0..1,
            2 => 1..40,
            _ if world.troubled.get() && chance.one_in(6) => 200..6000,
            _ => 40..300,
        };
        let pieces = if chance.one_in(5) { chance.size(1..4) } else { 0 };
        let largest = if chance.one_in(20) { 150_000 } else { 300 };
        let body = (0..=pieces).map(|_| chance.size(0..largest)).collect();
        let fault = if world.troubled.get() && chance.one_in(version.trouble) {
            [Fault::DiesBefore, Fault::DiesAmid, Fault::DiesAfter, Fault::GivesUp, Fault::GivesUpAmid, Fault::Hangs]
                [chance.size(0..6)]
        } else {
            Fault::None
        };
        Self {
            service: chance.millis(service),
            micros: chance.within(1..450) as u32,
            body,
            pause: chance.millis(0..if chance.one_in(4) { 20 } else { 1 }),
            fault,
        }
    }

    /// The service time as a worker measures it.
    pub fn measured(&self, elapsed: Duration) -> u32 {
        (elapsed.as_micros() as u32).max(self.micros)
    }
}
