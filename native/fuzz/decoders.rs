//! Every decoder on what libFuzzer finds.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../tests/support/decoders.rs"]
mod decoders;

fuzz_target!(|data: &[u8]| decoders::all(data));
