//! What befalls a world: clients that come and go, restarts, deaths, jumps of time.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep;

use super::client::{Wish, ask};
use super::process::Role;
use super::world::World;
use crate::spawn::reaper::Exit;

/// Lets clients come, in bursts and one by one, until all have.
pub async fn clients(world: Rc<World>) {
    let chance = &world.chance;
    let count = chance.size(5..160);
    let hurry = [1, 20, 300][chance.size(0..3)];
    for _ in 0..count {
        if !chance.one_in(3) {
            sleep(chance.millis(0..hurry)).await;
        }
        let apps = world.apps().len();
        let wish = Wish {
            // The first is the most popular.
            app: chance.size(0..apps).min(chance.size(0..apps)),
            route: [chance.within(0..4), chance.within(0..16) & !3][chance.size(0..2)] as u32,
            safe: !chance.one_in(3),
            is_health_check: chance.one_in(30),
            upload: if chance.one_in(15) { chance.size(0..200_000) } else { 0 },
            patience: chance.one_in(6).then(|| chance.millis(0..2000)),
            slowness: if chance.one_in(10) { chance.millis(0..50) } else { Duration::ZERO },
        };
        let world = Rc::clone(&world);
        spawn_local(async move { ask(world, wish).await });
    }
}

/// Lets things happen to the pool.
pub async fn events(world: Rc<World>) {
    let chance = &world.chance;
    let hurry = [50, 1000][chance.size(0..2)];
    for _ in 0..chance.size(0..20) {
        sleep(chance.millis(0..hurry)).await;
        match chance.within(0..12) {
            0..=2 => restart(&world, false),
            3 => restart(&world, true),
            4..=6 => {
                if let Some(worker) = chance.pick(&world.machine.with_role(Role::Worker)) {
                    world.trace.note(|| format!("somebody kills worker {}", worker.pid));
                    worker.end(Exit::Signal(9));
                }
            }
            7..=8 => {
                if let Some(worker) = chance.pick(&world.machine.with_role(Role::Worker)) {
                    world.trace.note(|| format!("somebody has worker {} leave", worker.pid));
                    worker.dismissed.notify_one();
                }
            }
            9 => {
                if let Some(process) = chance.pick(&world.machine.alive()) {
                    world.trace.note(|| format!("somebody kills process {}", process.pid));
                    process.end(Exit::Signal(9));
                }
            }
            10 => {
                let far = chance.millis(100..40_000);
                world.trace.note(|| format!("time jumps by {far:?}"));
                tokio::time::advance(far).await;
            }
            _ => sleep(chance.millis(0..3000)).await,
        }
        world.check();
    }
}

fn restart(world: &World, broken: bool) {
    let apps = world.apps();
    let index = world.chance.size(0..apps.len());
    world.trace.note(|| format!("app {index} is restarted, {}", if broken { "broken" } else { "well" }));
    apps[index].is_broken.set(broken);
    apps[index].watch.restarted();
    apps[index].group.restart();
}

/// Ends all trouble: versions that did not start are replaced.
pub fn repair(world: &World) {
    world.trace.note(|| "the trouble ends".to_owned());
    world.troubled.set(false);
    for (index, site) in world.apps().iter().enumerate() {
        // A good version that failed by bad luck is tried again by itself.
        let is_broken = site.is_broken.replace(false);
        if is_broken || site.has_hung.get() || world.chance.one_in(4) {
            world.trace.note(|| format!("app {index} is restarted for good"));
            site.watch.restarted();
            site.group.restart();
        }
    }
}
