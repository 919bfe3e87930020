//! Groups whose workers are tasks of this process: they answer at once, but for those requests that keep them busy.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::MsgFlags;
use nix::unistd::{Pid, Uid, pipe};
use passenger_agent::app::detect::{App, Start};
use passenger_agent::app::kind::AppKind;
use passenger_agent::app::process::ProcessConfig;
use passenger_agent::app::runtime::{Interpreters, Runtime};
use passenger_agent::app::user::{AppUser, UserRules};
use passenger_agent::pool::capacity::{Capacity, Size};
use passenger_agent::pool::exchange::{Exchange, Request};
use passenger_agent::pool::group::{Definition, Group, GroupConfig};
use passenger_agent::pool::limits::Limits;
use passenger_agent::pool::session::{Ending, Event, Session};
use passenger_agent::pool::turn::Turn;
use passenger_agent::spawn::reaper::Reaper;
use passenger_agent::spawn::system::System;
use passenger_agent::spawn::{Launch, Spawner};
use passenger_agent::sys;
use passenger_native::control::{self, FromProcess, MAX_MESSAGE};
use passenger_native::fds::{self, MAX_DESCRIPTORS, Receiver};
use passenger_native::frame::{self, END, HEADER_LEN, Header};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime as EventLoop;
use tokio::task::{LocalSet, spawn_local, yield_now};

/// What a request says of itself, in its route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is known to take 20 µs.
    Short = 1,
    /// It must be served at once.
    Unknown = 2,
    /// It is never answered.
    Endless = 3,
}

/// Groups with their workers, half of which are busy.
pub struct Stage {
    pub groups: Vec<Rc<Group>>,
    event_loop: EventLoop,
    tasks: LocalSet,
    directory: Rc<Path>,
    endless: Cell<Vec<Session>>,
}

impl Stage {
    pub fn new(groups: usize, workers: usize) -> Self {
        sys::limits::raise_open_files().expect("a thousand workers need ten thousand descriptors");
        let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
        let mut stage = Self {
            groups: Vec::new(),
            event_loop,
            tasks: LocalSet::new(),
            directory: Path::new("/tmp").into(),
            endless: Cell::default(),
        };
        stage.groups = stage.run(async {
            let turn = Rc::new(Turn::default());
            let capacity = Capacity::new(Size::Fixed(groups * workers), groups * workers);
            let reaper = Rc::new(Reaper::of(Box::new(InProcess(Cell::new(1_000_000_001)))));
            spawn_local({
                let turn = Rc::clone(&turn);
                async move { turn.run().await }
            });
            (0..groups).map(|_| group(workers, &turn, &capacity, &reaper)).collect()
        });
        stage.run(async {
            for group in &stage.groups {
                group.boot().await.unwrap_or_else(|error| panic!("{error}"));
                while group.size() < workers {
                    yield_now().await;
                }
                let (exchange, session) = stage.request(Kind::Short);
                group.submit(exchange);
                answer(session).await;
                for _ in 0..workers / 2 {
                    let (exchange, session) = stage.request(Kind::Endless);
                    group.submit(exchange);
                    let mut endless = stage.endless.take();
                    endless.push(session);
                    stage.endless.set(endless);
                }
            }
        });
        stage
    }

    pub fn run<R>(&self, work: impl Future<Output = R>) -> R {
        self.tasks.block_on(&self.event_loop, work)
    }

    pub fn request(&self, kind: Kind) -> (Rc<Exchange>, Session) {
        let route = kind as u32;
        // The route travels where the path would be.
        let mut frame = Vec::with_capacity(1024);
        let header = Header { flags: END, ..frame::header(frame::Kind::Request, 0) };
        frame::push(&mut frame, header, &[kind as u8; 300]).expect("it is small");
        let is_safe = kind == Kind::Short;
        let request = Request { frame, body: None, is_safe, route, is_websocket: false, is_health_check: false };
        let exchange = Exchange::new(Rc::new(request), Rc::clone(&self.directory));
        (Rc::clone(&exchange), Session::new(exchange))
    }
}

/// Waits until a request has been answered.
pub async fn answer(mut session: Session) {
    loop {
        match session.next().await {
            Event::End(Ending::Complete) => return,
            Event::End(ending) => panic!("not answered: {ending:?}"),
            _ => {}
        }
    }
}

