//! What holds for every frame: what is encoded is decoded, what is cut or bent is refused.
#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

mod frames;
mod headers;
mod requests;
mod responses;

#[path = "../support/decoders.rs"]
mod decoders;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn arbitrary_bytes_confuse_no_decoder(data in bytes(0..400)) {
        decoders::all(&data);
    }
}

fn bytes(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), length)
}
