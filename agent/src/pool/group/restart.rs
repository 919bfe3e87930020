//! Replacing the application by a new version of itself.

use std::rc::Rc;

use super::Group;

impl Group {
    /// Loads the application anew and replaces all workers.
    pub fn restart(&self) {
        let mut state = self.state.borrow_mut();
        if state.closing {
            return;
        }
        tracing::info!("restarting {}", self.app().root.display());
        let spawner = self.new_spawner();
        state.failure = None;
        if self.config().is_development() || state.serving.is_empty() {
            state.spawner = spawner;
            state.successor = None;
            drop(state);
            self.retire_all();
            return self.keep_up(true);
        }
        // A restart that is under way is overtaken: its outcome will find another successor and step back.
        state.successor = Some(Rc::clone(&spawner));
        drop(state);
        // It takes the place of one that ends when it is ready.
        let permit = self.capacity.overdraw();
        self.in_background(async move |group| {
            let result = group.start_worker(&spawner, permit).await;
            let mut state = group.state.borrow_mut();
            if state.closing || !state.successor.as_ref().is_some_and(|successor| Rc::ptr_eq(successor, &spawner)) {
                drop(state);
                if let Ok(worker) = result {
                    worker.leave();
                }
                return;
            }
            state.successor = None;
            if result.is_ok() {
                state.spawner = spawner;
            }
            drop(state);
            match result {
                Ok(worker) => {
                    group.retire_all();
                    group.welcome(worker);
                    tracing::info!("{} has been restarted", group.app().root.display());
                }
                Err(error) => {
                    group.failed(error);
                    tracing::error!(
                        "{} was not restarted; the version before goes on serving",
                        group.app().root.display()
                    );
                }
            }
            group.keep_up(false);
        });
    }

    pub(super) fn retire_all(&self) {
        let workers = self.state.borrow().serving.clone();
        for worker in workers {
            self.retire(&worker);
        }
    }
}
