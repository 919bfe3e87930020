//! Frames in.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::sys::socket::MsgFlags;
use passenger_native::connection::Connection;
use passenger_native::error::ProtocolError;
use passenger_native::fds;
use passenger_native::frame::{self, HEADER_LEN, Header, Kind, MAX_PAYLOAD};
use proptest::prelude::*;

use crate::{Sent, data, frames, mark_of, marked, pair, receive_all, upgrade};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_arrive_however_they_are_cut(frames in frames(), cuts in prop::collection::vec(1..3000_usize, 1..30)) {
        let (mut peer, mut connection) = pair();
        let sent = frames.clone();
        let sender = thread::spawn(move || {
            let mut cuts = cuts.iter().cycle();
            for frame in &sent {
                let (wire, descriptor) = match frame {
                    Ok(payload) => (data(payload), None),
                    Err(mark) => (upgrade().encode().to_vec(), Some(marked(*mark))),
                };
                // The descriptor goes with the first byte.
                let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
                fds::send(peer.as_fd(), &[IoSlice::new(&wire[..1])], &descriptors, MsgFlags::empty()).unwrap();
                let mut rest = &wire[1..];
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                    peer.write_all(piece).unwrap();
                    rest = after;
                }
            }
        });
        prop_assert_eq!(receive_all(&mut connection), frames);
        sender.join().unwrap();
    }
}

#[test]
fn one_read_takes_every_frame_that_is_there() {
    let (mut peer, mut connection) = pair();
    let mut wire: Vec<u8> = (0..100).flat_map(|byte| data(&[byte])).collect();
    wire.extend_from_slice(&data(b"cut")[..HEADER_LEN]);
    peer.write_all(&wire).unwrap();
    assert_eq!(connection.receive(false).unwrap(), wire.len());
    for byte in 0..100 {
        assert_eq!(connection.buffered().count(), 100 - usize::from(byte));
        assert_eq!(connection.peek().unwrap(), connection.buffered().next());
        let (_, payload) = connection.next_frame().unwrap().unwrap();
        assert_eq!(connection.bytes(payload), [byte]);
    }
    assert_eq!(connection.next_frame(), Ok(None));
    assert_eq!(connection.receive(false).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn the_longest_frames_pass() {
    let (mut peer, mut connection) = pair();
    let sender =
        thread::spawn(move || (0..3).for_each(|byte| peer.write_all(&data(&vec![byte; MAX_PAYLOAD])).unwrap()));
    let expected: Vec<Sent> = (0..3).map(|byte| Ok(vec![byte; MAX_PAYLOAD])).collect();
    assert!(receive_all(&mut connection) == expected);
    sender.join().unwrap();
}

#[test]
fn a_longer_frame_is_refused_before_it_is_received() {
    let (mut peer, mut connection) = pair();
    let header = Header { length: MAX_PAYLOAD as u32 + 1, ..frame::header(Kind::Data, 1) };
    peer.write_all(&header.encode()).unwrap();
    connection.receive(true).unwrap();
    assert_eq!(connection.next_frame(), Err(ProtocolError::PayloadTooLong(MAX_PAYLOAD + 1)));
    assert_eq!(connection.receive(false).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_peer_that_closes_inside_a_frame_leaves_no_frame() {
    let (mut peer, mut connection) = pair();
    peer.write_all(&data(b"hello")[..HEADER_LEN + 2]).unwrap();
    drop(peer);
    assert_eq!(connection.receive(true).unwrap(), HEADER_LEN + 2);
    assert_eq!(connection.next_frame(), Ok(None));
    assert_eq!(connection.receive(true).unwrap(), 0);
    assert_eq!(connection.next_frame(), Ok(None));
}

#[test]
fn a_descriptor_nobody_asks_for_is_closed_and_the_next_frame_has_its_own() {
    let (peer, mut connection) = pair();
    let mut sender = Connection::new(OwnedFd::from(peer));
    let (mut skipped, writer) = io::pipe().unwrap();
    for descriptor in [writer.into(), marked(2)] {
        sender.attach(descriptor);
        frame::push(sender.output(), upgrade(), b"").unwrap();
    }
    sender.flush(b"", true).unwrap();
    drop(sender);
    while connection.receive(true).unwrap() > 0 {}
    connection.next_frame().unwrap().unwrap();
    connection.next_frame().unwrap().unwrap();
    assert_eq!(mark_of(connection.take_descriptor().unwrap()), 2);
    assert_eq!(connection.take_descriptor().unwrap_err(), ProtocolError::MissingDescriptor);
    assert_eq!(skipped.read(&mut [0]).unwrap(), 0, "the writing end is closed");
}

#[test]
fn an_announced_descriptor_must_come() {
    let (mut peer, mut connection) = pair();
    peer.write_all(&upgrade().encode()).unwrap();
    connection.receive(true).unwrap();
    assert_eq!(connection.next_frame(), Err(ProtocolError::MissingDescriptor));
}
