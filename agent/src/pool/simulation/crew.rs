//! Futures that live and end together: what one process does at the same time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, Waker};

type Job = Pin<Box<dyn Future<Output = ()>>>;

/// Dropping it ends all of them at once, and closes what they hold.
#[derive(Default)]
pub struct Crew {
    new: RefCell<Vec<Job>>,
    waker: RefCell<Option<Waker>>,
}

impl Crew {
    pub fn add(&self, job: impl Future<Output = ()> + 'static) {
        self.new.borrow_mut().push(Box::pin(job));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Works until nothing is left to do.
    pub async fn run(&self) {
        let mut jobs: Vec<Job> = Vec::new();
        poll_fn(|cx| {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            loop {
                jobs.append(&mut self.new.borrow_mut());
                jobs.retain_mut(|job| job.as_mut().poll(cx).is_pending());
                if self.new.borrow().is_empty() {
                    return if jobs.is_empty() { Poll::Ready(()) } else { Poll::Pending };
                }
            }
        })
        .await;
    }
}
