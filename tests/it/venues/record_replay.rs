//! What is recorded of each venue's mock and replayed gives the same ticks, but for times of receipt.

use super::{address, credentials, mock::Mock, spec, symbols};
use crate::support::{
    Client, PATIENCE, recorded,
    reference::Fields,
    running::{Running, config},
    stream::{Stream, Tick},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};
use tickfan::{
    config::{Config, Feed, Record},
    feed::Timing,
    market::{Schedule, Symbol},
    venue::{self, Playback, Speed},
};
use venue_sim::{DIALECTS, Line, Manner};

/// How often the recordings are played, until a stream is there before their first data.
const TRIES: usize = 20;
/// Half the pace of the recording. Data come once the slowest venue has answered all: that is long enough then for a
/// stream to be there before.
const SPEED: f64 = 0.5;
/// The time between two looks at the feeds.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The ticks of each symbol, in their order.
type Ticks = BTreeMap<String, Vec<Tick>>;

/// A venue that is recorded.
struct Recorded {
    manner: &'static Manner,
    mock: Mock,
    symbols: [Symbol; 2],
    names: [String; 2],
    folder: PathBuf,
}

impl Recorded {
    fn new(place: usize, manner: &'static Manner) -> Self {
        let listed = symbols(manner, ["A", "B"].map(|last| format!("R{place}{last}")).into_iter());
        let symbols = [0, 1].map(|place| listed[place].symbol.clone());
        let names = [0, 1].map(|place| (spec(manner).derive)(&symbols[place]).unwrap());
        let folder = recorded::folder(&format!("replayed-{place}"));
        Self { manner, mock: Mock::start(|| (manner.new)(&[]), &[]), symbols, names, folder }
    }

    fn listed(&self) -> Vec<venue::ListedSymbol> {
        self.symbols.iter().cloned().map(Into::into).collect()
    }

    /// Its feed, which is recorded.
    fn feed(&self) -> Feed {
        let spec = spec(self.manner);
        Feed {
            name: format!("recorded-{}", self.symbols[0].as_str().to_lowercase()),
            url: Some(address(self.manner, &self.mock.url)),
            schedule: Schedule::always(),
            credentials: credentials(spec),
            record: Some(Record { folder: self.folder.clone(), bytes_max: u64::MAX }),
            ..Feed::new(spec, self.listed())
        }
    }

    /// A feed of what was recorded.
    fn replayed(&self) -> Feed {
        let files = recorded::files(&self.folder);
        let protocol = spec(self.manner);
        let playback = Playback { protocol, url: None, files, speed: Speed::Times(SPEED), repeats: false };
        let name = format!("replayed-{}", self.symbols[0].as_str().to_lowercase());
        Feed { name, playback: Some(playback), ..Feed::new(venue::find("replay").unwrap(), self.listed()) }
    }

    /// All that the venue can say of both symbols, old news among it; numbers count from this one.
    fn says_all(&self, line: &Line, first: u64) {
        for name in &self.names {
            let name = name.clone();
            line.act(move |dialect| {
                let price = |number: u64| format!("{number}.5");
                let mut frames = Vec::new();
                for number in [first, first + 3, first, first + 4] {
                    frames.push(dialect.trade(&name, number, &price(number), "0.0010"));
                    frames.extend(dialect.quote(&name, number + 1, &price(number + 1), &price(number + 2)));
                    frames.extend(dialect.statistics(&name, number + 2, &price(number + 2)));
                    frames.extend(dialect.heartbeat());
                }
                frames.extend(dialect.halt(&name, first + 10).into_iter().flatten());
                frames.push(dialect.trade(&name, first + 12, &price(first + 12), "7"));
                frames.into_iter().map(Into::into).collect()
            });
        }
    }

    /// The price of the last trade of [`Self::says_all`].
    fn last_price(first: u64) -> String {
        format!("{}.5", first + 12)
    }
}

/// Room for each tick.
fn roomy(feeds: Vec<Feed>) -> Config {
    let mut config = config(feeds);
    config.fanout.ring = 4_096;
    config.fanout.ring_age = Duration::from_secs(600);
    config.fanout.max_lag = Duration::from_secs(10);
    config.limits.replay_bytes = 64 << 20;
    config
}

/// A stream of all symbols, and the first tick of each.
fn open(gateway: &Running, symbols: &[String]) -> (Stream, Vec<Tick>) {
    let mut stream = Stream::open(gateway.address, &format!("/v1/stream?symbols={}", symbols.join(",")));
    stream.named("hello");
    let first = symbols.iter().map(|_| stream.tick()).collect();
    (stream, first)
}

