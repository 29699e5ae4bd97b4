//! Each venue with as many symbols as its spec allows, against a mock that answers as the venue does, with the default
//! limits.

use futures_util::StreamExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tickfan::{
    config::{self, CONNECTIONS_MAX, Config, SYMBOLS_MAX, Weight},
    feed::{Feed, FeedMetrics, Sink, Timing, Unheard},
    market::{FeedSymbol, Now, Parts, Reason, Schedule, Symbol, UnixMicros, Update},
    venue::{Credentials, CredentialsRule, ListedSymbol, Spec, VENUES},
};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use venue_sim::{Connection, Venue, within};

/// A debug build on a busy machine reads a hundred answers of a megabyte in some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first events of a connection: what the venue refused, or that it was lost.
enum Seen {
    Answered { refused: usize },
    Lost(Reason),
}

struct Observer(mpsc::UnboundedSender<Seen>);

impl Sink for Observer {
    fn updates(&mut self, _: &[Update], _: Now) {}

    fn outage(&mut self, reason: Reason, _: Now) {
        let _ = self.0.send(Seen::Lost(reason));
    }

    fn mute(&mut self, _: Parts, _: Now) {}

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros) -> Unheard {
        Unheard::default()
    }

    fn closed(&mut self, _: bool, _: Now) {}

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], _: Now) {
        let _ = self.0.send(Seen::Answered { refused: refused.len() });
    }
}

/// What a venue says first, and its answer to a request. `listed` has what the connection has subscribed so far.
struct Manner {
    greeting: Option<&'static str>,
    answer: fn(&Value, &mut Listed) -> String,
}

/// The symbols of each channel, as the answer has them: in quotes, with commas.
type Listed = BTreeMap<&'static str, String>;

fn manner(spec: &Spec) -> Manner {
    match spec.name {
        "alpaca" => Manner { greeting: Some(r#"[{"T":"success","msg":"connected"}]"#), answer: list_all_channels },
        "binance" => {
            Manner { greeting: None, answer: |request, _| json!({ "result": null, "id": request["id"] }).to_string() }
        }
        "sim" => {
            Manner { greeting: None, answer: |request, _| json!({ "op": "ack", "id": request["id"] }).to_string() }
        }
        name => panic!("{name} has no mock here that answers as the venue does"),
    }
}

/// Alpaca's acknowledgement lists all that is subscribed by then, in all channels; two come with trades.
fn list_all_channels(request: &Value, listed: &mut Listed) -> String {
    if request["action"] == "auth" {
        return r#"[{"T":"success","msg":"authenticated"}]"#.to_owned();
    }
    const CHANNELS: [(&str, &str); 7] = [
        ("trades", "trades"),
        ("quotes", "quotes"),
        ("dailyBars", "dailyBars"),
        ("statuses", "statuses"),
        ("lulds", "lulds"),
        ("corrections", "trades"),
        ("cancelErrors", "trades"),
    ];
    let mut answer = r#"[{"T":"subscription","bars":[],"updatedBars":[]"#.to_owned();
    for (channel, comes_with) in CHANNELS {
        let all = listed.entry(channel).or_default();
        for name in request[comes_with].as_array().into_iter().flatten() {
            all.push_str(if all.is_empty() { "" } else { "," });
            all.push_str(&name.to_string());
        }
        answer.push_str(&format!(",\"{channel}\":[{all}]"));
    }
    answer + "}]"
}

async fn serve(mut connection: Connection, manner: Manner) {
    if let Some(greeting) = manner.greeting {
        connection.send(greeting).await;
    }
    let mut listed = Listed::new();
    while let Some(Ok(frame)) = connection.socket.next().await {
        if let Message::Text(text) = frame
            && let Ok(request) = serde_json::from_str(&text)
        {
            connection.send(&(manner.answer)(&request, &mut listed)).await;
        }
    }
}

/// As many symbols as a feed of this venue may list, in names of a usual length.
fn symbols_max(spec: &Spec) -> Vec<ListedSymbol> {
    let connections = spec.connections_max.min(CONNECTIONS_MAX);
    let count = (spec.symbols_per_connection * connections).min(SYMBOLS_MAX);
    let symbol = |number: usize| ListedSymbol::from(format!("S{number:05}").parse::<Symbol>().unwrap());
    (0..count).map(symbol).collect()
}

fn largest_feed(spec: &'static Spec, url: String) -> config::Feed {
    config::Feed {
        url: Some(url),
        connections_max: spec.connections_max.min(CONNECTIONS_MAX),
        schedule: Schedule::always(),
        credentials: match spec.credentials {
            CredentialsRule::Public => None,
            _ => Some(Credentials::new("key", "secret")),
        },
        ..config::Feed::new(spec, symbols_max(spec))
    }
}

async fn starts_with_all_symbols(spec: &'static Spec) {
    let venue = Venue::bind().await;
    let config = Config { feeds: vec![largest_feed(spec, venue.url.clone())], ..Config::default() };
    let refused = config::check_together(&config, &config::Machine::default());
    assert!(refused.iter().all(|found| found.pair.weight != Weight::Refused), "{}: {refused:?}", spec.name);
    let feed = &config.feeds[0];
    let connections = feed.connection_count();
    let timing = Timing { between_connects: Some(Duration::ZERO), acknowledgement: PATIENCE, ..Timing::default() };
    let running = Feed::new(feed, &config.limits, Now::read()).unwrap().with_timing(timing);
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = metrics::with_local_recorder(&recorder, || FeedMetrics::register(spec.name));
    let (seen_tx, mut seen_rx) = mpsc::unbounded_channel();
    let sinks = (0..connections).map(|_| Observer(seen_tx.clone())).collect();
    let (shutdown_tx, shutdown_rx) = watch::channel(false);
    let task = tokio::spawn(running.run(sinks, metrics, shutdown_rx));
    let serving = async {
        loop {
            tokio::spawn(serve(venue.accept().await, manner(spec)));
        }
    };
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
    let served = async {
        tokio::select! {
            () = serving => {}
            () = all_answered => {}
        }
    };
    served.await;
    shutdown_tx.send_replace(true);
    within("the feed ends", task).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_venue_starts_with_as_many_symbols_as_its_spec_allows() {
    for spec in VENUES {
        starts_with_all_symbols(spec).await;
    }
}
