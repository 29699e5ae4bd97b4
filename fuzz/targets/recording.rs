#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let name = format!("tickfan-fuzz-{}", std::process::id());
    tickfan_fuzz::reading::recording(&std::env::temp_dir().join(name), bytes);
});
