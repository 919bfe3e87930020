//! A data channel over a real socket pair: frames in pieces and in heaps, each with its own descriptor, and a channel
//! that is full or broken.
#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

mod receiving;
mod sending;

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use passenger_native::connection::Connection;
use passenger_native::frame::{self, END, Header, Kind};
use proptest::prelude::*;

fn pair() -> (UnixStream, Connection) {
    let (peer, socket) = UnixStream::pair().unwrap();
    (peer, Connection::new(OwnedFd::from(socket)))
}

/// A descriptor from which `mark` can be read once.
fn marked(mark: u8) -> OwnedFd {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&[mark]).unwrap();
    reader.into()
}

fn mark_of(descriptor: OwnedFd) -> u8 {
    let mut mark = Vec::new();
    PipeReader::from(descriptor).read_to_end(&mut mark).unwrap();
    mark[0]
}

fn data(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::push(&mut out, frame::header(Kind::Data, 1), payload).unwrap();
    out
}

fn upgrade() -> Header {
    Header { flags: END, aux: 1, ..frame::header(Kind::Upgrade, 1) }
}

/// What was sent: the payload of a Data frame, or the mark of an Upgrade's descriptor.
type Sent = Result<Vec<u8>, u8>;

/// Reads frames up to the end of the channel.
fn receive_all(connection: &mut Connection) -> Vec<Sent> {
    let mut received = Vec::new();
    loop {
        match connection.next_frame().unwrap() {
            Some((header, _)) if header.kind == Kind::Upgrade => {
                received.push(Err(mark_of(connection.take_descriptor().unwrap())));
            }
            Some((_, payload)) => received.push(Ok(connection.bytes(payload).to_vec())),
            None if connection.receive(true).unwrap() == 0 => return received,
            None => {}
        }
    }
}

fn frames() -> impl Strategy<Value = Vec<Sent>> {
    let payload = prop_oneof![4 => 0..200_usize, 1 => 15_000..40_000_usize];
    let body = (payload, any::<u8>()).prop_map(|(length, byte)| Ok(vec![byte; length]));
    prop::collection::vec(prop_oneof![3 => body, 1 => any::<u8>().prop_map(Err)], 1..20)
}
