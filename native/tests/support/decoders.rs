//! Every decoder on bytes that anybody may have sent. A panic is a failure, and so is a value that is not what was
//! read. Used by the property tests, the fuzz test, and the cargo-fuzz target.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a failed expectation is the point")]

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use passenger_native::connection::Connection;
use passenger_native::control::{self, FromProcess, MAX_MESSAGE, ToProcess};
use passenger_native::error::ProtocolError;
use passenger_native::frame::{self, HEADER_LEN, Header, Kind};
use passenger_native::headers::{self, HeaderBlock};
use passenger_native::request::{self, Body};
use passenger_native::response::{self, FileRange, ResponseWriter};

/// Gives `data` to every decoder.
pub(crate) fn all(data: &[u8]) {
    frames(data);
    header_block(data);
    for kind in [Kind::Request, Kind::Response, Kind::Informational, Kind::File] {
        for aux in [0, 1, 103, 200] {
            payload(&Header { aux, ..frame::header(kind, 1) }, data);
        }
    }
    control_message(data);
    let id = headers::id_of(data);
    assert!(id == 0 || headers::KNOWN[usize::from(id)].as_bytes().eq_ignore_ascii_case(data));
}

/// `data` as what arrives on a data channel: taken from the slice and read from a socket must be the same.
fn frames(data: &[u8]) {
    let mut expected = Vec::new();
    let mut rest = data;
    let end = loop {
        match Header::decode(rest) {
            Ok(Some(header)) if header.frame_len() <= rest.len() => {
                assert_eq!(header.encode(), rest[..HEADER_LEN], "a header is what was read");
                let (frame, after) = rest.split_at(header.frame_len());
                payload(&header, &frame[HEADER_LEN..]);
                if header.descriptors() > 0 {
                    break Some(ProtocolError::MissingDescriptor);
                }
                expected.push((header, frame[HEADER_LEN..].to_vec()));
                rest = after;
            }
            Ok(_) => break None,
            Err(error) => break Some(error),
        }
    };
    // More would fill the socket before anybody reads.
    if data.len() < 64 * 1024 {
        assert_eq!(read_from_socket(data), (expected, end));
    }
}

fn read_from_socket(data: &[u8]) -> (Vec<(Header, Vec<u8>)>, Option<ProtocolError>) {
    let (mut peer, socket) = UnixStream::pair().unwrap();
    peer.write_all(data).unwrap();
    drop(peer);
    let mut connection = Connection::new(OwnedFd::from(socket));
    let mut frames = Vec::new();
    loop {
        match connection.next_frame() {
            Ok(Some((header, payload))) => frames.push((header, connection.bytes(payload).to_vec())),
            Ok(None) if connection.receive(true).unwrap() == 0 => return (frames, None),
            Ok(None) => {}
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// A payload, read as what its header says.
fn payload(header: &Header, payload: &[u8]) {
    match header.kind {
        Kind::Request => request_payload(header, payload),
        Kind::Response | Kind::Informational => response_payload(header, payload),
        Kind::File => {
            if let Ok(range) = FileRange::decode(payload) {
                assert_eq!(range.encode(), payload);
                assert!(range.offset + range.length <= i64::MAX as u64);
            }
        }
        Kind::Data | Kind::Window | Kind::Message | Kind::Upgrade | Kind::Cancel => {}
    }
}

fn request_payload(header: &Header, payload: &[u8]) {
    let Ok(read) = request::decode(header, payload) else { return };
    if let Body::Inline(bytes) = read.body {
        assert_within(payload, bytes);
        assert_eq!(bytes.len() as u64, read.line.body_len);
    }
    for part in [read.line.method, read.line.target, read.line.peer] {
        assert_within(payload, part);
    }
    assert!(usize::from(read.line.script_len) <= read.line.target.len());
    let mut out = Vec::new();
    request::encode(&mut out, header.stream, false, &read.line, read.body, |block| {
        for entry in read.headers.iter() {
            match entry.id {
                0 => block.named(entry.name, entry.value),
                id => block.known(id, entry.value),
            }
        }
    })
    .unwrap();
    let header = Header::decode(&out).unwrap().unwrap();
    assert_eq!(request::decode(&header, &out[HEADER_LEN..]), Ok(read), "encoding what was read gives the same");
}

fn response_payload(header: &Header, payload: &[u8]) {
    let Ok(read) = response::decode(header, payload) else { return };
    assert_within(payload, read.body);
    let mut out = Vec::new();
    let mut writer = ResponseWriter::new(&mut out);
    for entry in read.headers.iter() {
        writer.header(entry.name, entry.value).unwrap();
    }
    writer.finish(*header, read.body).unwrap();
    assert_eq!(&out[HEADER_LEN..], payload, "encoding what was read gives the same");
}

fn header_block(data: &[u8]) {
    let Ok((block, rest)) = HeaderBlock::split_from(data) else { return };
    assert_within(data, rest);
    let mut length = 4 + rest.len();
    for entry in block.iter() {
        assert_within(data, entry.name);
        assert_within(data, entry.value);
        assert!(usize::from(entry.id) < headers::KNOWN.len());
        length += 8 + entry.name.len() + entry.value.len();
    }
    assert_eq!(length, data.len(), "every byte belongs to a header or to what follows");
}

fn control_message(data: &[u8]) {
    let data = &data[..data.len().min(MAX_MESSAGE)];
    if let Ok(message) = control::decode::<ToProcess>(data)
        && let Ok(packet) = control::encode(&message)
    {
        assert_eq!(control::decode::<ToProcess>(&packet), Ok(message));
    }
    if let Ok(message) = control::decode::<FromProcess>(data)
        && let Ok(packet) = control::encode(&message)
    {
        assert_eq!(control::decode::<FromProcess>(&packet), Ok(message));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        control::encode(&FromProcess::failed(text, text, text)).unwrap();
    }
}

/// That `part` is a piece of `whole` and not of what lies beside it in memory.
fn assert_within(whole: &[u8], part: &[u8]) {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    assert!(whole.start <= part.start && part.end <= whole.end);
}
