//! The header of a frame.

use passenger_native::error::ProtocolError;
use passenger_native::frame::{self, BINARY, CLOSE, END, HEADER_LEN, Header, Kind, MAX_PAYLOAD, STOP, TEXT};
use proptest::prelude::*;

use crate::bytes;

/// Any header that a frame may begin with.
fn frame_header() -> impl Strategy<Value = Header> {
    let numbers = (0..=MAX_PAYLOAD as u32, any::<u8>(), any::<u16>(), any::<u32>(), any::<u32>());
    let kinds = [
        Kind::Request,
        Kind::Response,
        Kind::Data,
        Kind::File,
        Kind::Informational,
        Kind::Window,
        Kind::Message,
        Kind::Upgrade,
        Kind::Cancel,
    ];
    (numbers, prop::sample::select(kinds.to_vec())).prop_map(|((length, flags, aux, stream, value), kind)| {
        let (length, flags, aux) = match kind {
            Kind::Request => (length, flags | END, aux % 2),
            Kind::Response | Kind::Data => (length, flags, aux),
            Kind::Informational => (length, flags & !END, aux),
            Kind::File => (length, flags | END, 1),
            Kind::Window => (0, flags & !END, 0),
            Kind::Message => (length, flags, [TEXT, BINARY, CLOSE][usize::from(aux % 3)]),
            Kind::Upgrade => (0, flags | END, 1),
            Kind::Cancel => (0, flags, if flags & END == 0 { aux % 2 } else { 0 }),
        };
        Header { length, kind, flags, aux, stream, value }
    })
}

proptest! {
    #[test]
    fn any_header_comes_back(header in frame_header(), behind in bytes(0..20)) {
        let mut wire = header.encode().to_vec();
        for cut in 0..HEADER_LEN {
            prop_assert_eq!(Header::decode(&wire[..cut]), Ok(None));
        }
        wire.extend(behind);
        prop_assert_eq!(Header::decode(&wire), Ok(Some(header)));
    }

    #[test]
    fn unknown_kinds_and_oversize_lengths_are_refused(header in frame_header(), kind: u8, over in 1_u32..) {
        let mut wire = header.encode();
        wire[4] = kind;
        if ![1, 3, 4, 5, 6, 7, 8, 9, 10].contains(&kind) {
            prop_assert_eq!(Header::decode(&wire), Err(ProtocolError::UnknownKind(kind)));
        }
        let length = (MAX_PAYLOAD as u32).saturating_add(over);
        wire[..4].copy_from_slice(&length.to_le_bytes());
        prop_assert_eq!(Header::decode(&wire), Err(ProtocolError::PayloadTooLong(length as usize)));
    }

    #[test]
    fn the_aux_field_fits_the_kind(header in frame_header(), aux in prop_oneof![0..4_u16, any::<u16>()]) {
        let allowed = match header.kind {
            Kind::Request => aux <= 1,
            Kind::File | Kind::Upgrade => aux == 1,
            Kind::Cancel => aux == 0 || (aux == STOP && !header.is_end()),
            Kind::Window => aux == 0,
            Kind::Message => [TEXT, BINARY, CLOSE].contains(&aux),
            Kind::Response | Kind::Data | Kind::Informational => true,
        };
        prop_assert_eq!(Header::decode(&Header { aux, ..header }.encode()).is_ok(), allowed);
    }
}

#[test]
fn the_longest_frame_is_just_the_limit() {
    let mut out = Vec::new();
    frame::push(&mut out, frame::header(Kind::Data, 1), &vec![0; MAX_PAYLOAD]).unwrap();
    assert_eq!(Header::decode(&out).unwrap().unwrap().frame_len(), out.len());
    assert!(frame::push(&mut out, frame::header(Kind::Data, 1), &vec![0; MAX_PAYLOAD + 1]).is_err());
    assert_eq!(out.len(), HEADER_LEN + MAX_PAYLOAD, "nothing is left of a longer one");
}
