//! See `protocol::fuzzed::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| infrawatch_fuzz::protocol::fuzzed::decode(input));
