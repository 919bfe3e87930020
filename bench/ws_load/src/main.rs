//! `ws_load IP:PORT CLIENTS SECONDS`: WebSocket echo load. Every client has one message of 64 bytes in flight.
//!
//! All clients connect; then the clock starts, and each sends a message, waits for its echo, compares it and goes on
//! until time is up. Prints one line of JSON in the words of `bench/harness/load.lua`. One thread, as many tasks as clients.

mod client;
mod tally;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use client::Client;
use tally::{Failure, Tally};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a server may take for what is due: the handshakes, or the answers to the last messages.
const PATIENCE: Duration = Duration::from_secs(10);

struct Arguments {
    server: SocketAddr,
    clients: usize,
    duration: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(arguments) = parse(&arguments) else {
        eprintln!("usage: ws_load IP:PORT CLIENTS SECONDS");
        return ExitCode::from(2);
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            println!("{}", runtime.block_on(run(&arguments)).into_json(arguments.duration));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ws_load: cannot start the event loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<Arguments> {
    let [server, clients, seconds] = arguments else { return None };
    Some(Arguments {
        server: server.parse().ok()?,
        clients: clients.parse().ok()?,
        duration: Duration::from_secs(seconds.parse().ok()?),
    })
}

async fn run(arguments: &Arguments) -> Tally {
    let mut total = Tally::default();
    let clients = connect(arguments, &mut total).await;
    let deadline = Instant::now() + arguments.duration;
    let mut running = JoinSet::new();
    for client in clients {
        let whole = client.run(deadline);
        running.spawn(timeout(arguments.duration + PATIENCE, whole));
    }
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(Ok(tally)) => total.add(tally),
            // What a client counted before it got stuck is lost; the figures are void anyway.
            Ok(Err(_)) | Err(_) => total.failed(Failure::Timeout),
        }
    }
    total
}

/// All clients that could shake hands; the others are counted in `total`.
async fn connect(arguments: &Arguments, total: &mut Tally) -> Vec<Client> {
    let mut connecting = JoinSet::new();
    for number in 0..arguments.clients {
        connecting.spawn(timeout(PATIENCE, Client::connect(arguments.server, number)));
    }
    let mut clients = Vec::with_capacity(arguments.clients);
    while let Some(ended) = connecting.join_next().await {
        match ended {
            Ok(Ok(Ok(client))) => clients.push(client),
            Ok(Ok(Err(failure))) => total.failed(failure),
            Ok(Err(_)) | Err(_) => total.failed(Failure::Timeout),
        }
    }
    clients
}
