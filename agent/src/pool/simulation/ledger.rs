//! What has become of each request, as clients and workers see it: never asked of the code under test.

use std::cell::RefCell;
use std::rc::Rc;

use super::trace::Trace;

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer to its request.
    Answered,
    /// A part of an answer.
    Cut,
    /// The worker gave up.
    Cancelled,
    /// The worker was lost.
    Lost,
    QueueFull,
    NotSpawned,
    Closing,
    WaitedTooLong,
    /// It took longer than a request may.
    Overdue,
    /// The client did not wait for the end.
    Left,
}

#[derive(Default)]
struct Entry {
    app: usize,
    safe: bool,
    /// The workers that have begun with it, and those that have answered it whole.
    begun: Vec<i32>,
    answered: Vec<i32>,
    /// How often it was sent elsewhere because it would have had to wait.
    moves: usize,
    /// It was given up while it was in the queue.
    withdrawn: bool,
    outcome: Option<Outcome>,
}

/// All requests of a world; a request's number is its place.
pub struct Ledger {
    entries: RefCell<Vec<Entry>>,
    trace: Rc<Trace>,
}

impl Ledger {
    pub fn new(trace: Rc<Trace>) -> Self {
        Self { entries: RefCell::default(), trace }
    }

    /// A new request; returns its number.
    pub fn open(&self, app: usize, safe: bool) -> usize {
        let mut entries = self.entries.borrow_mut();
        entries.push(Entry { app, safe, ..Entry::default() });
        entries.len() - 1
    }

    pub fn is_safe(&self, id: usize) -> bool {
        self.entries.borrow()[id].safe
    }

    /// A worker begins with a request.
    pub fn begun(&self, id: usize, app: usize, pid: i32) {
        let mut entries = self.entries.borrow_mut();
        let entry = &mut entries[id];
        entry.begun.push(pid);
        self.trace.note(|| format!("worker {pid} begins with request {id}"));
        let begun = || format!("request {id} was begun by {:?}", entry.begun);
        self.trace.expect("a request goes to its own app", entry.app == app, begun);
        // Where it was before it moved, the worker may not have seen that it has.
        let wanted = !entry.withdrawn || entry.moves > 0;
        self.trace.expect("what was given up in the queue is not served", wanted, begun);
        let most = if entry.safe { 3 + entry.moves } else { 1 };
        self.trace.expect("an unsafe request is begun once, a safe one thrice", entry.begun.len() <= most, begun);
        let late = matches!(entry.outcome, Some(outcome) if outcome != Outcome::Left);
        self.trace.expect("nothing is begun after its client was told", !late || entry.moves > 0, begun);
    }

    /// A worker has sent the whole answer.
    pub fn answered(&self, id: usize, pid: i32) {
        self.trace.note(|| format!("worker {pid} has answered request {id}"));
        self.entries.borrow_mut()[id].answered.push(pid);
    }

    /// It is sent elsewhere, as it would have had to wait.
    pub fn moved(&self, id: usize) {
        self.trace.note(|| format!("request {id} moves"));
        let mut entries = self.entries.borrow_mut();
        entries[id].moves += 1;
        self.trace.expect("only safe requests move", entries[id].safe, || format!("request {id}"));
    }

    /// A lost request is given to the pool again.
    pub fn repeated(&self, id: usize) {
        self.trace.note(|| format!("request {id} is tried again"));
    }

    /// Its client left while it waited.
    pub fn withdrawn(&self, id: usize) {
        self.entries.borrow_mut()[id].withdrawn = true;
    }

    /// Its client knows.
    pub fn close(&self, id: usize, outcome: Outcome) {
        self.trace.note(|| format!("request {id}: {outcome:?}"));
        let mut entries = self.entries.borrow_mut();
        let entry = &mut entries[id];
        let what = || format!("request {id}: {:?}, then {outcome:?}", entry.outcome);
        self.trace.expect("a client is told once", entry.outcome.is_none(), what);
        let whole = outcome != Outcome::Answered || !entry.answered.is_empty();
        self.trace.expect("an answer comes from a worker", whole, || format!("request {id}"));
        // Closing may mean that it was cut off.
        let is_refused = matches!(outcome, Outcome::QueueFull | Outcome::NotSpawned | Outcome::WaitedTooLong);
        let fits = entry.safe || !is_refused || entry.begun.is_empty();
        self.trace.expect("an unsafe request that is refused was not begun", fits, || format!("request {id}"));
        entry.outcome = Some(outcome);
    }

    /// Those whose clients still wait.
    pub fn open_ones(&self) -> Vec<usize> {
        let entries = self.entries.borrow();
        entries.iter().enumerate().filter(|(_, entry)| entry.outcome.is_none()).map(|(id, _)| id).collect()
    }
}

/// The byte of the answer to request `id` that is at `at`.
pub fn byte(id: usize, at: usize) -> u8 {
    (id.wrapping_mul(37).wrapping_add(at) % 251) as u8
}
