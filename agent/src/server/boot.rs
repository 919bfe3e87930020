//! Starting applications when the instance starts.

use std::rc::Rc;

use tokio::task::JoinSet;

use crate::pool::group::Group;
use crate::spawn::SpawnError;

/// Starts the first worker of each application that does not wait for its first request. How many are started at the same
/// time the pool knows.
///
/// # Errors
/// Why the application could not be started, if it is the only one. One of several does not keep the others from
/// serving: it is tried again later, and until then its clients are told.
pub async fn boot(groups: &[Rc<Group>]) -> Result<(), Rc<SpawnError>> {
    if let [only] = groups {
        return only.boot().await;
    }
    boot_or_retry(groups.to_vec()).await;
    Ok(())
}

/// The same where nobody waits for the outcome: what can't be started is tried again later.
pub async fn boot_or_retry(mut groups: Vec<Rc<Group>>) {
    let mut tasks = JoinSet::new();
    // There may not be room for all. Those that want no worker without traffic can wait for it.
    groups.sort_by_key(|group| group.config().min_workers == 0);
    for group in groups {
        tasks.spawn_local(async move { group.boot_or_retry().await });
    }
    tasks.join_all().await;
}
