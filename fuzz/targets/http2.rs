#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tickfan_fuzz::http2::compare(bytes));
