//! Hostile clients: what they send and what they do not read. Each test is named after its attack.

mod bodies;
mod readers;
mod requests;

use crate::support::process::Process;
use venue_sim::blocking::Venue;

const QUOTE: &str = "GET /v1/quotes/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n";
const STREAM: &str = "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The built gateway with a venue, one symbol, `AAPL`, and these lines in its configuration.
fn gateway(name: &str, lines: &str) -> (Process, Venue) {
    let venue = Venue::bind();
    let feed = format!(
        "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = {{ AAPL = \"AAPLUSDT\" }}\n",
        venue.url
    );
    (Process::start(name, &format!("{feed}{lines}\n")), venue)
}
