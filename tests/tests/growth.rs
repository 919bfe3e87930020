//! Workers come as the queue grows, and go when they have nothing to do.

use passenger_tests::{
    App, Connection, Language, Launch, Process, Request, Response, Server, Status, ours_only, wait_for, wait_until,
};
use rstest::rstest;
use serde_json::{Value, json};

/// Sends requests that each wait at a gate of their own.
fn send_to_gates(server: &Server, gates: std::ops::RangeInclusive<u32>) -> Vec<Connection> {
    let send = |gate| {
        let mut connection = server.connect();
        connection.send(Request::get(&format!("/wait/grow-{gate}")).to_bytes());
        connection
    };
    gates.map(send).collect()
}

fn open_gates(server: &Server, connections: &mut [Connection]) -> Vec<Response> {
    (1..=connections.len()).for_each(|gate| server.app().open_gate(&format!("grow-{gate}")));
    connections.iter_mut().map(Connection::receive).collect()
}

fn count(server: &Server) -> usize {
    Status::of(server).workers().len()
}

/// Waits until this many preloaders have ended because they were idle.
fn idle_preloaders(server: &Server, how_many: usize) -> Vec<Process> {
    wait_for("preloaders that were idle end", || {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains("it has not forked for 1 s"));
        let pid = |line: &str| line.split_once("preloader ")?.1.split(' ').next()?.parse().ok().map(Process);
        let found: Vec<_> = lines.filter_map(pid).collect();
        (found.len() >= how_many).then_some(found)
    })
}

fn slow(boot_seconds: &str) -> Launch {
    Server::of(App::fixture("slow")).variable("BOOT_SECONDS", boot_seconds)
}

#[rstest]
fn there_is_a_worker_for_each_request_that_waits() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).one_request_at_a_time().max_pool_size(5).start();
    let mut connections = send_to_gates(&server, 1..=5);
    wait_until("all are being served", || (1..=5).all(|gate| server.app().has(&format!("tmp/at-gate-grow-{gate}"))));
    assert_eq!(count(&server), 5);
    assert!(open_gates(&server, &mut connections).iter().all(|answer| answer.status == 200));
}

#[rstest]
#[case::two_at_a_time("2", 2)]
#[case::one_after_the_other("1", 1)]
fn no_more_are_starting_than_may(#[case] max_spawns: &str, #[case] most: u64) {
    ours_only!("about Passenger's own pool");
    let server = slow("1")
        .max_pool_size(4)
        .argument("--spawn-method=direct")
        .argument("--min-instances=4")
        .argument("--max-spawns")
        .argument(max_spawns)
        .start();
    let mut seen = 0;
    wait_until("all are there", || {
        let status = Status::of(&server);
        let starting = status.group()["spawning"].as_u64().expect("a number");
        assert!(starting <= most, "{status:?}");
        seen = seen.max(starting);
        status.workers().len() == 4
    });
    assert_eq!(seen, most);
}

#[rstest]
fn a_broken_application_is_tried_once_however_many_wait() {
    ours_only!("about Passenger's own pool");
    let app = App::empty("app");
    app.write(Language::current().startup_file(), Language::current().raising("broken on purpose"));
    app.note_boots();
    let server = Server::of(app)
        .environment("production")
        .max_pool_size(6)
        .argument("--no-pre-start")
        .argument("--spawn-method=direct")
        .start();
    let mut connections: Vec<_> = (0..6).map(|_| server.connect()).collect();
    connections.iter_mut().for_each(|connection| connection.send(Request::get("/").to_bytes()));
    assert!(connections.iter_mut().all(|connection| connection.receive().status == 503));
    // On a slow machine the first back-off may have ended meanwhile.
    assert!((1..=2).contains(&server.app().boots().len()), "{}", server.log());
}

#[rstest]
fn idle_workers_end_down_to_the_minimum_and_the_warmest_stay() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .one_request_at_a_time()
        .max_pool_size(4)
        .argument("--pool-idle-time=1")
        .argument("--min-instances=1")
        .start();
    let mut connections = send_to_gates(&server, 1..=4);
    wait_until("there are 4 workers", || count(&server) == 4);
    wait_until("all are being served", || (1..=4).all(|gate| server.app().has(&format!("tmp/at-gate-grow-{gate}"))));
    for (gate, connection) in (1..).zip(&mut connections) {
        server.app().open_gate(&format!("grow-{gate}"));
        assert_eq!(connection.receive().status, 200);
    }
    let warmest = server.app().worker_at_gate("grow-4");
    server.wait_for_log("it has been idle for 1 s");
    wait_until("one is left", || Status::of(&server).worker_processes() == [warmest]);
    assert_eq!(server.log().matches("it has been idle for 1 s").count(), 3, "{}", server.log());
    assert_eq!(server.get("/pid").number(), warmest.0);
}

