#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let name = format!("tickfan-fuzz-config-{}.toml", std::process::id());
    tickfan_fuzz::reading::configuration(&std::env::temp_dir().join(name), bytes);
});
