#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| provision_fuzz_targets::FRAMES.fuzz(data));
