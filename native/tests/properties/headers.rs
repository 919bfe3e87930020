//! Header blocks and the table of known names.

use passenger_native::headers::{self, BlockWriter, HeaderBlock, KNOWN};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_name_has_the_number_of_its_place(name in prop_oneof!["[a-zA-Z-]{0,20}", "\\PC{0,8}"], id in 1..KNOWN.len()) {
        let place = KNOWN.iter().skip(1).position(|known| known.eq_ignore_ascii_case(&name));
        prop_assert_eq!(headers::id_of(name.as_bytes()), place.map_or(0, |place| place as u16 + 1));
        prop_assert_eq!(headers::id_of(KNOWN[id].to_ascii_uppercase().as_bytes()), id as u16);
    }

    #[test]
    fn ids_outside_the_table_are_refused(id in prop_oneof![0..60_u16, any::<u16>()]) {
        let mut payload = Vec::new();
        let mut block = BlockWriter::new(&mut payload);
        block.known(id, b"value");
        block.finish().unwrap();
        prop_assert_eq!(HeaderBlock::split_from(&payload).is_ok(), (1..KNOWN.len()).contains(&usize::from(id)));
    }
}
