//! Requests.

use passenger_native::error::ProtocolError;
use passenger_native::frame::{HEADER_LEN, Header, MAX_PAYLOAD};
use passenger_native::headers::{BlockWriter, KNOWN};
use passenger_native::request::{self, Body, Protocol, RequestLine, Scheme};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bytes;

/// A request as the test owns it.
#[derive(Debug)]
struct Sample {
    line: (Protocol, Scheme, u16, u16),
    method: Vec<u8>,
    target: Vec<u8>,
    script_len: u16,
    peer: Vec<u8>,
    /// The body, or the length of the file that holds it.
    body: Result<Vec<u8>, u64>,
    headers: Vec<(u16, Vec<u8>, Vec<u8>)>,
}

impl Sample {
    fn line(&self) -> RequestLine<'_> {
        let (protocol, scheme, peer_port, local_port) = self.line;
        let (method, target, peer, script_len) = (&*self.method, &*self.target, &*self.peer, self.script_len);
        let body_len = self.body.as_ref().map_or_else(|length| *length, |bytes| bytes.len() as u64);
        RequestLine { protocol, scheme, method, target, script_len, peer, peer_port, local_port, body_len }
    }

    fn body(&self) -> Body<'_> {
        self.body.as_ref().map_or(Body::Descriptor, |bytes| Body::Inline(bytes))
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        request::encode(out, 9, true, &self.line(), self.body(), |block| {
            for (id, name, value) in &self.headers {
                match id {
                    0 => block.named(name, value),
                    id => block.known(*id, value),
                }
            }
        })
    }
}

fn request_header() -> impl Strategy<Value = (u16, Vec<u8>, Vec<u8>)> {
    let named = (Just(0), bytes(1..40), bytes(0..60));
    let known = (1..KNOWN.len() as u16, Just(Vec::new()), bytes(0..60));
    prop_oneof![named, known]
}

prop_compose! {
    fn sample()(
        line in (
            prop_oneof![Just(Protocol::Http10), Just(Protocol::Http11)],
            prop_oneof![Just(Scheme::Http), Just(Scheme::Https)],
            any::<u16>(),
            any::<u16>(),
        ),
        method in bytes(1..=255),
        target in bytes(1..300),
        script_len in any::<prop::sample::Index>(),
        peer in bytes(0..=255),
        body in prop_oneof![bytes(0..300).prop_map(Ok), any::<u64>().prop_map(Err)],
        headers in vec(request_header(), 0..12),
    ) -> Sample {
        let script_len = script_len.index(target.len() + 1) as u16;
        Sample { line, method, target, script_len, peer, body, headers }
    }
}

proptest! {
    #[test]
    fn any_request_comes_back(sample in sample(), before in bytes(0..20)) {
        let mut wire = before.clone();
        sample.encode(&mut wire).unwrap();
        prop_assert!(wire.starts_with(&before));
        let wire = &wire[before.len()..];
        let header = Header::decode(wire).unwrap().unwrap();
        prop_assert_eq!((header.frame_len(), header.stream), (wire.len(), 9));
        let request = request::decode(&header, &wire[HEADER_LEN..]).unwrap();
        prop_assert_eq!(request.line, sample.line());
        prop_assert_eq!(request.body, sample.body());
        let headers: Vec<_> = request.headers.iter().map(|h| (h.id, h.name.to_vec(), h.value.to_vec())).collect();
        prop_assert_eq!(headers, sample.headers);
    }

    #[test]
    fn a_request_cut_anywhere_is_refused(sample in sample()) {
        let mut wire = Vec::new();
        sample.encode(&mut wire).unwrap();
        let header = Header::decode(&wire).unwrap().unwrap();
        for cut in HEADER_LEN..wire.len() {
            prop_assert!(request::decode(&header, &wire[HEADER_LEN..cut]).is_err(), "cut at {}", cut);
        }
        wire.push(0);
        prop_assert!(request::decode(&header, &wire[HEADER_LEN..]).is_err(), "one byte more");
    }
}

fn simple(target: &[u8], body_len: u64) -> RequestLine<'_> {
    RequestLine {
        protocol: Protocol::Http11,
        scheme: Scheme::Http,
        method: b"GET",
        target,
        script_len: 0,
        peer: b"",
        peer_port: 0,
        local_port: 0,
        body_len,
    }
}

#[test]
fn a_request_that_cannot_be_encoded_leaves_nothing_behind() {
    let long = vec![b'a'; MAX_PAYLOAD];
    let no_headers: fn(&mut BlockWriter<'_>) = |_| {};
    let long_name: fn(&mut BlockWriter<'_>) = |block| block.cgi(&[b'a'; 65_531], b"");
    let lines = [
        (RequestLine { method: &long[..256], ..simple(b"/", 0) }, no_headers, "method over 255 bytes"),
        (RequestLine { peer: &long[..256], ..simple(b"/", 0) }, no_headers, "peer over 255 bytes"),
        (RequestLine { method: b"", ..simple(b"/", 0) }, no_headers, "no method"),
        (simple(b"", 0), no_headers, "no target"),
        (RequestLine { script_len: 2, ..simple(b"/", 0) }, no_headers, "base URI longer than the target"),
        (simple(b"/", 1), no_headers, "body shorter than said"),
        (simple(&long, 0), no_headers, "frame over the limit"),
        (simple(b"/", 0), long_name, "header name over 65,535 bytes"),
    ];
    for (line, headers, why) in lines {
        let mut out = b"before".to_vec();
        assert!(request::encode(&mut out, 1, false, &line, Body::Inline(b""), headers).is_err(), "{why}");
        assert_eq!(out, b"before", "{why}");
    }
}
