//! What must hold at any moment.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::time::Instant;

use super::PANICKED;
use super::process::Role;
use super::world::{Site, World};
use crate::pool::group::inspection::Inspection;

/// How long a group whose requests wait may be without a worker that serves or starts: others are left in peace for
/// 5 s, then one of theirs finishes what it has and takes up to 30 s to leave; and so for each that stands in front.
const PATIENCE: Duration = Duration::from_secs(4 * 60);

/// No start takes longer, be it that time jumps, and a restart does not have more of them at the same time (on machines with few processors).
const LONGEST_START: Duration = Duration::from_secs(60);
const STARTS: usize = 2;

/// What has to be remembered of a group.
#[derive(Default)]
pub struct Watch {
    neglected: Cell<Option<Instant>>,
    restarted: RefCell<Vec<Instant>>,
}

impl Watch {
    /// The application is restarted.
    pub fn restarted(&self) {
        self.restarted.borrow_mut().push(Instant::now());
    }

    /// How many workers may be on their way that will leave at once, as a further restart has overtaken them.
    fn doomed(&self) -> usize {
        self.restarted.borrow().iter().filter(|at| at.elapsed() < LONGEST_START).count() * STARTS
    }
}

/// Looks at all groups.
pub fn check(world: &World) {
    world.trace.expect("nothing panics", !PANICKED.get(), || "see what was printed".to_owned());
    let sites = world.apps();
    let inspections: Vec<_> = sites.iter().map(|site| site.group.inspect()).collect();
    for (index, (site, inspection)) in sites.iter().zip(&inspections).enumerate() {
        check_limits(world, index, site, inspection);
        check_queue(world, index, site, inspection);
        check_attention(world, index, site, inspection);
    }
    check_room(world, &inspections);
}

fn check_limits(world: &World, index: usize, site: &Site, inspection: &Inspection) {
    let config = site.group.config();
    let (serving, staying, doomed) = (inspection.serving.len(), inspection.staying(), site.watch.doomed());
    let what = || format!("app {index}: {serving} serve, {staying} stay, {doomed} may not, of {}", config.max_workers);
    let fits = serving <= config.max_workers && staying <= config.max_workers + 1 + doomed;
    world.trace.expect("a group has no more workers than it may", fits, what);
    let waiting = inspection.waiting;
    let fits = config.max_queue == 0 || waiting <= config.max_queue;
    world.trace.expect("no more wait than may", fits, || format!("app {index}: {waiting} of {}", config.max_queue));
    let silent = !inspection.closing || waiting == 0;
    world.trace.expect("nobody waits for a group that is closed", silent, || format!("app {index}: {waiting}"));
}

fn check_queue(world: &World, index: usize, site: &Site, inspection: &Inspection) {
    let most = site.group.config().max_concurrent_requests;
    if inspection.waiting > 0
        && let Some(worker) = inspection.serving.iter().find(|worker| worker.vacancy(most).is_some())
    {
        let what = || format!("app {index}: {} wait, worker {} is free", inspection.waiting, worker.pid());
        world.trace.broken("no request waits while a slot is free", what);
    }
}

fn check_attention(world: &World, index: usize, site: &Site, inspection: &Inspection) {
    let Inspection { serving, coming, rolls, waiting, holds_off, closing, .. } = inspection;
    let neglected = *waiting > 0 && serving.is_empty() && *coming == 0 && !rolls && !holds_off && !closing;
    if !neglected {
        return site.watch.neglected.set(None);
    }
    let since = site.watch.neglected.get().unwrap_or_else(Instant::now);
    site.watch.neglected.set(Some(since));
    let what = || format!("app {index} has waited since {:?} ago", since.elapsed());
    world.trace.expect("who waits gets a worker", since.elapsed() < PATIENCE, what);
}

/// Room for all: beyond the limit there are only workers that take the place of others that end.
fn check_room(world: &World, inspections: &[Inspection]) {
    let serving: usize = inspections.iter().map(|group| group.serving.len()).sum();
    let what = || format!("{serving} serve, of {}", world.limit);
    world.trace.expect("there are no more workers than room", serving <= world.limit, what);
    let (used, limit) = (world.capacity.used(), world.limit);
    let what = || format!("{used} permits of {limit}");
    world.trace.expect("there is never more than one worker too many", used <= limit + 1, what);
    let known: usize = inspections.iter().map(|group| group.serving.len() + group.leaving.len()).sum();
    let what = || format!("{used} permits, {known} workers known");
    world.trace.expect("every worker has its permit", used >= known, what);
    let workers = world.machine.with_role(Role::Worker);
    let processes: Vec<_> = workers.iter().filter(|worker| !worker.is_doomed()).map(|worker| worker.pid).collect();
    let what = || format!("{used} permits, workers {processes:?}");
    world.trace.expect("every process that serves has its permit", used >= processes.len(), what);
}
