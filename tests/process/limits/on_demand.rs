//! What streams may have subscribed.

use super::{counts::client_from, *};

pub(super) fn a_new_symbol_too_many_of_an_address_is_refused() {
    let feed = "[[feed]]\nname = \"sim\"\non_demand = true\n[limits]\nnew_symbols_per_address = 2\n";
    let name = thread::current().name().unwrap_or_default().to_owned();
    let gateway = Process::start(&name, feed);
    let open = |last: u8, symbols: &str| {
        let mut client = client_from(last, gateway.address);
        client.send(format!("GET /v1/stream?symbols={symbols} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        let count = symbols.split(',').count();
        client.until(|text| text.matches("\"seq\":").count() >= count)
    };
    let refused = |text: &str| text.matches("\"reason\":\"limit\"").count();
    assert_eq!(refused(&open(7, "AAPL,MSFT,NVDA")), 1);
    assert_eq!(refused(&open(7, "AAPL,MSFT")), 0, "they are there");
    assert_eq!(refused(&open(8, "NVDA")), 0, "another one has its own");
    assert_eq!(gateway.metric("tickfan_demand_refused_total", "reason=\"address_rate\""), 1);
}
