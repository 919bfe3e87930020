//! A worker that has had its time is replaced: another is ready before it leaves, so that nobody waits for a start.
//!
//! ```text
//!              due                                  ready
//!   serving ────────▶ its successor is being started ─────▶ leaving
//!      ▲                    │           │ it leaves early: its successor is one worker more that is coming
//!      └──failed, until due─┘           ▼
//! ```
//! One at a time: meanwhile the group has one worker more than it may have, and not as many as are due together.

use std::rc::Rc;

use super::failure::Failure;
use super::{Group, State};
use crate::pool::capacity::Permit;
use crate::pool::worker::Worker;

impl Group {
    /// Starts the successor of a worker that serves, if that is possible now; returns whether it is.
    pub(super) fn replace(&self, worker: &Rc<Worker>) -> bool {
        let mut state = self.state.borrow_mut();
        let is_impossible = state.closing || state.replaced.is_some() || !state.may_start();
        if is_impossible || !worker.is_serving() || state.failure.as_ref().is_some_and(Failure::holds) {
            return false;
        }
        state.replaced = Some(Rc::clone(worker));
        drop(state);
        let worker = Rc::clone(worker);
        self.in_background(async move |group| {
            let permit = group.capacity.extra().await;
            group.start_successor(worker, permit).await;
        });
        true
    }

    /// Has a worker leave that must not serve any longer, and starts its successor meanwhile.
    pub(super) fn replace_now(&self, worker: &Rc<Worker>) {
        if !worker.is_serving() {
            return;
        }
        self.retire(worker);
        let mut state = self.state.borrow_mut();
        if state.closing || !state.may_start() {
            return;
        }
        state.spawning += 1;
        drop(state);
        let worker = Rc::clone(worker);
        self.in_background(async move |group| {
            let permit = group.capacity.extra().await;
            group.start_successor(worker, permit).await;
        });
    }

    async fn start_successor(&self, worker: Rc<Worker>, permit: Permit) {
        let spawner = Rc::clone(&self.state.borrow().spawner);
        let result = self.start_worker(&spawner, permit).await;
        let mut state = self.state.borrow_mut();
        if state.is_replaced(&worker) {
            state.replaced = None;
        } else {
            state.spawning -= 1;
        }
        let outdated = state.closing || !Rc::ptr_eq(&spawner, &state.spawner);
        drop(state);
        match result {
            Ok(successor) if outdated || !self.has_place_of(&worker) => self.retire(&successor),
            Ok(successor) => {
                self.welcome(successor);
                if worker.is_serving() {
                    self.retire(&worker);
                }
            }
            Err(_) if outdated => {}
            Err(error) => self.failed(error),
        }
        self.keep_up(false);
    }
}

impl Group {
    /// Whether a successor has a place to take: while the worker before it is there that one's, else only if there is room.
    pub(super) fn has_place_of(&self, worker: &Rc<Worker>) -> bool {
        let state = self.state.borrow();
        let is_leaving = state.leaving.iter().any(|other| Rc::ptr_eq(other, worker));
        let is_within = state.serving.len() < self.config().max_workers;
        drop(state);
        let has_room = !self.capacity.is_overdrawn() || (is_leaving && !self.capacity.is_taken());
        worker.is_serving() || (has_room && is_within)
    }
}

impl State {
    fn is_replaced(&self, worker: &Rc<Worker>) -> bool {
        self.replaced.as_ref().is_some_and(|replaced| Rc::ptr_eq(replaced, worker))
    }

    /// A worker serves no longer. Its successor, if one is being started, counts as any other from now on.
    pub(super) fn stops_serving(&mut self, worker: &Rc<Worker>) {
        self.serving.retain(|other| !Rc::ptr_eq(other, worker));
        if self.is_replaced(worker) {
            self.replaced = None;
            self.spawning += 1;
        }
    }
}
