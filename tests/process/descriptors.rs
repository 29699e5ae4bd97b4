//! A gateway that has no descriptor left waits for one and goes on.

use crate::support::{Client, PATIENCE, process::Process};
use std::time::Instant;
use venue_sim::blocking::Venue;

const COUNTED: &str = "tickfan_http_accept_errors_total{reason=\"descriptors\"} ";

/// How many connections could not be accepted. Reads it over an open connection: a new one would need a descriptor.
fn counted(admin: &mut Client) -> u64 {
    let text = admin.get("/metrics").body;
    text.lines().find_map(|line| line.strip_prefix(COUNTED)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn without_descriptors_it_waits_and_goes_on() {
    let venue = Venue::bind();
    let feed = format!(
        "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\"]\n",
        venue.url
    );
    let gateway = Process::start("descriptors", &feed);
    let _connection = venue.grant(&["btcusdt"]);
    let mut admin = Client::connect(gateway.admin);
    assert_eq!(admin.get("/livez").status, 200);
    let limit = gateway.take_free_descriptors();
    let mut client = Client::connect(gateway.address);
    client.send("GET /v1/quotes/BTC-USDT HTTP/1.1\r\nhost: localhost\r\n\r\n");

    let begun = Instant::now();
    while counted(&mut admin) < 3 {
        assert!(begun.elapsed() < PATIENCE, "the failures are counted");
    }
    let failures = counted(&mut admin);
    let elapsed = begun.elapsed();
    assert!(failures < 20, "{failures} failures in {elapsed:?}: it does not wait between them");
    gateway.give_descriptors_back(limit);
    assert_eq!(client.answer(true).status, 200, "served once there are descriptors again");
    assert_eq!(Client::connect(gateway.admin).get("/livez").status, 200);
}
