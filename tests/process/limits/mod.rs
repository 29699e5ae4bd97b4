//! Every limit of the configuration, set in a file and reached from outside. The list is the configuration's own.

mod streams;
mod counts;
mod messages;
mod history;
mod on_demand;
mod https;
mod sign_on;

use crate::support::{
    Client, PATIENCE,
    certificates::{self, Ca},
    connect_narrow,
    h2_peer::H2Peer,
    issuer::Issuer,
    process::Process,
    stream::Stream,
    tls::{self, TlsClient},
};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tickfan::config::{KEYS, Key, Setting};
use venue_sim::{
    binance::trade,
    blocking::{Connection, Venue},
};

const TARGET: &str = "/v1/stream/BTC-USDT";

const STREAM: &str = "GET /v1/stream/BTC-USDT HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The test that reaches the limit of a key.
fn case(key: &Key) -> fn() {
    match (key.section, key.name) {
        ("server", "heartbeat") => streams::a_silent_stream_beats_after_heartbeat,
        ("server", "drain_delay") => streams::streams_are_opened_during_the_drain_delay,
        ("server", "drain") => streams::streams_end_over_the_drain,
        ("fanout", "workers") => streams::there_are_as_many_workers,
        ("fanout", "compress_min_streams") => streams::a_tick_is_compressed_for_as_many_streams,
        ("fanout", "max_lag") => streams::a_stream_further_behind_than_max_lag_coalesces,
        ("fanout", "ring") => streams::no_more_ticks_than_the_ring_can_be_resumed,
        ("fanout", "ring_age") => streams::no_older_tick_than_ring_age_can_be_resumed,
        ("fanout", "stall_timeout") => streams::a_stream_that_takes_nothing_for_stall_timeout_is_closed,
        ("limits", "streams") => counts::a_stream_too_many_is_sent_away,
        ("limits", "streams_per_address") => counts::a_stream_too_many_of_an_address_is_sent_away,
        ("limits", "subscriptions") => counts::a_stream_of_a_symbol_too_many_for_all_streams_is_sent_away,
        ("limits", "subscriptions_per_address") => counts::a_stream_of_a_symbol_too_many_for_its_address_is_sent_away,
        ("limits", "connections") => counts::a_connection_too_many_takes_the_place_of_an_idle_one,
        ("limits", "connections_per_address") => counts::a_connection_too_many_of_an_address_takes_the_place_of_its_own,
        ("limits", "head_timeout") => messages::a_head_that_takes_longer_is_cut_off,
        ("limits", "write_timeout") => messages::an_answer_that_takes_longer_is_cut_off,
        ("limits", "head_bytes") => messages::a_longer_head_is_refused,
        ("limits", "symbols_per_stream") => messages::a_symbol_too_many_is_refused,
        ("limits", "new_symbols_per_address") => on_demand::a_new_symbol_too_many_of_an_address_is_refused,
        ("limits", "replay_bytes") => streams::a_resume_brings_no_more_bytes,
        ("limits", "venue_message_bytes") => messages::a_longer_message_of_a_venue_ends_its_connection,
        ("history", "keep") => history::no_older_point_than_keep_remains_but_the_one_before,
        ("history", "every") => history::a_span_has_one_point,
        ("history", "bytes_max") => history::all_history_takes_no_more_bytes,
        ("tls", "handshake_timeout") => https::a_handshake_that_takes_longer_is_cut_off,
        ("tls", "handshakes") => https::a_handshake_that_pauses_gives_way_to_one_too_many,
        ("tls", "hsts") => https::https_alone_is_demanded_for_so_long,
        ("tls", "h2_streams") => https::a_stream_too_many_of_a_connection_is_refused,
        ("tls", "look") => https::a_renewed_certificate_is_served_after_the_next_look,
        ("auth", "streams_per_subject") => sign_on::a_stream_too_many_of_a_subject_is_sent_away,
        ("auth", "look") => sign_on::a_file_of_keys_is_looked_at,
        ("auth", "ticket_ttl") => sign_on::a_ticket_no_longer_counts,
        (section, name) => panic!("[{section}] {name} is a limit that no case here reaches"),
    }
}

/// Lists have a limit too, of their own length: `tests/it/config/` reaches those.
#[test]
fn rule_10_each_limit_of_the_configuration_is_reached() {
    let is_limit = |key: &&Key| match key.setting {
        Setting::Duration { .. } | Setting::Count { .. } | Setting::Bytes { .. } | Setting::BytesOrAuto { .. } => true,
        Setting::DurationOrAuto { .. } | Setting::Address { .. } | Setting::Log { .. } => false,
        Setting::Strings { .. } | Setting::HeaderName { .. } | Setting::Nets { .. } => false,
        Setting::Switch { .. } | Setting::TlsVersion { .. } | Setting::Certificates { .. } => false,
        Setting::Text { .. } | Setting::Path { .. } | Setting::AuthMode { .. } | Setting::Keys { .. } => false,
        Setting::Patterns { .. } | Setting::Groups { .. } => false,
    };
    thread::scope(|scope| {
        // Those of a cluster take several nodes: `tests/it/cluster/`, `tests/nats/` and `src/cluster/` reach them.
        for key in KEYS.iter().filter(|key| key.section != "cluster").filter(is_limit) {
            thread::Builder::new()
                .name(format!("{}.{}", key.section, key.name))
                .spawn_scoped(scope, case(key))
                .unwrap();
        }
    });
}

/// A gateway of its own under a limit, and its venue.
struct Rig {
    gateway: Process,
    venue: Venue,
    connection: Connection,
}

impl Rig {
    fn start(limit: &str) -> Self {
        let venue = Venue::bind();
        let feed = format!(
            "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\"]\n",
            venue.url
        );
        let name = thread::current().name().unwrap_or_default().to_owned();
        let gateway = Process::start(&name, &format!("{feed}{limit}\n"));
        let connection = venue.grant(&["btcusdt"]);
        Self { gateway, venue, connection }
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// Sends trades of these numbers.
    fn trade(&mut self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| self.connection.send(&trade("BTCUSDT", number, "61837.63000000")));
    }

    /// A stream that has sent `hello` and the symbol's state without data.
    fn waiting_stream(&self) -> Stream {
        let mut stream = Stream::open(self.address(), TARGET);
        stream.named("hello");
        assert_eq!(stream.tick().number("seq"), 0);
        stream
    }

    /// Resumes a stream after an id; returns the `seq` of its ticks up to this one.
    fn resumed(&self, id: &str, last: u64) -> Vec<u64> {
        let mut stream = Stream::open(self.address(), &format!("{TARGET}?last_event_id={id}"));
        stream.named("hello");
        let mut seqs = Vec::new();
        while seqs.last() != Some(&last) {
            seqs.push(stream.tick().number("seq"));
        }
        seqs
    }
}

/// Whether a request for a stream gets one. The stream stays open.
fn opens(mut client: Client) -> Option<Client> {
    client.send(STREAM);
    let text = client.until(|text| text.contains("event: hello\n") || text.contains("event: bye\n"));
    text.contains("event: hello\n").then_some(client)
}
