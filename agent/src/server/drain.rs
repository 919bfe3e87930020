//! Ending: requests are finished, then workers; what does not end in time is ended.

use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::http::lobby::Lobby;
use crate::pool::group::Group;

/// What is left for workers to be killed and reaped.
const MARGIN: Duration = Duration::from_secs(5);

/// The signals that end the server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Finishes what is under way. A second signal ends the patience.
pub async fn drain(lobby: &Lobby, groups: &[Rc<Group>], signals: &mut Signals) {
    lobby.close();
    let patience = groups.iter().map(|group| group.config().shutdown_timeout).max().unwrap_or_default();
    let gracefully = async {
        if timeout(patience, lobby.empty()).await.is_err() {
            let (open, seconds) = (lobby.present(), patience.as_secs());
            tracing::warn!("{open} connections were still busy {seconds} s after the stop; they are cut off");
        }
        let empty = async {
            for group in groups {
                group.empty().await;
            }
        };
        for group in groups {
            group.close();
            // Nobody waits for an answer any more, or has waited long enough.
            group.cut_off();
        }
        // Each worker has its own deadline; this one is for what goes wrong with those.
        let _ = timeout(patience + MARGIN, empty).await;
    };
    tokio::select! {
        () = gracefully => {}
        () = signals.wait() => {}
    }
    for group in groups {
        group.close();
        group.kill();
    }
}
