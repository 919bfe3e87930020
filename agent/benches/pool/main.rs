//! What the pool costs a request, for 1 to 256 workers and 1 to 1000 groups: groups, workers, slots and sockets are real, the
//! processes are not ([`stage`]).
//!
//! `submit` is the way of a request to its slot alone, `turn` all the way to a worker and back: its system calls are the same
//! for any number of workers and groups, so that what the pool adds shows in the difference.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that can not go on should not")]

mod stage;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

use stage::{Kind, Stage};

/// Groups and workers in each.
const SIZES: [(usize, usize); 8] = [(1, 1), (1, 2), (1, 16), (1, 64), (1, 256), (10, 1), (100, 1), (1000, 1)];

/// Sends requests, one after the other, to all groups in turn. Half of the workers of each group have something to do meanwhile.
fn requests(stage: &Stage, kind: Kind, count: u64, only_submit: bool) -> Duration {
    stage.run(async {
        let mut spent = Duration::ZERO;
        for number in 0..count {
            let group = &stage.groups[number as usize % stage.groups.len()];
            let (exchange, session) = stage.request(kind);
            let started = Instant::now();
            group.submit(exchange);
            let submitted = started.elapsed();
            stage::answer(session).await;
            spent += if only_submit { submitted } else { started.elapsed() };
        }
        spent
    })
}

fn pool(criterion: &mut Criterion) {
    for (groups, workers) in SIZES {
        let stage = Stage::new(groups, workers);
        for (name, only_submit) in [("submit", true), ("turn", false)] {
            for (kind, label) in [(Kind::Short, "short"), (Kind::Unknown, "unknown")] {
                criterion.bench_function(&format!("{name}/{label}/{groups}x{workers}"), |bencher| {
                    bencher.iter_custom(|count| requests(&stage, kind, count, only_submit));
                });
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(20);
    targets = pool
}
criterion_main!(benches);
