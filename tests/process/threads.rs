//! A gateway that the system refuses a thread still answers every request.

use crate::support::{Client, process::Process, stream::Stream};

#[test]
fn every_request_is_answered_when_the_system_refuses_a_thread() {
    let gateway = Process::start_unprivileged("threads", "[[feed]]\nrate = 100\n");
    gateway.take_free_threads();
    for target in ["/livez", "/metrics", "/debug/streams", "/debug/symbols", "/debug/feeds?limit=1000"] {
        assert_eq!(Client::connect(gateway.admin).get(target).status, 200, "{target}");
    }
    for target in ["/", "/openapi.json", "/v1/symbols?limit=1000", "/v1/quotes/AAPL"] {
        assert_eq!(Client::connect(gateway.address).get(target).status, 200, "{target}");
    }
    Stream::open(gateway.address, "/v1/stream/AAPL").named("hello");
    assert!(gateway.terminate().success());
}
