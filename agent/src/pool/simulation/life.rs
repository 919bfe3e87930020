//! What a process does from its start to its end: it loads the application, then forks workers or serves.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use passenger_native::control::{FromProcess, PROTOCOL, ToProcess};
use tokio::time::sleep;

use super::control::Control;
use super::crew::Crew;
use super::data::Data;
use super::process::{Parent, Process, Role};
use super::world::World;
use super::{multiplexed, ordered};
use crate::spawn::reaper::{Exit, Reaper};

const KILLED: Exit = Exit::Signal(9);
const FAILED: Exit = Exit::Code(1);

/// A process that was started by exec.
pub async fn exec(
    world: Rc<World>,
    process: Rc<Process>,
    reaper: Weak<Reaper>,
    control: OwnedFd,
    _output: OwnedFd,
) -> Exit {
    let Ok(control) = Control::new(control).map(Rc::new) else { return FAILED };
    *process.control.borrow_mut() = Some(Rc::clone(&control));
    let Some((ToProcess::Load { slots, .. }, descriptors)) = control.receive().await else { return FAILED };
    let (language, version) = ("simulated".to_owned(), "1".to_owned());
    control.send(&FromProcess::Hello { protocol: PROTOCOL, language, version });
    if let Err(exit) = load(&world, &process, &control, process.version.boot).await {
        return exit;
    }
    match slots {
        Some(_) => serve(&world, &process, &control, descriptors).await.unwrap_or(FAILED),
        None => preload(&world, &process, &control, &reaper).await,
    }
}

/// Gets the application up within about so many milliseconds, or does not.
async fn load(world: &World, process: &Process, control: &Control, millis: u64) -> Result<(), Exit> {
    let version = &process.version;
    sleep(world.chance.millis(0..millis + 1)).await;
    let trouble = world.troubled.get() && world.chance.one_in(version.boot_trouble);
    if !version.broken && !trouble {
        return Ok(());
    }
    match world.chance.within(0..if version.broken { 2 } else { 5 }) {
        0 => {
            control.send(&FromProcess::failed("loading the application", "it is broken", ""));
            Err(FAILED)
        }
        1 => Err(FAILED),
        2 => pending().await,
        3 => Err(KILLED),
        _ => {
            sleep(world.chance.millis(500..8000)).await;
            Ok(())
        }
    }
}

/// Forks workers.
async fn preload(world: &Rc<World>, process: &Rc<Process>, control: &Rc<Control>, reaper: &Weak<Reaper>) -> Exit {
    process.role.set(Role::Preloader);
    control.send(&FromProcess::Ready { pid: process.pid, multiplexed: false });
    while let Some((message, mut descriptors)) = control.receive().await {
        let ToProcess::Spawn { ticket, .. } = message else { continue };
        let slots = descriptors.split_off(2);
        let (Some(output), Some(their_control)) = (descriptors.pop(), descriptors.pop()) else { return FAILED };
        sleep(world.chance.millis(0..6)).await;
        if world.troubled.get() && world.chance.one_in(process.version.boot_trouble) {
            match world.chance.within(0..3) {
                0 => return KILLED,
                1 => pending().await,
                _ => {
                    if let Ok(control) = Control::new(their_control) {
                        control.send(&FromProcess::failed("forking a worker", "there is no memory", ""));
                    }
                    continue;
                }
            }
        }
        let Ok(child) = world.machine.make(&process.version) else { return FAILED };
        world.trace.note(|| format!("preloader {} forks {}", process.pid, child.pid));
        let body = fork(Rc::clone(world), Rc::clone(&child), their_control, output, slots);
        let pid = child.pid;
        *process.untold.borrow_mut() = Some(Rc::clone(&child));
        child.run(Rc::clone(world), Parent::Preloader(Rc::clone(process), reaper.clone()), body);
        if world.chance.one_in(3) {
            sleep(Duration::from_millis(1)).await;
        }
        control.send(&FromProcess::Spawned { ticket, pid });
        process.untold.take();
    }
    Exit::Code(0)
}

/// A worker that was forked.
async fn fork(world: Rc<World>, process: Rc<Process>, control: OwnedFd, _output: OwnedFd, slots: Vec<OwnedFd>) -> Exit {
    let Ok(control) = Control::new(control).map(Rc::new) else { return FAILED };
    *process.control.borrow_mut() = Some(Rc::clone(&control));
    if let Err(exit) = load(&world, &process, &control, 5).await {
        return exit;
    }
    serve(&world, &process, &control, slots).await.unwrap_or(FAILED)
}

/// Serves until the agent ends the channels.
async fn serve(
    world: &Rc<World>,
    process: &Rc<Process>,
    control: &Rc<Control>,
    slots: Vec<OwnedFd>,
) -> io::Result<Exit> {
    if control.is_closed() {
        // It took so long that nobody waits for it.
        return Ok(FAILED);
    }
    process.role.set(Role::Worker);
    let multiplexed = process.version.multiplexed;
    let crew = Rc::new(Crew::default());
    let channels: io::Result<Vec<_>> = slots.into_iter().map(|slot| Data::new(slot).map(Rc::new)).collect();
    let channels = channels?;
    for channel in &channels {
        let (world, process, channel) = (Rc::clone(world), Rc::clone(process), Rc::clone(channel));
        match multiplexed {
            true => crew.add(multiplexed::serve(world, process, channel, Rc::downgrade(&crew))),
            false => crew.add(ordered::serve(world, process, channel)),
        }
    }
    control.send(&FromProcess::Ready { pid: process.pid, multiplexed });
    tokio::select! {
        biased;
        () = crew.run() => {}
        () = listen(world, process, control) => return Ok(FAILED),
        never = depart(world, process, control, &channels) => match never {},
    }
    if world.troubled.get() && world.chance.one_in(8) {
        world.trace.note(|| format!("worker {} hangs in its shutdown hooks", process.pid));
        return pending().await;
    }
    sleep(world.chance.millis(0..40)).await;
    Ok(Exit::Code(0))
}

/// Does what the agent says; returns when that is gone.
async fn listen(world: &World, process: &Process, control: &Control) {
    while let Some((message, _)) = control.receive().await {
        if message == ToProcess::OobWork {
            sleep(world.chance.millis(0..100)).await;
            control.send(&FromProcess::OobWorkDone { pid: process.pid });
        }
    }
}

/// Leaves when somebody wants it to: either in good manners, or as one that knows no better.
async fn depart(
    world: &World,
    process: &Process,
    control: &Control,
    channels: &[Rc<Data>],
) -> std::convert::Infallible {
    process.dismissed.notified().await;
    if world.chance.one_in(2) {
        world.trace.note(|| format!("worker {} says that it leaves", process.pid));
        control.send(&FromProcess::Leaving { pid: process.pid });
    } else {
        world.trace.note(|| format!("worker {} stops reading", process.pid));
        channels.iter().for_each(|channel| channel.stop_reading());
    }
    pending().await
}
