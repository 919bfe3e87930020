//! What happened in a world, in order, and the first thing that must not happen.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;
use tokio::time::Instant;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    pub what: String,
}

/// The record of a world.
pub struct Trace {
    began: Instant,
    /// Nobody reads it otherwise.
    is_kept: bool,
    lines: RefCell<Vec<String>>,
    violation: RefCell<Option<Violation>>,
    pub violated: Notify,
    /// How much has happened.
    pub events: Cell<u64>,
}

impl Trace {
    pub fn new(is_kept: bool) -> Self {
        Self {
            began: Instant::now(),
            is_kept,
            lines: RefCell::default(),
            violation: RefCell::default(),
            violated: Notify::new(),
            events: Cell::new(0),
        }
    }

    /// Notes what happens.
    pub fn note(&self, what: impl FnOnce() -> String) {
        self.events.set(self.events.get() + 1);
        if self.is_kept {
            let at = self.began.elapsed().as_millis();
            let line = format!("{:>5}.{:03} {}", at / 1000, at % 1000, what());
            self.lines.borrow_mut().push(line);
        }
    }

    /// Notes that a rule is broken. The first time counts, as the others may follow from it.
    pub fn broken(&self, rule: &'static str, what: impl FnOnce() -> String) {
        if self.violation.borrow().is_some() {
            return;
        }
        let what = what();
        self.note(|| format!("BROKEN: {rule}: {what}"));
        *self.violation.borrow_mut() = Some(Violation { rule, what });
        self.violated.notify_one();
    }

    pub fn expect(&self, rule: &'static str, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken(rule, what);
        }
    }

    pub fn violation(&self) -> Option<Violation> {
        self.violation.borrow().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }
}
