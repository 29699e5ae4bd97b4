#![no_main]

use tickfan_fuzz::http2;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    http2::compare(bytes);
    http2::serve(bytes);
});
