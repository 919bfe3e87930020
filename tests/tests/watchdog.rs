//! An agent that dies is replaced, and so is a watchdog; connections wait meanwhile, and nothing is left of either.

use nix::sys::signal::Signal;
use passenger_tests::command::{registry, run_passenger};
use passenger_tests::{App, Launch, Process, Request, Server, Status, ours_only, wait_for, wait_until};
use rstest::rstest;
use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn launch() -> Launch {
    Server::of(App::reference()).environment("production").max_pool_size(2)
}

/// The agent, when it is another one than `before`.
fn agent_after(server: &Server, before: Process) -> Process {
    wait_for("another agent serves", || {
        let finished = server.run_passenger(["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&finished.stdout).ok()?;
        let pid = status["instances"][0]["pid"].as_i64()?;
        Some(Process(i32::try_from(pid).ok()?)).filter(|agent| *agent != before)
    })
}

#[rstest]
fn an_agent_that_is_killed_costs_nobody_their_connection() {
    ours_only!("our agent");
    let mut server = launch().start();
    let mut killed = BTreeSet::new();
    for round in 1..=5 {
        let agent = Status::of(&server).agent();
        assert!(killed.insert(agent), "agent {agent:?} again");
        // While nobody accepts, connections wait.
        server.process().stop();
        agent.signal(Signal::SIGKILL);
        agent.wait_until_gone();
        let mut waiting: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for connection in &mut waiting {
            connection.send(Request::get("/hello").to_bytes());
        }
        server.process().signal(Signal::SIGCONT);
        for mut connection in waiting {
            assert_eq!(connection.receive().status, 200, "round {round}");
        }
    }
    assert!(server.log().contains("was killed by SIGKILL"), "{}", server.log());
    let processes = server.process().descendants();
    assert_eq!(server.end_with(Signal::SIGTERM).code(), Some(0));
    processes.into_iter().for_each(Process::wait_until_gone);
}

#[rstest]
fn what_a_dead_agent_left_behind_ends() {
    ours_only!("our agent");
    let server = launch().start();
    server.get("/hello");
    let agent = Status::of(&server).agent();
    let left = agent.descendants();
    assert!(left.len() >= 2, "a preloader and a worker, at least");
    agent.signal(Signal::SIGKILL);
    left.into_iter().for_each(Process::wait_until_gone);
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn a_watchdog_that_is_killed_is_replaced_by_its_agent() {
    ours_only!("our watchdog");
    let pid_file = |app: &App| app.root().join("it.pid");
    let app = App::reference();
    let path = pid_file(&app);
    let mut server = Server::of(app).argument("--pid-file").argument(path.to_str().expect("UTF-8")).start();
    let agent = Status::of(&server).agent();
    let watchdog = server.process();
    server.end_with(Signal::SIGKILL);
    assert_eq!(server.get("/hello").status, 200);
    let pid = || server.app().read("it.pid").trim().parse().ok().map(Process);
    let next = wait_for("another watchdog", || pid().filter(|pid| *pid != watchdog && pid.is_alive()));
    assert_eq!(Status::of(&server).agent(), agent, "the agent goes on");

    // The new one does what the first did.
    agent.signal(Signal::SIGKILL);
    assert_eq!(server.get("/hello").status, 200);
    let successor = agent_after(&server, agent);
    let stopped = server.run_passenger(["stop"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    [next, successor].into_iter().for_each(Process::wait_until_gone);
    assert!(!server.app().has("it.pid"));
    assert_eq!(std::fs::read_dir(registry(server.app())).expect("the registry").count(), 0);
}

#[rstest]
fn an_agent_is_replaced_by_another_without_a_failed_request() {
    ours_only!("our watchdog");
    let server = launch().start();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(server.get("/hello").status, 200);
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        for _ in 0..3 {
            let before = Status::of(&server).agent();
            server.process().signal(Signal::SIGUSR2);
            agent_after(&server, before);
            before.wait_until_gone();
        }
        over.store(true, Ordering::Relaxed);
        let served: u32 = clients.into_iter().map(|client| client.join().expect("no request failed")).sum();
        assert!(served > 0);
    });
}

#[rstest]
fn an_agent_that_cannot_start_does_not_replace_the_one_that_serves() {
    ours_only!("our watchdog");
    let server = Server::of(App::answering("version 1")).environment("production").start();
    let before = Status::of(&server).agent();
    let startup_file = passenger_tests::Language::current().startup_file();
    server.app().write(startup_file, passenger_tests::Language::current().raising("broken on purpose"));
    server.process().signal(Signal::SIGUSR2);
    server.wait_for_log("the new agent could not start; the one before goes on serving");
    server.wait_for_log("broken on purpose");
    assert_eq!(server.get("/").text(), "version 1");
    assert_eq!(Status::of(&server).agent(), before);
}

#[rstest]
#[case(Signal::SIGQUIT)]
#[case(Signal::SIGUSR1)]
fn a_signal_that_is_no_reason_to_end_ends_nobody(#[case] signal: Signal) {
    ours_only!("our agent");
    let server = launch().start();
    let agent = Status::of(&server).agent();
    let workers = Status::of(&server).worker_processes();
    for _ in 0..3 {
        server.process().signal(signal);
        agent.signal(signal);
        assert_eq!(server.get("/hello").status, 200);
    }
    if signal == Signal::SIGQUIT {
        server.wait_for_log(&workers[0].0.to_string());
    }
    assert_eq!((Status::of(&server).agent(), Status::of(&server).worker_processes()), (agent, workers));
}

#[rstest]
fn a_watchdog_that_is_killed_during_a_stop_does_not_bring_the_server_back() {
    ours_only!("our watchdog");
    let mut server = launch().start();
    let agent = Status::of(&server).agent();
    let mut connection = server.connect();
    connection.send(Request::get("/wait/last").to_bytes());
    server.app().worker_at_gate("last");
    server.process().signal(Signal::SIGTERM);
    server.wait_for_log("Stopping");
    server.end_with(Signal::SIGKILL);
    server.app().open_gate("last");
    assert_eq!(connection.receive().status, 200);
    agent.wait_until_gone();
    assert!(Process::running_in(server.app().scratch()).is_none(), "{}", server.log());
}

#[rstest]
fn an_agent_that_hangs_is_replaced() {
    ours_only!("our watchdog");
    // Half of that is how often it is asked.
    let server = launch().variable("WATCHDOG_USEC", "4000000").start();
    let agent = Status::of(&server).agent();
    agent.stop();
    server.wait_for_log("has not answered for 6 s; it is killed");
    agent_after(&server, agent);
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn systemd_hears_that_the_service_is_ready_and_lives() {
    ours_only!("our watchdog");
    let app = App::reference();
    let path = app.scratch().join("notify.sock");
    let socket = UnixDatagram::bind(&path).expect("the socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let launch = Server::of(app).variable("NOTIFY_SOCKET", path.to_str().expect("UTF-8"));
    let mut server = launch.variable("WATCHDOG_USEC", "1000000").start();
    let mut buffer = [0; 100];
    let mut hear = || {
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(wait_for("it is ready", || Some(hear()).filter(|said| !said.starts_with("WATCHDOG"))), "READY=1");
    assert_eq!([hear(), hear()], ["WATCHDOG=1", "WATCHDOG=1"]);
    server.end_with(Signal::SIGTERM);
    wait_until("it says that it stops", || hear() == "STOPPING=1");
}

#[rstest]
fn systemd_may_open_the_sockets() {
    ours_only!("our command");
    // What systemd does: a socket as descriptor 3, and the process id of whom it is for.
    let script = r#"
        import os, socket, sys
        path, command = sys.argv[1], sys.argv[2:]
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(command[0], command)
    "#;
    let app = App::reference();
    let path = app.scratch().join("activated.sock");
    let ours = passenger_tests::command::passenger(&registry(&app));
    let mut command = Command::new("python3");
    let dedented: String =
        script.lines().map(|line| format!("{}\n", line.strip_prefix("        ").unwrap_or(line))).collect();
    command.args(["-c", &dedented]).arg(&path).arg(ours.get_program()).args(ours.get_args());
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.arg("start").arg(app.root());
    let mut server = Server::of(app).socket(path.clone()).by(command).start();
    assert_eq!(server.get("/hello").status, 200);
    let agent = Status::of(&server).agent();
    agent.signal(Signal::SIGKILL);
    assert_eq!(server.get("/hello").status, 200);
    server.end_with(Signal::SIGTERM);
    // It was the test's, and its file is whoever's made it; nobody listens any more.
    assert!(std::os::unix::net::UnixStream::connect(&path).is_err());
}

#[rstest]
fn nobody_but_the_watchdog_starts_an_agent() {
    ours_only!("our command");
    let app = App::reference();
    for name in ["agent", "watchdog"] {
        let finished = run_passenger(&registry(&app), [name]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("the instance's directory is missing"), "{finished:?}");
    }
}
