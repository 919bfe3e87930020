//! Fuzzes every decoder with mutations of the examples in `docs/protocol.md`. Without a variable it does the same short
//! run each time. `FUZZ_SECONDS=600` goes on for that long, from another seed each time; a failure prints the seed of
//! its input, and `FUZZ_SEED=...` begins with it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[path = "support/decoders.rs"]
mod decoders;
#[path = "support/document.rs"]
mod document;

const SHORT_RUN: u64 = 20_000;

#[test]
fn no_input_confuses_a_decoder() {
    let corpus = corpus();
    let seconds: Option<u64> = number("FUZZ_SECONDS");
    let first = number("FUZZ_SEED").unwrap_or_else(|| seconds.map_or(1, |_| from_clock()));
    let started = Instant::now();
    let mut seed = first;
    while seconds.map_or(seed - first < SHORT_RUN, |limit| started.elapsed() < Duration::from_secs(limit)) {
        let input = mutate(&corpus, &mut Random(seed));
        let report = ReportOnPanic { seed, input: &input };
        decoders::all(report.input);
        seed = seed.wrapping_add(1);
    }
}

/// The frames, alone and several on end, and the control messages.
fn corpus() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = document::frames().into_iter().map(|(_, bytes)| bytes).collect();
    corpus.extend(document::refused().into_iter().map(|(_, bytes)| bytes));
    corpus.push(corpus.concat());
    let payloads: Vec<_> = corpus.iter().map(|frame| frame[16..].to_vec()).collect();
    corpus.extend(payloads);
    corpus.extend(document::messages().into_iter().map(String::into_bytes));
    corpus
}

fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.choice(corpus).clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below(bytes.len() - at + 1);
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.splice(at..end, []).for_each(drop),
            2 => bytes.extend_from_within(at..end),
            3 => bytes.splice(at..at, random.choice(corpus).iter().copied()).for_each(drop),
            4 => overwrite(&mut bytes, at, &[random.next() as u8]),
            5 => overwrite(&mut bytes, at, &random.length().to_le_bytes()[..1 << random.below(4)]),
            _ => {
                let flipped = bytes.get(at).map(|byte| byte ^ (1 << random.below(8)));
                overwrite(&mut bytes, at, flipped.as_slice());
            }
        }
    }
    bytes
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..].iter_mut().zip(with).for_each(|(byte, new)| *byte = *new);
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn choice<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A number near one at which a length changes its meaning.
    fn length(&mut self) -> u64 {
        let edge = *self.choice(&[0, 1, 16, 56, 0xff, 0xffff, 1 << 20, 1 << 31, 1 << 32, 1 << 63, u64::MAX]);
        edge.wrapping_add(self.next() % 5).wrapping_sub(2)
    }
}

/// Says how to get the failing input back.
struct ReportOnPanic<'a> {
    seed: u64,
    input: &'a [u8],
}

impl Drop for ReportOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with FUZZ_SEED={}; the input was {:02x?}", self.seed, self.input);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn from_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
}