/// Reads ticks until one of each symbol will do.
fn read_until(stream: &mut Stream, ticks: &mut Ticks, symbols: &[String], will_do: impl Fn(&Tick) -> bool) {
    let mut left: BTreeSet<&str> = symbols.iter().map(String::as_str).collect();
    while !left.is_empty() {
        let tick = stream.tick();
        if will_do(&tick) {
            left.remove(tick.text("symbol"));
        }
        ticks.entry(tick.text("symbol").to_owned()).or_default().push(tick);
    }
}

/// The next connection of each venue, once each has all its answers.
fn connections(gateway: &Running, venues: &[Recorded]) -> Vec<Line> {
    let lines = venues.iter().map(|venue| venue.mock.line()).collect();
    let deadline = Instant::now() + PATIENCE;
    let is_up = |feed: &serde_json::Value| feed["connections_up"] == 1;
    loop {
        let report = Client::connect(gateway.admin).get("/debug/feeds").json();
        if report["feeds"].as_array().unwrap().iter().all(is_up) {
            return lines;
        }
        assert!(Instant::now() < deadline, "not all are up: {report:#}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Records a session of each venue, with a lost connection; returns what a client saw of it.
fn record(venues: &[Recorded], symbols: &[String]) -> Ticks {
    let backoff = Duration::from_millis(20);
    let timing = Timing {
        between_connects: Some(Duration::ZERO),
        backoff_first: backoff,
        backoff_max: backoff,
        publish_every: backoff,
        ..Timing::default()
    };
    let gateway = Running::start_with(&roomy(venues.iter().map(Recorded::feed).collect()), timing);
    let lines = connections(&gateway, venues);
    let (mut stream, _) = open(&gateway, symbols);
    let mut ticks = Ticks::new();
    venues.iter().zip(&lines).for_each(|(venue, line)| venue.says_all(line, 10));
    let is_last = |first: u64| move |tick: &Tick| tick.text("price") == Recorded::last_price(first);
    read_until(&mut stream, &mut ticks, symbols, is_last(10));
    drop(lines);
    read_until(&mut stream, &mut ticks, symbols, |tick| tick.text("reason") == "connection_lost");
    let lines = connections(&gateway, venues);
    venues.iter().zip(&lines).for_each(|(venue, line)| venue.says_all(line, 50));
    read_until(&mut stream, &mut ticks, symbols, is_last(50));
    // The stop waits for open streams, and the end of the recordings would be as late.
    drop(stream);
    gateway.stop().unwrap();
    ticks
}

/// Plays all recordings to a client that is there before their first data; returns what it saw.
fn replay(venues: &[Recorded], symbols: &[String]) -> Ticks {
    let config = roomy(venues.iter().map(Recorded::replayed).collect());
    for _ in 0..TRIES {
        let gateway = Running::start(&config);
        let (mut stream, first) = open(&gateway, symbols);
        if first.iter().all(|tick| tick.text("state") == "waiting") {
            let mut ticks = Ticks::new();
            read_until(&mut stream, &mut ticks, symbols, |tick| tick.text("reason") == "ended");
            gateway.stop().unwrap();
            return ticks;
        }
        gateway.stop().unwrap();
    }
    panic!("no stream was there before the first data");
}

/// A tick without what differs: times of receipt, and where it comes from.
fn as_said(tick: &Tick) -> Fields {
    let mut fields = tick.fields.clone();
    ["recv", "since", "origin"].into_iter().for_each(|name| _ = fields.remove(name));
    fields
}

#[test]
fn a_recording_of_each_venue_gives_the_same_ticks_when_it_is_replayed() {
    let venues: Vec<Recorded> =
        DIALECTS.iter().enumerate().map(|(place, manner)| Recorded::new(place, manner)).collect();
    let symbols: Vec<String> =
        venues.iter().flat_map(|venue| &venue.symbols).map(|symbol| symbol.as_str().to_owned()).collect();
    let live = record(&venues, &symbols);
    let replayed = replay(&venues, &symbols);
    for venue in venues {
        for symbol in &venue.symbols {
            let said = |ticks: &Ticks| ticks[symbol.as_str()].iter().map(as_said).collect::<Vec<_>>();
            let [live, mut replayed] = [said(&live), said(&replayed)];
            // The stop of the recording gateway is where the data end, and then the recording is over.
            let after = replayed.split_off(replayed.len().saturating_sub(2));
            let reasons: Vec<_> = after.iter().map(|tick| tick["reason"].as_str()).collect();
            assert_eq!(reasons, ["\"reconnect\"", "\"ended\""]);
            assert!(live.len() >= 8, "{} ticks of {}", live.len(), venue.manner.venue);
            for (place, (live, replayed)) in live.iter().zip(&replayed).enumerate() {
                assert_eq!(live, replayed, "tick {place} of {}", venue.manner.venue);
            }
            assert_eq!(live.len(), replayed.len(), "ticks of {}", venue.manner.venue);
        }
        venue.mock.finish();
    }
}
