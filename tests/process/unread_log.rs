//! A log collector that hangs: standard error is a pipe whose reader has stopped.

use crate::support::{Client, process::Process, stream::Stream};

const CONFIG: &str =
    "[server]\ndrain = \"100ms\"\n[[feed]]\nname = \"sim\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\nrate = 100\n";
const DROPPED: &str = "tickfan_log_lines_dropped_total";

/// A gateway that logs at every level to a pipe that nothing reads, and has dropped lines.
fn start(name: &str) -> Process {
    let gateway = Process::start_unread(name, CONFIG);
    while gateway.metric(DROPPED, "") == 0 {
        let mut client = Client::connect(gateway.address);
        (0..500).for_each(|_| assert_eq!(client.get("/no").status, 404));
    }
    gateway
}

/// How many lines a notice says were dropped.
fn told(line: &str) -> Option<u64> {
    line.split_once("dropped lines of the log")?.1.split_once("lines=")?.1.parse().ok()
}

#[test]
fn rule_10_a_log_that_nothing_reads_holds_up_neither_ticks_nor_answers_nor_the_end() {
    let gateway = start("unread-log");
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    stream.named("hello");
    let first = stream.tick().number("seq");
    assert_eq!(Client::connect(gateway.admin).get("/livez").status, 200);
    assert_eq!(Client::connect(gateway.address).get("/v1/quotes/AAPL").status, 200);
    while stream.tick().number("seq") < first + 20 {}
    assert!(gateway.terminate().success());
}

#[test]
fn a_log_that_is_read_again_says_how_many_lines_it_lacks_and_goes_on_to_the_end() {
    let mut gateway = start("log-read-again");
    gateway.read_log();
    gateway.until_written();
    let dropped = gateway.metric(DROPPED, "");
    let log = gateway.drained_log();
    assert_eq!(log.iter().filter_map(|line| told(line)).sum::<u64>(), dropped, "{log:#?}");
    assert!(log.last().is_some_and(|line| line.ends_with(" stopped")), "{log:#?}");
}
