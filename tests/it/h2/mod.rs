//! HTTP/2 against another implementation of it, and against what a fuzzer found.
//!
//! Floods, and the counter of each, are in `tests/process/h2.rs`: the tests of this program share their counters.

#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz target")]
#[path = "../../../fuzz/src/http2/mod.rs"]
mod http2;

mod client;
mod gateway;

use proptest::{prelude::*, test_runner::RngSeed};
use std::{fs, panic::catch_unwind, path::Path};

#[test]
fn both_servers_agree_about_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/http2");
    let mut files = 0;
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = fs::read(&file).unwrap();
        assert!(catch_unwind(|| http2::compare(&bytes)).is_ok(), "{}", file.display());
        assert!(catch_unwind(|| http2::serve(&bytes)).is_ok(), "served: {}", file.display());
        files += 1;
    }
    assert!(files >= 40, "{files} files");
}

proptest! {
    // The fuzz target looks for new ones.
    #![proptest_config(ProptestConfig { cases: 5_000, rng_seed: RngSeed::Fixed(9113), ..ProptestConfig::default() })]

    #[test]
    fn both_servers_agree_about_what_a_client_sends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        http2::compare(&bytes);
    }

    #[test]
    fn what_is_sent_keeps_to_windows_and_ends_whatever_a_client_sends(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        http2::serve(&bytes);
    }
}
