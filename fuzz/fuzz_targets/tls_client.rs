#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| provision_fuzz_targets::TLS_CLIENT.fuzz(data));