fn group(workers: usize, turn: &Rc<Turn>, capacity: &Rc<Capacity>, reaper: &Rc<Reaper>) -> Rc<Group> {
    let root = Path::new("/tmp").to_owned();
    let app = App {
        name: "bench".to_owned(),
        kind: AppKind::Rack,
        start: Start::File(root.join("config.ru")),
        root,
        app_dir: None,
    };
    let config = GroupConfig {
        max_workers: workers,
        min_workers: workers,
        threads: 1,
        pre_start: true,
        idle_time: None,
        preloader_idle_time: None,
        max_queue: 0,
        max_requests: 0,
        refork_after: Vec::new(),
        limits: Limits::default(),
        max_concurrent_requests: 0,
        rolling_restarts: true,
        resist_deployment_errors: true,
        shutdown_timeout: Duration::from_secs(30),
        environment: "production".to_owned(),
    };
    let interpreters = Interpreters { ruby: Some("/bin/true".into()), python: None };
    let runtime = Runtime::find(&app, &interpreters).expect("PASSENGER_RUBY_LIBDIR names ruby/lib");
    let launch = Rc::new(Launch {
        app: app.clone(),
        runtime,
        environment: config.environment.clone(),
        user: Rc::new(AppUser::of(&app, UserRules::default()).expect("no other user")),
        processes: ProcessConfig::default(),
        slots: 1,
        start_timeout: Duration::from_secs(60),
        show_errors: false,
        progress: Box::new(|_| {}),
    });
    let reaper = Rc::clone(reaper);
    let new_spawner = move || Rc::new(Spawner::new(Rc::clone(&launch), false, Rc::clone(&reaper)));
    let definition = Definition { app, config, new_spawner: Box::new(new_spawner) };
    Group::new(definition, Rc::clone(turn), Rc::clone(capacity))
}

/// An operating system whose processes are tasks. They end with the event loop.
struct InProcess(Cell<i32>);

impl System for InProcess {
    fn start(&self, _: &mut Command, control: OwnedFd, output: OwnedFd) -> io::Result<Pid> {
        let pid = self.0.replace(self.0.get() + 1);
        sys::socket::set_nonblocking(&control)?;
        let control = sys::watch::register(control, Interest::READABLE)?;
        spawn_local(async move {
            let _output = output;
            serve(pid, control).await.expect("a worker's life");
        });
        Ok(Pid::from_raw(pid))
    }

    fn watch(&self, _: Pid) -> io::Result<OwnedFd> {
        let (watch, life) = pipe()?;
        // Never closed, as it never ends.
        std::mem::forget(life);
        Ok(watch)
    }

    fn is_from(&self, _: Pid, _: Pid, _: Option<Uid>) -> io::Result<bool> {
        Ok(true)
    }

    fn signal_group(&self, _: Pid, _: Signal) {}
}

/// What a worker does: it takes its slots, says that it is ready, and answers.
async fn serve(pid: i32, control: AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut receiver = Receiver::new(MAX_DESCRIPTORS);
    let mut packet = vec![0; MAX_MESSAGE];
    loop {
        let mut guard = control.readable().await?;
        match receiver.receive(control.as_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                guard.clear_ready();
                continue;
            }
            Err(error) => return Err(error),
        }
        for slot in receiver.take_all() {
            sys::socket::set_nonblocking(&slot)?;
            let slot = sys::watch::register(slot, Interest::READABLE)?;
            spawn_local(async move { answer_requests(slot).await.expect("a slot's life") });
        }
        let ready = control::encode(&FromProcess::Ready { pid, multiplexed: false })?;
        fds::send(control.as_fd(), &[io::IoSlice::new(&ready)], &[], MsgFlags::MSG_DONTWAIT)?;
    }
}

async fn answer_requests(slot: AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut guard = slot.readable().await?;
        let length = match nix::unistd::read(&slot, &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(Errno::EAGAIN) => {
                guard.clear_ready();
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (mut answers, mut rest) = (Vec::new(), &buffer[..length]);
        while let Some(header) = Header::decode(rest)? {
            // One at a time is sent, so that a frame comes whole.
            let (request, others) = rest.split_at(header.frame_len());
            rest = others;
            let value = match request[HEADER_LEN] {
                kind if kind == Kind::Endless as u8 => continue,
                kind if kind == Kind::Short as u8 => 20,
                _ => 5000,
            };
            let end = Header { flags: END, aux: 200, value, ..frame::header(frame::Kind::Response, header.stream) };
            frame::push(&mut answers, end, &[0; 4])?;
        }
        nix::unistd::write(&slot, &answers)?;
    }
}
