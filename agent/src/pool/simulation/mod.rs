//! A deterministic simulation of the pool: the real groups, workers, slots, spawners and preloaders, under processes, clients
//! and accidents that are not, in a time that passes only when nobody has anything to do.
//!
//! ```text
//!   storm ──▶ client ──submit──▶ Group … Slot ──real socket──▶ ordered | multiplexed ◀── plan: what goes wrong
//!     │                            │                                │
//!     └── restarts, kills          └─ Spawner ─ System ─▶ machine ──▶ process, life: loads, forks, serves, dies
//!                                                                   │
//!   invariants look at all groups at every step ◀──── ledger: what clients and workers saw of each request
//! ```
//! A seed decides everything that happens ([`chance`]). A world that breaks a rule is lived through a second time with a
//! trace of its events, which is the same each time.
//!
//! `PASSENGER_SIMULATION_SEEDS=100000` sets how many worlds there are, `PASSENGER_SIMULATION_SEED=4711` chooses one and
//! prints its trace.
//!
//! It can fail. These mistakes were made on purpose, one at a time, and each was found within a second:
//!
//! | mistake | rule that broke |
//! |---|---|
//! | a permit is not given back | who waits gets a worker |
//! | requests whose client has left stay in the queue | what was given up in the queue is not served |
//! | a lost request counts as not begun | an unsafe request is begun once, a safe one thrice |
//! | an answer does not let the next request in | no request waits while a slot is free |
//! | a worker that starts during a close is kept | a closed group gets empty |
//! | a request that moved is not given to the pool again | nothing is begun after its client was told |
//!
//! Not in it: files and blocking threads, WebSockets, re-forking, `max_request_time`, `memory_limit`, sticky sessions, and a
//! forked worker that hangs after its preloader died before telling of it, which nobody would end.

mod chance;
mod client;
mod control;
mod course;
mod crew;
mod data;
mod invariants;
mod ledger;
mod life;
mod machine;
mod multiplexed;
mod ordered;
mod plan;
mod process;
mod storm;
mod trace;
mod world;

use std::cell::Cell;
use std::env;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tokio::task::LocalSet;

use trace::Violation;
use world::World;

/// How many worlds there are if nobody says otherwise.
const SEEDS: u64 = 2000;

thread_local! {
    /// Something has panicked, be it in a task whose end nobody asks for.
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Has panics noted from now on, in whatever thread.
fn note_panics() {
    static NOTED: Once = Once::new();
    NOTED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.set(true);
            before(info);
        }));
    });
}

/// Lives through the world of a seed; returns its trace, if that is wanted, and the rule that was broken.
fn live(seed: u64, keep_trace: bool) -> (Vec<String>, Option<Violation>) {
    note_panics();
    PANICKED.set(false);
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let set = LocalSet::new();
    let trace = set.block_on(&event_loop, async {
        let world = World::new(seed, keep_trace);
        course::run(&world).await;
        world.clear();
        std::rc::Rc::clone(&world.trace)
    });
    (trace.lines(), trace.violation())
}

fn seeds() -> Option<u64> {
    env::var("PASSENGER_SIMULATION_SEEDS").ok()?.parse().ok()
}

#[test]
fn the_pool_holds_its_invariants() {
    if let Some(seed) = env::var("PASSENGER_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let (lines, violation) = live(seed, true);
        println!("{}", lines.join("\n"));
        assert_eq!(violation, None);
        return;
    }
    let (next, failed) = (AtomicU64::new(1), AtomicBool::new(false));
    let last = seeds().unwrap_or(SEEDS);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > last || failed.load(Ordering::Relaxed) {
                return;
            }
            let found = live(seed, false).1;
            if let Some(violation) = found {
                failed.store(true, Ordering::Relaxed);
                let (lines, again) = live(seed, true);
                let same = if again.as_ref() == Some(&violation) { "" } else { "\n(not so the second time!)" };
                panic!(
                    "seed {seed}:\n{}\n\n{}: {}{same}\nAgain: PASSENGER_SIMULATION_SEED={seed} cargo test -p passenger-agent simulation",
                    lines.join("\n"),
                    violation.rule,
                    violation.what
                );
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
}

#[test]
fn a_seed_decides_everything() {
    for seed in 1..30 {
        let (first, second) = (live(seed, true).0, live(seed, true).0);
        if let Some((line, (one, other))) = first.iter().zip(&second).enumerate().find(|(_, (one, other))| one != other)
        {
            panic!("seed {seed}, line {line}:\n{one}\n{other}");
        }
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}
