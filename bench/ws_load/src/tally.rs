//! What was counted.

use std::time::Duration;

/// Why a client ended early. The discriminant is its place in [`Tally::failures`].
#[derive(Clone, Copy)]
pub enum Failure {
    /// No TCP connection.
    Connect,
    /// The handshake was refused.
    Status,
    Read,
    Write,
    /// An answer that is not what was sent.
    Echo,
    Timeout,
}

const FAILURES: [(&str, Failure); 6] = [
    ("connect", Failure::Connect),
    ("status", Failure::Status),
    ("read", Failure::Read),
    ("write", Failure::Write),
    ("echo", Failure::Echo),
    ("timeout", Failure::Timeout),
];

#[derive(Default)]
pub struct Tally {
    /// Time from a message to its echo, in microseconds.
    latencies: Vec<u32>,
    bytes: usize,
    failures: [usize; FAILURES.len()],
}

impl Tally {
    /// How many messages came back.
    pub fn echoes(&self) -> usize {
        self.latencies.len()
    }

    pub fn echoed(&mut self, bytes: usize, latency: Duration) {
        self.latencies.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        self.bytes += bytes;
    }

    pub fn failed(&mut self, failure: Failure) {
        self.failures[failure as usize] += 1;
    }

    pub fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.bytes += other.bytes;
        for (sum, count) in self.failures.iter_mut().zip(other.failures) {
            *sum += count;
        }
    }

    /// One line of JSON; messages are called requests there, as in the figures of HTTP load.
    pub fn into_json(mut self, duration: Duration) -> String {
        self.latencies.sort_unstable();
        let failures: String = FAILURES
            .iter()
            .map(|(name, failure)| format!(r#","{name}":{}"#, self.failures[*failure as usize]))
            .collect();
        format!(
            r#"{{"requests":{},"bytes":{},"microseconds":{},"p50":{},"p99":{}{failures}}}"#,
            self.latencies.len(),
            self.bytes,
            duration.as_micros(),
            self.percentile(50),
            self.percentile(99),
        )
    }

    /// Of sorted latencies; 0 when there are none.
    fn percentile(&self, percent: usize) -> u32 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or(0)
    }
}
