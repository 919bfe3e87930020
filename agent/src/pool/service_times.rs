//! How long the application takes for what it is asked, by method and path: short ones may be queued ahead.

use std::hash::{BuildHasher, RandomState};

/// Requests that take longer are never queued ahead of others or behind them, in microseconds.
const SHORT: u32 = 500;
const ENTRIES: usize = 1024;

/// A method and path without its query, as a number.
pub type Route = u32;

#[derive(Clone, Copy, Default)]
struct Entry {
    route: Route,
    micros: u32,
}

/// A bounded table, made with the first entry; routes that share a place replace each other.
pub struct ServiceTimes {
    entries: Vec<Entry>,
    hasher: RandomState,
}

impl ServiceTimes {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self { entries: Vec::new(), hasher: RandomState::new() }
    }

    /// The route of a request. Two may share a number by chance, which only makes a time less exact.
    #[must_use]
    pub fn route(&self, method: &str, target: &str) -> Route {
        let path = target.split('?').next().unwrap_or(target);
        (self.hasher.hash_one((method, path)) as Route).max(1)
    }

    /// Notes that a request took `micros`. A longer time counts at once, shorter ones gradually: what was slow a moment
    /// ago is not trusted yet.
    pub fn record(&mut self, route: Route, micros: u32) {
        self.entries.resize(ENTRIES, Entry::default());
        let entry = &mut self.entries[route as usize % ENTRIES];
        if entry.route != route {
            *entry = Entry { route, micros };
        } else if micros >= entry.micros {
            entry.micros = micros;
        } else {
            entry.micros -= (entry.micros - micros).div_ceil(4);
        }
    }

    /// How long a request will probably take in microseconds, if it is known to be short.
    #[must_use]
    pub fn short(&self, route: Route) -> Option<u32> {
        let entry = self.entries.get(route as usize % ENTRIES)?;
        (entry.route == route && entry.micros < SHORT).then_some(entry.micros)
    }
}

impl Default for ServiceTimes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_to_be_short_is_short() {
        let mut times = ServiceTimes::new();
        let (fast, slow) = (times.route("GET", "/fast?x=1"), times.route("GET", "/slow"));
        assert_eq!(fast, times.route("GET", "/fast?x=2"), "the query does not count");
        assert_eq!(times.short(fast), None, "unknown");
        times.record(fast, 40);
        times.record(slow, 40);
        assert_eq!(times.short(fast), Some(40));
        times.record(slow, 900_000);
        assert_eq!(times.short(slow), None, "once slow");
        for _ in 0..40 {
            times.record(slow, 40);
        }
        assert!(times.short(slow).is_some(), "trusted again after a while");
    }
}
