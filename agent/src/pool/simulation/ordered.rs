//! A worker's slot that serves requests one after the other.

use std::future::pending;
use std::rc::Rc;

use passenger_native::frame::Kind;
use tokio::time::{Instant, sleep};

use super::data::{Asked, Data, Frame};
use super::plan::{Fault, Plan};
use super::process::Process;
use super::world::World;
use crate::spawn::reaper::Exit;

/// Serves until the channel ends.
pub async fn serve(world: Rc<World>, process: Rc<Process>, data: Rc<Data>) {
    // Requests that were there before the one in front of them was answered.
    let mut behind = 0_usize;
    loop {
        while let Some(frame) = data.next() {
            let Frame::Request(asked) = frame else { continue };
            if behind > 0 {
                let safe = world.ledger.is_safe(asked.id);
                world.trace.expect("unsafe requests wait for no other", safe, || format!("request {}", asked.id));
            }
            let frames = data.buffered();
            behind = behind.saturating_sub(1).max(frames.iter().filter(|frame| frame.kind == Kind::Request).count());
            if frames.iter().any(|frame| frame.kind == Kind::Cancel && frame.stream == asked.stream) {
                data.cancel(asked.stream);
            } else if !answer(&world, &process, &data, asked).await {
                return;
            }
            // An answer may be held back while a further request is at hand.
            if (behind == 0 || world.chance.one_in(2)) && !data.flush().await {
                return;
            }
        }
        if !data.flush().await {
            return;
        }
        if world.chance.one_in(20) {
            // It is slow to wake up.
            sleep(world.chance.millis(0..4)).await;
        }
        if !data.receive().await {
            return;
        }
    }
}

/// Serves one request; false when nobody takes the answer.
async fn answer(world: &Rc<World>, process: &Process, data: &Data, asked: Asked) -> bool {
    let plan = Plan::new(world, &process.version, asked.route);
    let began = Instant::now();
    world.begin(process, asked.id);
    if plan.fault == Fault::DiesBefore {
        return die(process).await;
    }
    if plan.fault == Fault::Hangs {
        return world.hang(process, asked.id).await;
    }
    if !plan.service.is_zero() {
        sleep(plan.service).await;
    }
    if plan.fault == Fault::GivesUp {
        data.cancel(asked.stream);
        world.finish(process, asked.id, false);
        return true;
    }
    let mut from = 0;
    for (index, &length) in plan.body.iter().enumerate() {
        let is_last = index + 1 == plan.body.len();
        if is_last && plan.fault == Fault::GivesUpAmid && index > 0 {
            data.cancel(asked.stream);
            world.finish(process, asked.id, false);
            return true;
        }
        if index > 0 {
            if !data.flush().await {
                return false;
            }
            sleep(plan.pause).await;
        }
        if is_last && plan.fault == Fault::DiesAmid {
            return die(process).await;
        }
        let micros = is_last.then(|| plan.measured(began.elapsed()));
        match index {
            0 => data.answer(asked, length, micros),
            _ => data.more(asked, from, length, micros),
        }
        from += length;
    }
    world.finish(process, asked.id, true);
    if plan.fault == Fault::DiesAfter {
        if world.chance.one_in(2) {
            data.flush().await;
        }
        return die(process).await;
    }
    true
}

/// The process ends where it stands.
pub async fn die(process: &Process) -> bool {
    process.end(Exit::Signal(11));
    pending().await
}
