//! Replacing the application by a new version of itself.
//!
//! In production workers are replaced one after the other ([`super::roll`]). In development, and where that is turned off,
//! all are replaced at once, and requests wait for the new version.

use std::rc::Rc;

use super::roll::Roll;
use super::{Definition, Group};
use crate::spawn::Spawner;

impl Group {
    /// Loads the application anew and replaces all workers. A restart that is under way is overtaken.
    pub fn restart(&self) {
        let mut state = self.state.borrow_mut();
        if state.closing {
            return;
        }
        tracing::info!("restarting {}", self.app().root.display());
        state.failure = None;
        let is_idle = state.serving.is_empty();
        drop(state);
        let spawner = self.new_spawner();
        if is_idle || !self.config().rolls() { self.replace_at_once(spawner) } else { self.replace_rolling(spawner) }
    }

    /// The same, unless the version that is being started is as new as can be.
    pub fn restart_unless_under_way(&self) {
        let state = self.state.borrow();
        let is_under_way = state.roll.as_ref().is_some_and(|roll| !roll.is_refork())
            || (state.serving.is_empty() && state.spawning > 0);
        drop(state);
        if !is_under_way {
            self.restart();
        }
    }

    /// Has other settings from now on. What is run otherwise is so after a restart.
    pub fn redefine(&self, definition: Definition) {
        self.roster.borrow_mut().set_most(definition.config.max_concurrent_requests);
        self.definition.replace(definition);
        let max = self.config().max_workers;
        loop {
            let state = self.state.borrow();
            let surplus = if state.serving.len() > max {
                // Those that have something to do go on with it, but there is no hurry.
                state.serving.iter().max_by_key(|worker| worker.is_idle()).cloned()
            } else {
                None
            };
            drop(state);
            let Some(worker) = surplus else { break };
            self.retire(&worker);
        }
        self.watch_again();
        self.keep_up(false);
        self.feed(None);
    }

    /// Limits may be there that were not before: of the workers that serve and the requests that wait, too.
    fn watch_again(&self) {
        if let Some(now) = self.now_if_limited() {
            self.state.borrow_mut().queue.wait_since(now);
        }
        self.watch_queue();
        self.watch_requests();
        self.watch_memory();
        self.watch_idleness();
    }

    fn replace_at_once(&self, spawner: Rc<Spawner>) {
        let mut state = self.state.borrow_mut();
        state.give_up_roll();
        // A start of the version before that hangs must not hold up this one.
        std::mem::replace(&mut state.spawner, spawner).give_up();
        // What nobody has asked for yet is started when somebody does.
        let awake = state.awake;
        drop(state);
        self.retire_all();
        self.keep_up(awake);
    }

    fn replace_rolling(&self, spawner: Rc<Spawner>) {
        let mut state = self.state.borrow_mut();
        state.give_up_roll();
        state.roll = Some(Roll::new(Rc::clone(&spawner), state.serving.clone()));
        drop(state);
        self.in_background(async move |group| group.replace_some(spawner).await);
    }

    pub(super) fn retire_all(&self) {
        let workers = self.state.borrow().serving.clone();
        for worker in workers {
            self.retire(&worker);
        }
    }
}
