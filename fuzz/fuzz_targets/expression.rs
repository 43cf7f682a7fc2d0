//! See `rule::fuzzed::expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| infrawatch_fuzz::rule::fuzzed::expression(input));
