#![no_main]

use std::sync::OnceLock;
use tickfan_fuzz::requests::Requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static REQUESTS: OnceLock<Requests> = OnceLock::new();
    REQUESTS.get_or_init(Requests::start).read(bytes);
});
