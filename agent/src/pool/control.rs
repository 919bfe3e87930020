//! What a worker that serves says on its control channel, and what is said to it.

use std::future::pending;
use std::io;
use std::rc::Rc;

use passenger_native::control::{FromProcess, ToProcess};

use super::worker::Worker;

impl Worker {
    /// Tells the process something.
    ///
    /// # Errors
    /// When it is gone, or has not listened for long.
    pub fn tell(&self, message: &ToProcess) -> io::Result<()> {
        self.control().send(message, &[])
    }

    /// Does what the process says, until that has become a preloader. The end of the channel means nothing: a process that
    /// leaves ends its data channels as well.
    pub(super) async fn listen(self: &Rc<Self>) {
        loop {
            match self.control().receive().await {
                Ok(Some(FromProcess::Ready { .. })) if self.is_being_promoted() => return,
                Ok(Some(message)) => self.heard(message),
                Ok(None) => return pending().await,
                Err(error) => {
                    tracing::error!("worker {}, control channel: {error}; it is killed", self.pid());
                    self.kill();
                    return pending().await;
                }
            }
        }
    }

    fn heard(self: &Rc<Self>, message: FromProcess) {
        let pid = self.pid();
        match message {
            // A process that the application has forked has the channel, too, and perhaps what speaks on it.
            FromProcess::Leaving { pid: speaker } | FromProcess::OobWorkDone { pid: speaker } if speaker != pid => {
                tracing::debug!("worker {pid}: its child {speaker} said {message:?}, which is not the worker's word");
            }
            FromProcess::Leaving { .. } => {
                tracing::info!("worker {pid} wants to leave; it takes no more requests");
                self.departs();
            }
            FromProcess::OobWorkDone { .. } => self.oob_work_done(),
            FromProcess::Progress { step } => tracing::debug!("worker {pid}: {step}"),
            FromProcess::Failed { reason, .. } if self.is_being_promoted() => self.refuse_promotion(reason),
            FromProcess::Failed { step, reason, output } => {
                tracing::error!("worker {pid} failed ({step}): {reason}\n{}", output.trim_end());
            }
            other => {
                tracing::error!("worker {pid} said {other:?}, which makes no sense; it is killed");
                self.kill();
            }
        }
    }
}
