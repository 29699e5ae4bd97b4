//! How the built program stops: signals while it stops already.

use crate::support::{process::Process, stream::Stream};
use rustix::process::Signal;

#[test]
fn a_second_signal_ends_a_stop_at_once() {
    for (name, waits, times, signals) in [
        ("twice-terminated", "draining", "drain = \"600s\"", [Signal::TERM, Signal::TERM]),
        ("interrupted", "draining", "drain = \"600s\"", [Signal::INT, Signal::INT]),
        ("terminated-interrupted", "stopping", "drain_delay = \"600s\"", [Signal::TERM, Signal::INT]),
    ] {
        let config = format!("[[feed]]\nname = \"sim\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\n[server]\n{times}\n");
        let gateway = Process::start(name, &config);
        // Each stream has its own random moment of the drain: not all of them are over before the second signal.
        let mut streams: Vec<_> = (0..20).map(|_| Stream::open(gateway.address, "/v1/stream/AAPL")).collect();
        streams.iter_mut().for_each(|stream| drop(stream.named("hello")));
        gateway.signal(signals[0]);
        gateway.until_logged(waits);
        let log = gateway.ended_log(signals[1]);
        assert!(log.iter().any(|line| line.contains("a second signal")), "{name}: {log:#?}");
    }
}
