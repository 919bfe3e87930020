//! Control messages: those in `docs/protocol.md`, texts of any kind, and the socket that carries them.
#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair};
use passenger_native::control::{
    self, App, ControlSocket, FromProcess, Interface, MAX_MESSAGE, MAX_OUTPUT, PROTOCOL, ToProcess,
};
use passenger_native::error::ProtocolError;
use passenger_native::fds;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

#[path = "support/document.rs"]
mod document;

#[test]
fn control_messages_are_as_the_document_shows() {
    let app = App {
        root: "/srv/shop".to_owned(),
        startup_file: Some("/srv/shop/config.ru".to_owned()),
        entry: None,
        factory: false,
        app_dir: None,
        interface: Some(Interface::Rack),
        environment: "production".to_owned(),
        multithread: false,
        show_errors: false,
    };
    let python = App {
        startup_file: None,
        entry: Some("shop.web:create_app".to_owned()),
        factory: true,
        app_dir: Some("/srv/shop/src".to_owned()),
        interface: None,
        multithread: true,
        ..app.clone()
    };
    let to = [
        ToProcess::Load { protocol: 2, app, slots: None },
        ToProcess::Load { protocol: 2, app: python, slots: Some(4) },
        ToProcess::Spawn { ticket: 7, slots: 1 },
        ToProcess::OobWork,
        ToProcess::Promote,
    ];
    let from = [
        FromProcess::Hello { protocol: 2, language: "ruby".to_owned(), version: "3.4.11".to_owned() },
        FromProcess::Progress { step: "loading config.ru".to_owned() },
        FromProcess::Spawned { ticket: 7, pid: 4711 },
        FromProcess::Ready { pid: 4711, multiplexed: false },
        FromProcess::failed(
            "loading config.ru",
            "LoadError: cannot load such file -- sinatra",
            "config.ru:1:in `require': cannot load such file -- sinatra (LoadError)\n",
        ),
        FromProcess::Exited { pid: 4711, code: None, signal: Some(9) },
        FromProcess::Leaving { pid: 4711 },
        FromProcess::OobWorkDone { pid: 4711 },
    ];
    let examples = document::messages();
    assert_eq!(examples.len(), to.len() + from.len());
    let (examples_to, examples_from) = examples.split_at(to.len());
    examples_to.iter().zip(to).for_each(|(example, message)| assert_same(example, &message));
    examples_from.iter().zip(from).for_each(|(example, message)| assert_same(example, &message));
}

fn assert_same<T: Serialize + DeserializeOwned + PartialEq + Debug>(example: &str, message: &T) {
    assert_eq!(&control::decode::<T>(example.as_bytes()).unwrap(), message);
    let json: Value = serde_json::from_slice(&control::encode(message).unwrap()).unwrap();
    assert_eq!(json, serde_json::from_str::<Value>(example).unwrap());
}

#[test]
fn another_version_is_refused_by_name() {
    assert_eq!(control::check_version(PROTOCOL), Ok(()));
    let error = control::check_version(PROTOCOL + 1).unwrap_err();
    assert_eq!(error, ProtocolError::Version { ours: PROTOCOL, theirs: PROTOCOL + 1 });
    assert!(error.to_string().contains(&(PROTOCOL + 1).to_string()));
}

