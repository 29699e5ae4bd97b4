//! HTTP/2 against another implementation of it, and against what a fuzzer found.

#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz target")]
#[path = "../../../fuzz/src/http2/mod.rs"]
mod http2;

mod client;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn both_servers_agree_about_what_a_client_sends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        http2::compare(&bytes);
    }
}
