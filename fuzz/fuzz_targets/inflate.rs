#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| loopback_socket::fuzzing::inflate(input));