#[test]
fn what_a_newer_version_may_add_is_ignored_and_what_it_may_not_is_refused() {
    let known = br#"{"message":"ready","pid":1,"later":[{}]}"#;
    assert_eq!(control::decode::<FromProcess>(known).unwrap(), FromProcess::Ready { pid: 1, multiplexed: false });
    for unknown in
        ["{}", "[]", "", "\0", r#"{"message":"later"}"#, r#"{"message":"ready"}"#, r#"{"message":"ready","pid":"1"}"#]
    {
        let error = control::decode::<FromProcess>(unknown.as_bytes()).unwrap_err();
        assert!(matches!(error, ProtocolError::Message(_)), "{unknown}");
    }
    // Nested deeper than any stack.
    let bomb = format!(r#"{{"message":"ready","pid":{}"#, "[".repeat(MAX_MESSAGE - 30));
    assert!(control::decode::<FromProcess>(bomb.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn a_failure_always_fits(step in ".{0,9}", reason in any_text(), output in any_text()) {
        let message = FromProcess::failed(&step, &reason, &output);
        let FromProcess::Failed { reason: kept, output: tail, .. } = &message else { unreachable!() };
        prop_assert!(reason.starts_with(kept) && output.ends_with(tail));
        let packet = control::encode(&message).unwrap();
        prop_assert_eq!(control::decode::<FromProcess>(&packet).unwrap(), message);
    }

    #[test]
    fn the_tail_is_as_long_as_it_may_be(output in any_text()) {
        let tail = control::tail(&output);
        let length = |text: &str| serde_json::to_string(text).unwrap().len() - 2;
        prop_assert!(length(tail) <= MAX_OUTPUT);
        prop_assert!(tail.len() == output.len() || length(tail) > MAX_OUTPUT - 6);
    }
}

/// Short and very long texts, of characters that JSON writes in one, two, four and six bytes.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![Just("a"), Just("\n"), Just("\""), Just("\u{1b}"), Just("é"), Just("🍵"), Just("\u{7f}")];
    (prop::collection::vec(piece, 0..40), 1..4000_usize).prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
}

fn send(socket: &OwnedFd, packet: &[u8], descriptors: &[OwnedFd]) -> io::Result<usize> {
    let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    fds::send(socket.as_fd(), &[IoSlice::new(packet)], &descriptors, MsgFlags::empty())
}

#[test]
fn an_order_arrives_with_its_descriptors_in_order() {
    let (agent, process) = pair();
    let mut process = ControlSocket::new(process);
    let order = ToProcess::Spawn { ticket: 3, slots: 1 };
    let (readers, writers): (Vec<PipeReader>, Vec<_>) = (0..3).map(|_| io::pipe().unwrap()).unzip();
    let writers: Vec<OwnedFd> = writers.into_iter().map(OwnedFd::from).collect();
    send(&agent, &control::encode(&order).unwrap(), &writers).unwrap();
    drop(writers);

    let (message, descriptors) = process.receive().unwrap().unwrap();
    assert_eq!(message, order);
    assert_eq!(descriptors.len(), 3);
    for (mut reader, descriptor) in readers.into_iter().zip(descriptors) {
        drop(descriptor);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "this descriptor was the pipe's only writer");
    }
}

#[test]
fn packets_stay_apart() {
    let (agent, process) = pair();
    let mut process = ControlSocket::new(process);
    for ticket in 0..5 {
        send(&agent, &control::encode(&ToProcess::Spawn { ticket, slots: 1 }).unwrap(), &[]).unwrap();
    }
    for expected in 0..5 {
        let (message, descriptors) = process.receive().unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (ToProcess::Spawn { ticket: expected, slots: 1 }, 0));
    }
}

#[test]
fn the_end_of_the_channel_is_no_message() {
    let (agent, process) = pair();
    drop(agent);
    let mut process = ControlSocket::new(process);
    assert!(process.receive().unwrap().is_none());
    let error = process.send(&FromProcess::Ready { pid: 1, multiplexed: false }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_packet_that_is_no_message_is_an_error() {
    let (agent, process) = pair();
    let mut process = ControlSocket::new(process);
    let of_length = |length: usize| {
        let order = r#""message":"spawn","ticket":1,"slots":1}"#;
        format!("{{{}{order}", " ".repeat(length - 1 - order.len())).into_bytes()
    };
    send(&agent, &of_length(MAX_MESSAGE), &[]).unwrap();
    assert!(process.receive().is_ok(), "just the limit");
    let too_long = of_length(MAX_MESSAGE + 1);
    assert!(control::encode(&FromProcess::Progress { step: "a".repeat(MAX_MESSAGE) }).is_err());
    for packet in [&b"hello"[..], b"{}", &too_long] {
        send(&agent, packet, &[]).unwrap();
        assert_eq!(process.receive().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
