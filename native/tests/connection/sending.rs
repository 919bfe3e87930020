//! Frames out.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::thread;

use nix::sys::signal::{SigHandler, Signal, signal};
use passenger_native::connection::{Connection, Flushed};
use passenger_native::frame::{self, Header, Kind, MAX_PAYLOAD};
use proptest::prelude::*;

use crate::{frames, marked, pair, receive_all, upgrade};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_one_connection_flushes_the_other_receives(frames in frames(), flush_every in 1..6_usize, wait: bool) {
        let (peer, mut connection) = pair();
        let sent = frames.clone();
        let sender = thread::spawn(move || {
            let mut sender = Connection::new(OwnedFd::from(peer));
            for (index, frame) in sent.iter().enumerate() {
                match frame {
                    Ok(payload) => frame::push(sender.output(), frame::header(Kind::Data, 1), payload).unwrap(),
                    Err(mark) => {
                        sender.attach(marked(*mark));
                        frame::push(sender.output(), upgrade(), b"").unwrap();
                    }
                }
                if index % flush_every == 0 {
                    sender.flush(b"", wait).unwrap();
                }
            }
            sender.flush(b"", true).unwrap();
            assert_eq!(sender.pending(), 0);
        });
        prop_assert_eq!(receive_all(&mut connection), frames);
        sender.join().unwrap();
    }
}

#[test]
fn a_descriptor_without_a_frame_does_not_ride_with_a_later_one() {
    let (peer, mut connection) = pair();
    let mut sender = Connection::new(OwnedFd::from(peer));
    frame::push(sender.output(), frame::header(Kind::Data, 1), &[0; 100]).unwrap();
    sender.attach(marked(1));
    sender.flush(b"", true).unwrap();
    frame::push(sender.output(), frame::header(Kind::Data, 1), b"").unwrap();
    sender.attach(marked(2));
    frame::push(sender.output(), upgrade(), b"").unwrap();
    sender.flush(b"", true).unwrap();
    drop(sender);
    assert_eq!(receive_all(&mut connection), [Ok(vec![0; 100]), Ok(vec![]), Err(2)]);
}

#[test]
fn a_full_channel_takes_what_it_can_of_output_and_tail() {
    let (peer, mut connection) = pair();
    let tail: Vec<u8> = (0..MAX_PAYLOAD).map(|index| index as u8).collect();
    let mut sender = Connection::new(OwnedFd::from(peer));
    frame::push(sender.output(), frame::header(Kind::Data, 1), b"first").unwrap();
    sender.attach(marked(7));
    frame::push(sender.output(), upgrade(), b"").unwrap();
    let head = Header { length: tail.len() as u32, ..frame::header(Kind::Data, 1) };
    sender.output().extend_from_slice(&head.encode());

    let first = sender.flush(&tail, false).unwrap();
    assert!(!first.all && first.taken > 0 && first.taken < tail.len(), "{first:?}");
    assert_eq!(sender.pending(), 0);
    let again = sender.flush(&tail[first.taken..], false).unwrap();
    assert_eq!(again, Flushed { taken: 0, all: false });

    let expected = [Ok(b"first".to_vec()), Err(7), Ok(tail.clone())];
    let receiver = thread::spawn(move || receive_all(&mut connection));
    let rest = &tail[first.taken..];
    assert_eq!(sender.flush(rest, true).unwrap(), Flushed { taken: rest.len(), all: true });
    drop(sender);
    assert!(receiver.join().unwrap() == expected);
}

#[test]
fn a_full_channel_keeps_its_output_and_more_may_be_added() {
    let (peer, mut connection) = pair();
    let mut sender = Connection::new(OwnedFd::from(peer));
    let body = vec![3; 700_000];
    frame::push(sender.output(), frame::header(Kind::Data, 1), &body).unwrap();
    assert_eq!(sender.flush(b"", false).unwrap(), Flushed { taken: 0, all: false });
    assert!((1..body.len()).contains(&sender.pending()));
    sender.attach(marked(4));
    frame::push(sender.output(), upgrade(), b"").unwrap();
    assert!(!sender.flush(b"", false).unwrap().all);
    let receiver = thread::spawn(move || receive_all(&mut connection));
    assert!(sender.flush(b"", true).unwrap().all);
    drop(sender);
    assert!(receiver.join().unwrap() == [Ok(body), Err(4)]);
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    // Rust ignores SIGPIPE, other languages may not: only so does the test prove anything.
    // SAFETY: the default disposition runs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    let (peer, mut connection) = pair();
    drop(peer);
    frame::push(connection.output(), frame::header(Kind::Cancel, 1), b"").unwrap();
    for wait in [false, true] {
        assert_eq!(connection.flush(b"", wait).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
    assert_eq!(connection.receive(true).unwrap(), 0);
}
