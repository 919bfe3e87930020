//! The course of a world: trouble, calm, the end.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use super::client::{Wish, ask};
use super::ledger::Outcome;
use super::process::Role;
use super::storm;
use super::world::World;

/// When everything works, all who wait are answered within this, and restarts are over.
const CALM: Duration = Duration::from_secs(20 * 60);
/// Workers that were asked to leave are gone within this.
const END: Duration = Duration::from_secs(3 * 60);

/// No failed start keeps the next one waiting for longer.
const BACK_OFF: Duration = Duration::from_secs(61);

/// Lives through a world; the trace tells what was wrong with it.
pub async fn run(world: &Rc<World>) {
    tokio::select! {
        biased;
        () = world.trace.violated.notified() => {}
        () = pass(world) => {}
    }
}

async fn pass(world: &Rc<World>) {
    for site in world.apps().iter() {
        if world.chance.one_in(2) {
            let group = Rc::clone(&site.group);
            spawn_local(async move { group.boot_or_retry().await });
        }
    }
    let clients = spawn_local(storm::clients(Rc::clone(world)));
    let events = spawn_local(storm::events(Rc::clone(world)));
    if world.chance.one_in(5) {
        // It ends in the middle of it.
        sleep(world.chance.millis(0..5000)).await;
        clients.abort();
        events.abort();
    } else {
        until(world, "trouble ends", CALM, || clients.is_finished() && events.is_finished()).await;
        storm::repair(world);
        calm(world).await;
    }
    end(world).await;
}

/// Waits for something that comes about within a bounded time, looking at everything meanwhile.
async fn until(world: &World, rule: &'static str, bound: Duration, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        world.check();
        if began.elapsed() > bound {
            let open = world.ledger.open_ones();
            return world.trace.broken(rule, || format!("not after {bound:?}; these requests wait: {open:?}"));
        }
        sleep(world.chance.millis(1..400)).await;
    }
}

/// Everything works: so whoever waits is served, and everything is as it should be.
async fn calm(world: &Rc<World>) {
    until(world, "every queue drains", CALM, || world.ledger.open_ones().is_empty()).await;
    // After a failed start nothing is started for a while.
    sleep(BACK_OFF).await;
    let apps = world.apps().len();
    for app in 0..apps {
        let mut outcome = probe(world, app, false).await;
        if outcome == Some(Outcome::WaitedTooLong) {
            // It sleeps, and needs longer to start than requests may wait, but for this one.
            outcome = probe(world, app, true).await;
        }
        let what = || format!("app {app}: {outcome:?}");
        world.trace.expect("a request in quiet times is answered", outcome == Some(Outcome::Answered), what);
    }
    until(world, "restarts terminate", END, || (0..apps).all(|app| world.is_new(app))).await;
    sleep(Duration::from_secs(120)).await;
    world.check();
    until(world, "a group keeps its least number of workers while there is room", END, || has_least(world)).await;
    until(world, "in quiet times nobody comes or leaves", END, || is_at_rest(world)).await;
}

/// Whether every group has as many workers as it should keep, as far as there is room.
fn has_least(world: &World) -> bool {
    let sites = world.apps();
    let counts: Vec<_> = sites.iter().map(|site| site.group.inspect().serving.len()).collect();
    let is_full = counts.iter().sum::<usize>() >= world.limit;
    sites.iter().zip(counts).all(|(site, count)| is_full || count >= site.group.config().min_workers)
}

/// Whether all workers serve, and each permit is some worker's.
fn is_at_rest(world: &World) -> bool {
    let inspections: Vec<_> = world.apps().iter().map(|site| site.group.inspect()).collect();
    let serving: usize = inspections.iter().map(|group| group.serving.len()).sum();
    let (used, workers) = (world.capacity.used(), world.machine.with_role(Role::Worker).len());
    let is_calm = inspections.iter().all(|group| group.coming == 0 && group.leaving.is_empty() && !group.rolls);
    is_calm && used == serving && workers == serving
}

async fn probe(world: &Rc<World>, app: usize, is_health_check: bool) -> Option<Outcome> {
    let wish = Wish { app, route: 2, safe: true, is_health_check, ..Wish::default() };
    let asked = spawn_local(ask(Rc::clone(world), wish));
    until(world, "an application that can start answers", CALM, || asked.is_finished()).await;
    asked.await.ok()
}

/// The instance ends.
async fn end(world: &Rc<World>) {
    world.trace.note(|| "the instance ends".to_owned());
    let groups: Vec<_> = world.apps().iter().map(|site| Rc::clone(&site.group)).collect();
    groups.iter().for_each(|group| group.close());
    let emptied = spawn_local(async move {
        for group in groups {
            group.empty().await;
        }
    });
    until(world, "a closed group gets empty", END, || emptied.is_finished()).await;
    until(world, "every client is told at the end", END, || world.ledger.open_ones().is_empty()).await;
    until(world, "no worker stays behind", END, || world.machine.with_role(Role::Worker).is_empty()).await;
    until(world, "all permits are given back", END, || world.capacity.used() == 0).await;
    world.clear();
    until(world, "no process stays behind", END, || world.machine.alive().is_empty()).await;
}
