//! How long a head, an answer and a message may be, and how long they may take.

use super::*;

pub(super) fn a_head_that_takes_longer_is_cut_off() {
    let rig = Rig::start("[limits]\nhead_timeout = \"100ms\"");
    let mut client = rig.client();
    client.send("GET /v1/symbols HTTP/1.1\r\nhost: lo");
    assert_eq!(client.rest(), "");
}

pub(super) fn an_answer_that_takes_longer_is_cut_off() {
    const REQUESTS: usize = 1_000; // many times what the kernel holds of their answers
    let rig = Rig::start("[limits]\nwrite_timeout = \"100ms\"");
    let mut socket = connect_narrow(rig.address());
    socket.write_all("GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(REQUESTS).as_bytes()).unwrap();
    rig.gateway.metric_when("tickfan_http_requests_total", "route=\"page\"", |answered| answered > 0);
    rig.gateway.metric_when("tickfan_http_connections", "", |connections| connections == 0);
    let answered = rig.gateway.metric("tickfan_http_requests_total", "route=\"page\"");
    assert!(answered < REQUESTS as u64, "it was served to the end");
    let ended = socket.read_to_end(&mut Vec::new());
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

pub(super) fn a_longer_head_is_refused() {
    let rig = Rig::start("[limits]\nhead_bytes = \"8KiB\"");
    let get = |bytes: usize| {
        rig.client().request("GET", "/v1/symbols", &format!("x-filler: {}\r\n", "x".repeat(bytes))).status
    };
    assert_eq!((get(7 << 10), get(9 << 10)), (200, 431));
}

pub(super) fn a_symbol_too_many_is_refused() {
    let rig = Rig::start("[limits]\nsymbols_per_stream = 1");
    let mut client = rig.client();
    assert_eq!(client.get("/v1/quotes?symbols=BTC-USDT").status, 200);
    for path in ["/v1/quotes", "/v1/stream"] {
        let answer = client.get(&format!("{path}?symbols=BTC-USDT,ETH-USDT"));
        assert_eq!((answer.status, &answer.json()["type"]), (400, &"urn:tickfan:problem:too-many-symbols".into()));
    }
}

pub(super) fn a_longer_message_of_a_venue_ends_its_connection() {
    let mut rig = Rig::start("[limits]\nvenue_message_bytes = \"4KiB\"");
    rig.connection.send(&" ".repeat(4 << 10));
    rig.gateway.metric_when("tickfan_feed_decode_errors_total", "reason=\"json\"", |errors| errors == 1);
    assert_eq!(rig.gateway.metric("tickfan_feed_disconnects_total", ""), 0, "it was read, and dropped");
    rig.connection.send(&" ".repeat((4 << 10) + 1));
    rig.gateway.metric_when("tickfan_feed_disconnects_total", "reason=\"oversize\"", |losses| losses == 1);
    rig.connection = rig.venue.grant(&["btcusdt"]);
    rig.trade([1]);
    rig.gateway.metric_when("tickfan_feed_symbols", "state=\"live\"", |live| live == 1);
    let log = rig.gateway.log();
    let line = log.iter().find(|line| line.contains("reason=oversize")).unwrap();
    assert!(line.contains("raise `venue_message_bytes` in [limits]"), "{line}");
}
