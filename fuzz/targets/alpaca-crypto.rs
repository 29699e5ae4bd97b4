#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tickfan_fuzz::reading::frames("alpaca-crypto", bytes));
