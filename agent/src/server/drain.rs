//! Ending: requests are finished, then workers; what does not end in time is ended.

use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::http::lobby::Lobby;
use crate::pool::group::Group;
use crate::pool::worker::LEAVE_DEADLINE;

/// How long requests that are being served may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

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
    let gracefully = async {
        if timeout(REQUEST_DEADLINE, lobby.empty()).await.is_err() {
            let (open, seconds) = (lobby.present(), REQUEST_DEADLINE.as_secs());
            tracing::warn!("{open} connections were still busy {seconds} s after the stop; they are cut off");
        }
        let empty = async {
            for group in groups {
                group.empty().await;
            }
        };
        groups.iter().for_each(|group| group.close());
        // Each worker has its own deadline; this one is for what goes wrong with those.
        let _ = timeout(LEAVE_DEADLINE + Duration::from_secs(5), empty).await;
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
