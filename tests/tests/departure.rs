//! A worker that leaves by itself, because somebody told it to: nothing that it began is lost, and nothing that it did not.

use nix::sys::signal::Signal;
use passenger_tests::{App, Language, Process, Request, Server, Status, ours_only, wait_until};
use rstest::rstest;

#[rstest]
fn it_finishes_what_it_has(#[values(1, 3)] threads: u32) {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).threads(threads).max_pool_size(2).start();
    let mut connection = server.connect();
    connection.send(Request::post("/wait/leaving", "").to_bytes());
    let leaving = server.app().worker_at_gate("leaving");
    leaving.signal(Signal::SIGTERM);
    wait_until("others are served by another", || {
        let answer = server.get("/pid");
        assert_eq!(answer.status, 200);
        Process(answer.number()) != leaving
    });
    assert!(leaving.is_alive());
    server.app().open_gate("leaving");
    assert_eq!(connection.receive().status, 200);
    leaving.wait_until_gone();
    assert_eq!(server.get("/hello").status, 200);
}

#[rstest]
fn it_finishes_a_large_answer() {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).max_pool_size(2).start();
    for _ in 0..3 {
        let leaving = Process(server.get("/pid").number());
        let mut connection = server.connect();
        connection.send(Request::get("/big-stream/30000000").to_bytes());
        wait_until("it has begun", || connection.has_received());
        leaving.signal(Signal::SIGTERM);
        assert_eq!(connection.receive().body.len(), 30_000_000);
        leaving.wait_until_gone();
    }
}

#[rstest]
fn it_costs_no_request(#[values(1, 3)] threads: u32) {
    ours_only!("about Passenger's own pool");
    let server = Server::of(App::reference()).threads(threads).max_pool_size(2).start();
    let mut connection = server.connect();
    for _ in 0..10 {
        let leaving = Process(connection.request(&Request::get("/pid")).number());
        leaving.signal(Signal::SIGTERM);
        for _ in 0..5 {
            // Not a safe method, which might be repeated.
            assert_eq!(connection.request(&Request::post("/hello", "")).status, 200);
        }
    }
}

#[rstest]
fn it_says_goodbye() {
    ours_only!("about Passenger's own hooks");
    let app = App::reference();
    match Language::current() {
        Language::Ruby => {
            app.write("config/passenger.rb", "on_worker_shutdown { sleep 0.3; File.write(\"farewell\", \"\") }\n");
        }
        Language::Wsgi | Language::Asgi => app.write(
            "config/passenger.py",
            "import passenger, time\n\n@passenger.on('worker_shutdown')\ndef say_goodbye():\n    time.sleep(0.3)\n    \
             open('farewell', 'w').close()\n",
        ),
    }
    let server = Server::of(app).start();
    let leaving = Status::of(&server).worker_processes()[0];
    leaving.signal(Signal::SIGTERM);
    wait_until("it has said goodbye", || server.app().has("farewell"));
    leaving.wait_until_gone();
    server.wait_for_log(&format!("worker {} has left by itself", leaving.0));
}