#[rstest]
fn an_idle_application_goes_to_sleep_and_wakes_up() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .argument("--pool-idle-time=1")
        .argument("--max-preloader-idle-time=1")
        .argument("--min-instances=0")
        .start();
    for time in 1..=2 {
        let worker = Process(server.get("/pid").number());
        wait_until("it is asleep", || Status::of(&server).group()["state"] == "asleep");
        worker.wait_until_gone();
        idle_preloaders(&server, time)[time - 1].wait_until_gone();
    }
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn workers_outlive_their_idle_preloader() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .one_request_at_a_time()
        .max_pool_size(2)
        .argument("--max-preloader-idle-time=1")
        .start();
    let first = server.get("/pid").number();
    idle_preloaders(&server, 1)[0].wait_until_gone();
    assert_eq!(server.get("/pid").number(), first);
    let mut connections = send_to_gates(&server, 1..=2);
    wait_until("a second worker has been started", || count(&server) == 2);
    assert!(open_gates(&server, &mut connections).iter().all(|answer| answer.status == 200));
}

#[rstest]
fn what_may_be_idle_for_ever_stays() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference())
        .one_request_at_a_time()
        .max_pool_size(2)
        .argument("--pool-idle-time=0")
        .argument("--max-preloader-idle-time=1")
        .start();
    let mut connections = send_to_gates(&server, 1..=2);
    wait_until("there are 2 workers", || count(&server) == 2);
    assert!(open_gates(&server, &mut connections).iter().all(|answer| answer.status == 200));
    idle_preloaders(&server, 1);
    assert_eq!(count(&server), 2);
}

#[rstest]
fn an_application_may_start_with_its_first_request() {
    ours_only!("about Passenger's own pool");
    let app = App::reference();
    app.note_boots();
    let server = Server::of(app).argument("--no-pre-start").max_pool_size(2).argument("--min-instances=2").start();
    assert!(server.log().contains("starts with its first request"), "{}", server.log());
    assert_eq!(Status::of(&server).group()["state"], "asleep");
    assert!(server.app().boots().is_empty());
    assert_eq!(server.get("/hello").status, 200);
    wait_until("the minimum is kept now", || count(&server) == 2);
}

#[rstest]
fn the_pool_finds_out_its_size() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).argument("--max-pool-size=auto").start();
    let processors = std::thread::available_parallelism().expect("a number").get() as u64;
    assert_eq!(server.get("/hello").status, 200);
    let status = Status::of(&server);
    let (most, reason) = (&status.instance()["max_pool_size"], &status.instance()["max_pool_size_reason"]);
    assert!((1..=processors * 2).contains(&most.as_u64().expect("a number")), "{status:?}");
    assert!(
        reason.as_str().is_some_and(|reason| reason.contains("processor") || reason.contains("memory")),
        "{status:?}"
    );
    assert!(server.run_passenger(["status"]).stdout.contains(reason.as_str().expect("a reason")));
}

/// A server with several applications, each with its worker.
fn sites(configuration: &Value, names: &[&str]) -> Launch {
    let directory = App::empty("sites");
    for name in names {
        directory.write(&format!("{name}/{}", Language::current().startup_file()), Language::current().answering(name));
    }
    let mut command = passenger_tests::command::passenger(&passenger_tests::command::registry(&directory));
    let mut configuration = configuration.clone();
    configuration["apps"] = names.iter().map(|name| json!({ "root": name, "base_uri": format!("/{name}") })).collect();
    configuration["address"] = json!("127.0.0.1");
    configuration["port"] = json!(0);
    directory.write("Passengerfile.json", configuration.to_string());
    command.arg("start").arg(directory.root());
    Server::of(directory).by(command)
}

#[rstest]
fn one_that_must_keep_its_worker_gives_it_to_one_that_has_none() {
    ours_only!("about Passenger's own pool");
    let server = sites(&json!({ "max_pool_size": 1, "min_instances": 1 }), &["a", "b"]).start();
    for name in ["a", "b", "a", "b"] {
        assert_eq!(server.get(&format!("/{name}")).text(), name);
        let status = Status::of(&server);
        let workers = |index: usize| status.instance()["groups"][index]["workers"].as_array().expect("a list").len();
        assert!(workers(0) + workers(1) <= 1, "{status:?}");
    }
}
