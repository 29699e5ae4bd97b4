//! Each venue with many symbols, at its pace and with the default limits.

use super::{address, credentials, spec, symbols};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::time::{Duration, Instant};
use tickfan::{
    config::{self, CONNECTIONS_MAX, Config, SYMBOLS_MAX, Weight},
    feed::{Feed, FeedMetrics, Sink, Timing, Unheard, no_changes},
    market::{FeedSymbol, Now, Parts, Reason, Schedule, UnixMicros, Update},
    venue::{self, Rules, Setup},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
};
use venue_sim::{Connection, DIALECTS, Manner, Venue, serve, within};

/// A debug build on a busy machine reads a hundred answers of a megabyte in some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first events of a connection: what the venue refused, or that it was lost.
enum Seen {
    Answered { refused: usize },
    Lost(Reason),
}

struct Observer(mpsc::UnboundedSender<Seen>);

impl Sink for Observer {
    type Target = ();

    fn add(&mut self, _: FeedSymbol, _: Self::Target, _: Now) {}
    fn remove(&mut self, _: FeedSymbol, _: Now) {}

    fn updates(&mut self, _: &[Update], _: Now) {}

    fn outage(&mut self, reason: Reason, _: Now) {
        let _ = self.0.send(Seen::Lost(reason));
    }

    fn start_over(&mut self, _: Now) {}

    fn mute(&mut self, _: Parts, _: Now) {}

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        Unheard::default()
    }

    fn closed(&mut self, _: bool, _: Now) {}

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], _: Now) {
        let _ = self.0.send(Seen::Answered { refused: refused.len() });
    }
}

/// The bases of so many symbols, of a usual length.
fn bases(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("S{number:05}"))
}

/// A feed of so many symbols, on as few connections as carry them.
fn feed(manner: &Manner, count: usize, url: &str) -> config::Feed {
    let spec = spec(manner);
    config::Feed {
        url: Some(address(manner, url)),
        connections_max: spec.connections_max.min(CONNECTIONS_MAX),
        schedule: Schedule::always(),
        credentials: credentials(spec),
        ..config::Feed::new(spec, symbols(manner, bases(count)))
    }
}

/// Serves all connections, and checks that each is asked no faster than the venue's rule allows: counted from before
/// the feed knows that it is connected, so a busy machine can only make it seem slower.
async fn serve_all(venue: &Venue, manner: &'static Manner, rules: Rules) {
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            connection = venue.next_tcp() => {
                served.spawn(serve_at_pace(connection, manner, rules));
            }
            Some(ended) = served.join_next() => ended.expect("the feed asks as the venue allows"),
        }
    }
}

async fn serve_at_pace(tcp: TcpStream, manner: &Manner, rules: Rules) {
    let (line, acts) = venue_sim::line();
    let begin = Instant::now();
    let mut pauses = 0;
    let connection = Connection::accept(tcp).await;
    serve(connection, (manner.new)(&[]), acts, |request| {
        let needed = rules.between_requests * pauses;
        assert!(begin.elapsed() >= needed, "{}: request {pauses} before {needed:?}: {request}", manner.venue);
        pauses += 1;
    })
    .await;
    drop(line);
}

/// Runs a feed of so many symbols until each is granted.
async fn starts(manner: &'static Manner, count: usize, between_connects: Option<Duration>) {
    let spec = spec(manner);
    let venue = Venue::bind().await;
    let config = Config { feeds: vec![feed(manner, count, &venue.url)], ..Config::default() };
    let feed = &config.feeds[0];
    let connections = feed.connection_count();
    let timing = Timing { between_connects, acknowledgement: PATIENCE, ..Timing::default() };
    let running = Feed::new(feed, &config.limits, Now::read()).unwrap().with_timing(timing);
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = metrics::with_local_recorder(&recorder, || FeedMetrics::register(spec.name));
    let (seen_tx, mut seen_rx) = mpsc::unbounded_channel();
    let sinks = move || Observer(seen_tx.clone());
    let targets = vec![(); feed.symbols.len()];
    let (shutdown_tx, shutdown_rx) = watch::channel(false);
    let rules = rules(feed);
    let begin = Instant::now();
    let task = tokio::spawn(running.run(sinks, targets, no_changes(), metrics, shutdown_rx));
    let all_answered = async {
        for answered in 0..connections {
            let seen = tokio::time::timeout(PATIENCE, seen_rx.recv()).await;
            match seen.unwrap_or_else(|_| panic!("{}: {answered} are granted", spec.name)).unwrap() {
                Seen::Answered { refused } => assert_eq!(refused, 0, "{}", spec.name),
                Seen::Lost(reason) => {
                    let log = recorder.handle().render();
                    panic!("{}: {reason:?} after {answered} of {connections} connections\n{log}", spec.name)
                }
            }
        }
    };
    tokio::select! {
        () = serve_all(&venue, manner, rules) => {}
        () = all_answered => {}
    }
    let connects = between_connects.unwrap_or(spec.between_connects) * (connections as u32 - 1);
    assert!(begin.elapsed() >= connects, "{}: {connections} connections in {:?}", spec.name, begin.elapsed());
    shutdown_tx.send_replace(true);
    within("the feed ends", task).await.unwrap().unwrap();
}

fn rules(feed: &config::Feed) -> Rules {
    let symbols = &feed.symbols[feed.connections().next().unwrap()];
    let setup = Setup { url: feed.url.as_deref(), symbols, credentials: feed.credentials.as_ref(), playback: None };
    venue::new(feed.venue, &setup).unwrap().rules()
}

/// Each venue at once, since a feed mostly waits for its next turn.
async fn each_starts(count: impl Fn(&Manner) -> usize, between_connects: Option<Duration>) {
    let starts = DIALECTS.iter().map(|manner| starts(manner, count(manner), between_connects));
    futures_util::future::join_all(starts).await;
}

/// As many symbols as so many connections to this venue carry, as far as a feed may list them.
fn carried(manner: &Manner, connections: usize) -> usize {
    let spec = spec(manner);
    (spec.symbols_per_connection * spec.connections_max.min(connections)).min(SYMBOLS_MAX)
}

#[test]
fn the_largest_feed_of_each_venue_is_within_the_default_limits() {
    for manner in DIALECTS {
        let largest = feed(manner, carried(manner, CONNECTIONS_MAX), "ws://127.0.0.1:9");
        let config = Config { feeds: vec![largest], ..Config::default() };
        let found = config::check_together(&config, &config::Machine::default());
        assert!(found.iter().all(|found| found.pair.weight != Weight::Refused), "{}: {found:?}", manner.venue);
    }
}

#[tokio::test]
async fn each_venue_starts_with_connections_as_full_as_its_spec_allows() {
    each_starts(|manner| carried(manner, 2), Some(Duration::ZERO)).await;
}

#[tokio::test]
async fn a_thousand_symbols_start_within_the_venues_own_pace() {
    let count = |manner: &Manner| match manner.venue {
        "alpaca" => 10_000,
        "kraken" => 500,
        // Some carry a hundred on a connection, and let one be opened in a second.
        _ => 1_000.min(carried(manner, 4)),
    };
    each_starts(count, None).await;
}
