//! How many streams, symbols and connections there are, of all clients and of one address.

use super::*;

pub(super) fn a_stream_too_many_is_sent_away() {
    let rig = Rig::start("[limits]\nstreams = 2");
    let first = opens(rig.client()).unwrap();
    let _second = opens(rig.client()).unwrap();
    assert!(opens(rig.client()).is_none());
    drop(first);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 1);
    assert!(opens(rig.client()).is_some());
    assert_eq!(rig.gateway.metric("tickfan_streams_rejected_total", "reason=\"limit\""), 1);
}

pub(super) fn a_stream_too_many_of_an_address_is_sent_away() {
    let rig = Rig::start("[limits]\nstreams_per_address = 1");
    let from = |last| client_from(last, rig.address());
    let first = opens(from(7)).unwrap();
    assert!(opens(from(7)).is_none());
    assert!(opens(from(8)).is_some());
    drop(first);
    // Not the gauge: it is published once a second and may be older than the first stream.
    rig.gateway.metric_when("tickfan_streams_closed_total", "", |closed| closed == 2);
    assert!(opens(from(7)).is_some());
    assert_eq!(rig.gateway.metric("tickfan_streams_rejected_total", "reason=\"address\""), 1);
}

/// A gateway with five symbols, and the answer to a stream of some of them from an address: the stream, or `None`.
struct Crowded {
    gateway: Process,
    _venue: Venue,
}

impl Crowded {
    const SYMBOLS: [&str; 5] = ["BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT"];

    fn start(limit: &str) -> Self {
        let venue = Venue::bind();
        let feed = format!(
            "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = {:?}\n",
            venue.url,
            Self::SYMBOLS
        );
        let name = thread::current().name().unwrap_or_default().to_owned();
        Self { gateway: Process::start(&name, &format!("{feed}{limit}\n")), _venue: venue }
    }

    fn open(&self, last: u8, symbols: usize) -> Option<Client> {
        let symbols = Self::SYMBOLS[..symbols].join(",");
        let mut client = client_from(last, self.gateway.address);
        client.send(format!("GET /v1/stream?symbols={symbols} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        let text = client.until(|text| text.contains("event: hello\n") || text.contains("event: bye\n"));
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("retry: "), "{text}");
        text.contains("event: hello\n").then_some(client)
    }

    fn rejected(&self, reason: &str, times: u64) {
        let reason = format!("reason=\"{reason}\"");
        assert_eq!(self.gateway.metric("tickfan_streams_rejected_total", &reason), times);
    }
}

pub(super) fn a_stream_of_a_symbol_too_many_for_all_streams_is_sent_away() {
    let crowded = Crowded::start("[limits]\nsubscriptions = 5");
    let three = crowded.open(7, 3).unwrap();
    assert!(crowded.open(8, 3).is_none(), "six");
    let _two = crowded.open(9, 2).unwrap();
    assert!(crowded.open(7, 1).is_none(), "six");
    assert_eq!(crowded.gateway.metric("tickfan_subscriptions", ""), 5);
    assert_eq!(crowded.gateway.metric("tickfan_subscriptions_limit", ""), 5);
    drop(three);
    crowded.gateway.metric_when("tickfan_subscriptions", "", |subscriptions| subscriptions == 2);
    assert!(crowded.open(8, 3).is_some(), "the symbols of a stream that ended are given back, all of them");
    crowded.rejected("subscriptions", 2);
}

pub(super) fn a_stream_of_a_symbol_too_many_for_its_address_is_sent_away() {
    let crowded = Crowded::start("[limits]\nsubscriptions_per_address = 5");
    let four = crowded.open(7, 4).unwrap();
    assert!(crowded.open(7, 2).is_none(), "six");
    let _one = crowded.open(7, 1).unwrap();
    let _of_another = crowded.open(8, 5).unwrap();
    drop(four);
    crowded.gateway.metric_when("tickfan_subscriptions", "", |subscriptions| subscriptions == 6);
    assert!(crowded.open(7, 4).is_some());
    crowded.rejected("address_subscriptions", 1);
    crowded.rejected("subscriptions", 0);
}

pub(super) fn a_connection_too_many_takes_the_place_of_an_idle_one() {
    let rig = Rig::start("[limits]\nconnections = 1");
    let mut first = rig.client();
    assert_eq!(first.get("/v1/symbols").status, 200);
    assert_eq!(rig.client().get("/v1/symbols").status, 200);
    assert_eq!(first.rest(), "");
    rig.gateway.metric_when("tickfan_http_evictions_total", "phase=\"idle\"", |evictions| evictions == 1);
}

pub(super) fn a_connection_too_many_of_an_address_takes_the_place_of_its_own() {
    let rig = Rig::start("[limits]\nconnections_per_address = 1");
    let mut of_other = client_from(8, rig.address());
    let mut first = client_from(7, rig.address());
    for client in [&mut of_other, &mut first] {
        assert_eq!(client.get("/v1/symbols").status, 200);
    }
    assert_eq!(client_from(7, rig.address()).get("/v1/symbols").status, 200);
    assert_eq!(first.rest(), "");
    assert_eq!(of_other.get("/v1/symbols").status, 200);
}

/// A client at 127.0.0.`last`.
pub(super) fn client_from(last: u8, address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))).unwrap();
    socket.connect(&address.into()).unwrap();
    Client::from_socket(socket.into())
}
