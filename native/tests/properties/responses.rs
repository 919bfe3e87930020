//! Answers.

use passenger_native::frame::{self, HEADER_LEN, Header, Kind, MAX_PAYLOAD};
use passenger_native::headers::BlockWriter;
use passenger_native::response::{self, FileRange, ResponseWriter};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bytes;

fn response_header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let value = bytes(0..60).prop_map(|value| value.into_iter().filter(|byte| !b"\r\n\0".contains(byte)).collect());
    ("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,40}", value)
}

fn response_with<'a>(headers: &[(String, Vec<u8>)], out: &'a mut Vec<u8>) -> ResponseWriter<'a> {
    let mut writer = ResponseWriter::new(out);
    for (name, value) in headers {
        writer.header(name.as_bytes(), value).unwrap();
    }
    writer
}

proptest! {
    #[test]
    fn any_response_comes_back_and_a_cut_head_is_refused(
        headers in vec(response_header(), 0..12),
        body in bytes(0..200),
        status in prop_oneof![Just(101_u16), 200..1000_u16],
        end: bool,
    ) {
        let head = Header { flags: end.into(), aux: status, ..frame::header(Kind::Response, 9) };
        let (mut wire, mut ahead) = (Vec::new(), Vec::new());
        response_with(&headers, &mut wire).finish(head, &body).unwrap();
        response_with(&headers, &mut ahead).finish_ahead(head, body.len()).unwrap();
        prop_assert_eq!([&ahead[..], &body].concat(), wire.clone());
        let header = Header::decode(&wire).unwrap().unwrap();
        prop_assert_eq!((header.frame_len(), header.is_end()), (wire.len(), end));
        let response = response::decode(&header, &wire[HEADER_LEN..]).unwrap();
        prop_assert_eq!((response.status, response.body), (status, &*body));
        let read: Vec<_> = response.headers.iter().map(|h| (h.name, h.value)).collect();
        let sent: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), &**value)).collect();
        prop_assert_eq!(read, sent);
        for cut in HEADER_LEN..wire.len() - body.len() {
            prop_assert!(response::decode(&header, &wire[HEADER_LEN..cut]).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn headers_that_would_split_a_response_are_refused_on_both_sides(
        name in prop_oneof![bytes(0..4), Just(b"name".to_vec())],
        value in vec(prop_oneof![any::<u8>(), 0..32_u8], 0..6),
    ) {
        let valid = !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
            && !value.iter().any(|byte| b"\r\n\0".contains(byte));
        let mut wire = vec![1];
        let mut writer = ResponseWriter::new(&mut wire);
        prop_assert_eq!(writer.header(&name, &value).is_ok(), valid);
        writer.abandon();
        prop_assert_eq!(wire, vec![1], "an abandoned frame leaves nothing");

        let mut payload = Vec::new();
        let mut block = BlockWriter::new(&mut payload);
        block.named(&name, &value);
        block.finish().unwrap();
        let header = Header { aux: 200, ..frame::header(Kind::Response, 1) };
        prop_assert_eq!(response::decode(&header, &payload).is_ok(), valid);
    }

    #[test]
    fn a_range_comes_back_unless_it_ends_beyond_any_file(offset: u64, length: u64) {
        for (offset, length) in [(offset, length), (offset >> 2, length >> 2)] {
            let range = FileRange { offset, length };
            let fits = u128::from(offset) + u128::from(length) <= i64::MAX as u128;
            prop_assert_eq!(FileRange::decode(&range.encode()).ok(), fits.then_some(range));
        }
    }
}

#[test]
fn a_status_must_fit_its_kind() {
    for status in 0..=u16::MAX {
        let decodes = |kind| response::decode(&Header { aux: status, ..frame::header(kind, 1) }, &[0; 4]).is_ok();
        assert_eq!(decodes(Kind::Response), status == 101 || (200..1000).contains(&status));
        assert_eq!(decodes(Kind::Informational), (102..200).contains(&status));
    }
}

#[test]
fn an_answer_over_the_limit_leaves_nothing_behind() {
    let long = vec![b'a'; MAX_PAYLOAD];
    let mut out = b"before".to_vec();
    let head = Header { aux: 200, ..frame::header(Kind::Response, 1) };
    assert!(ResponseWriter::new(&mut out).finish(head, &long).is_err());
    assert!(ResponseWriter::new(&mut out).finish_ahead(head, long.len()).is_err());
    assert_eq!(out, b"before");
}
