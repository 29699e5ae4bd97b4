//! Two samples as lines and tables of strings: the same for a terminal and for plain output.

use super::{
    cells::{Table, bound, table, text},
    cluster,
    sample::Sample,
};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// The lines that matter most, then the tables.
pub(super) struct View {
    pub(super) summary: Vec<String>,
    pub(super) tables: Vec<Table>,
}

/// The rates between two samples, and the current values.
pub(super) fn view(before: &Sample, now: &Sample) -> View {
    let of_cluster = cluster::tables(before, now);
    let others = [streams(now), hottest(now), stalest(now)];
    let tables = std::iter::once(feeds(before, now)).chain(of_cluster).chain(others);
    View { summary: summary(before, now), tables: tables.collect() }
}

fn summary(before: &Sample, now: &Sample) -> Vec<String> {
    let stream_rate = |pointer: &str| per_second(&before.streams, &now.streams, pointer, "/now");
    let value = |name: &str| now.metrics.sum(name, "");
    // The gateway's own delay only: for a slow client the line above counts the ticks that it missed.
    let [delivery_p50, delivery_p99] = quantiles(before, now, "tickfan_tick_delivery_seconds", "transport=\"free\"");
    let [turn_p50, turn_p99] = quantiles(before, now, "tickfan_worker_turn_seconds", "");
    vec![
        format!(
            "streams {} of {}, {} full, {} opened/s, {} rejected since the start",
            text(&now.streams["totals"]["streams"]),
            value("tickfan_streams_limit"),
            text(&now.streams["totals"]["full"]),
            rate_cell(stream_rate("/totals/opened"), 1),
            value("tickfan_streams_rejected_total"),
        ),
        format!(
            "ticks {}/s in, {}/s out, {}/s missed by lag, {}/s by ring; {}/s",
            rate_cell(now.symbols["totals"]["ticks_per_second"].as_f64(), 0),
            rate_cell(stream_rate("/totals/ticks"), 0),
            rate_cell(stream_rate("/totals/missed/lag"), 0),
            rate_cell(stream_rate("/totals/missed/ring"), 0),
            stream_rate("/totals/bytes").map_or("–".to_owned(), bytes),
        ),
        format!("delivery p50 {delivery_p50}, p99 {delivery_p99}; turns p50 {turn_p50}, p99 {turn_p99}"),
        format!(
            "process {} memory, {} of {} descriptors",
            bytes(value("process_resident_memory_bytes")),
            value("process_open_fds"),
            value("process_max_fds"),
        ),
    ]
}

/// A rate, or a dash where it is not known.
fn rate_cell(rate: Option<f64>, digits: usize) -> String {
    rate.map_or("–".to_owned(), |rate| format!("{rate:.digits$}"))
}

/// The median and the 99th percentile of a histogram's samples between two polls.
fn quantiles(before: &Sample, now: &Sample, name: &str, with: &str) -> [String; 2] {
    [0.5, 0.99].map(|quantile| {
        let seconds = now.metrics.quantile(name, with, quantile, &before.metrics);
        seconds.map_or("–".to_owned(), bound)
    })
}

fn feeds(before: &Sample, now: &Sample) -> Table {
    let head = ["feed", "state", "reason", "last message", "messages/s", "errors/s", "symbols"];
    let table = table("feeds", &head, &now.feeds["feeds"], |feed| feed_row(before, now, feed));
    with_total(table, &now.feeds["totals"]["feeds"])
}

/// A table whose title says how many entries there are, where the gateway has not listed all of them.
fn with_total(mut table: Table, all: &Value) -> Table {
    let listed = table.rows.len() - 1;
    if let Some(all) = all.as_u64().filter(|all| *all > listed as u64) {
        table.title += &format!(", {listed} of {all}");
    }
    table
}

fn feed_row(before: &Sample, now: &Sample, feed: &Value) -> Vec<String> {
    let mut earlier = before.feeds["feeds"].as_array().into_iter().flatten();
    let earlier = earlier.find(|earlier| earlier["feed"] == feed["feed"]).unwrap_or(&Value::Null);
    let rate = |counter: &str| per_second(earlier, feed, counter, "/counters/at");
    let states: Vec<_> = feed["symbol_states"].as_object().into_iter().flatten().collect();
    vec![
        text(&feed["feed"]),
        text(&feed["state"]),
        text(&feed["reason"]),
        age(&now.feeds, &feed["last_message"]),
        rate_cell(rate("/counters/messages"), 0),
        rate_cell(rate("/counters/decode_errors"), 1),
        states.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ") + &shown(feed),
    ]
}

/// How many of a feed's symbols show its prices, where that is not all of them. Those without a standby always do.
fn shown(feed: &Value) -> String {
    let count = |name: &str| feed[name].as_u64();
    match (count("active_symbols"), count("symbols_with_standby"), count("symbols")) {
        (Some(active), Some(doubled), Some(all)) if active < doubled => {
            format!(" ({} shown)", all.saturating_sub(doubled) + active)
        }
        _ => String::new(),
    }
}

/// The growth per second of a count, or of the sum of counts by label, between two responses. `at` points to the time
/// of each, in µs. `None` where no time has passed, and where the gateway has restarted.
fn per_second(before: &Value, now: &Value, count: &str, at: &str) -> Option<f64> {
    let grown = total(now.pointer(count)?)? - total(before.pointer(count)?)?;
    let micros = now.pointer(at)?.as_f64()? - before.pointer(at)?.as_f64()?;
    (micros > 0.0 && grown >= 0.0).then(|| grown / micros * 1e6)
}

/// A count, or the sum of counts by label.
fn total(count: &Value) -> Option<f64> {
    match count {
        Value::Object(by_label) => Some(by_label.values().filter_map(Value::as_f64).sum()),
        one => one.as_f64(),
    }
}

fn streams(now: &Sample) -> Table {
    let row = |stream: &Value| {
        vec![
            text(&stream["stream"]),
            client(stream),
            seconds(&stream["oldest_unsent_seconds"]),
            seconds(&stream["full_seconds"]),
            text(&stream["missed"]["lag"]),
            bytes(stream["bytes"].as_f64().unwrap_or(0.0)),
            seconds(&stream["open_seconds"]),
            text(&stream["symbols_total"]),
        ]
    };
    let head = ["stream", "client", "behind", "full for", "missed", "bytes", "open for", "symbols"];
    with_total(table("slowest streams", &head, &now.streams["streams"], row), &now.streams["totals"]["streams"])
}

/// The id and the address of a stream's client. Without a proxy between, the address has its port.
fn client(stream: &Value) -> String {
    let address = stream["client"].as_str().and_then(|address| address.parse::<IpAddr>().ok());
    let peer = stream["peer"].as_str().and_then(|peer| peer.parse::<SocketAddr>().ok());
    let is_direct = peer.is_some_and(|peer| address.is_none_or(|address| address == peer.ip().to_canonical()));
    let address = text(if is_direct { &stream["peer"] } else { &stream["client"] });
    match &stream["client_id"] {
        Value::Null => address,
        id => format!("{} {address}", text(id)),
    }
}

fn hottest(now: &Sample) -> Table {
    with_total(symbols("hottest symbols", &now.symbols["hottest"], now), &now.symbols["totals"]["symbols"])
}

/// Without their total: those that have had no update are not among them.
fn stalest(now: &Sample) -> Table {
    symbols("stalest symbols", &now.symbols["stalest"], now)
}

fn symbols(title: &str, listed: &Value, now: &Sample) -> Table {
    table(title, &SYMBOL_HEAD, listed, |symbol| symbol_row(now, symbol))
}

const SYMBOL_HEAD: [&str; 5] = ["symbol", "feed", "state", "ticks/s", "age"];

fn symbol_row(now: &Sample, symbol: &Value) -> Vec<String> {
    vec![
        text(&symbol["symbol"]),
        text(&symbol["feed"]),
        text(&symbol["state"]),
        format!("{:.0}", symbol["ticks_per_second"].as_f64().unwrap_or(0.0)),
        age(&now.symbols, &symbol["recv"]),
    ]
}

fn age(response: &Value, micros: &Value) -> String {
    match (response["now"].as_i64(), micros.as_i64()) {
        (Some(now), Some(then)) => format!("{:.1} s", (now - then).max(0) as f64 / 1e6),
        _ => "–".to_owned(),
    }
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or("–".to_owned(), |seconds| format!("{seconds:.1} s"))
}

fn bytes(bytes: f64) -> String {
    match bytes {
        0.0..1e3 => format!("{bytes:.0} B"),
        1e3..1e6 => format!("{:.1} kB", bytes / 1e3),
        1e6..1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Metrics, *};

    #[test]
    fn a_rate_is_over_the_time_between_the_counts_and_not_between_the_polls() {
        let response = |trades: u64, at: u64| serde_json::json!({"counts": {"trade": trades, "quote": 10}, "at": at});
        let rate = |before: &Value, now: &Value| per_second(before, now, "/counts", "/at");
        assert_eq!(rate(&response(5, 1_000_000), &response(605, 3_000_000)), Some(300.0));
        assert_eq!(rate(&response(5, 1_000_000), &response(5, 1_000_000)), None, "no new count");
        assert_eq!(rate(&response(5, 1_000_000), &response(1, 2_000_000)), None, "a restart");
        assert_eq!(rate(&Value::Null, &response(1, 2_000_000)), None, "a feed that was not listed");
    }

    #[test]
    fn a_feed_says_how_many_symbols_are_shown_from_another() {
        let shown = |active: u64| {
            super::shown(&serde_json::json!({"active_symbols": active, "symbols_with_standby": 3, "symbols": 5}))
        };
        assert_eq!([shown(3), shown(1), shown(0)], ["", " (3 shown)", " (2 shown)"]);
        assert_eq!(super::shown(&serde_json::json!({"symbols": 3})), "");
    }

    #[test]
    fn a_list_that_leaves_entries_out_says_so() {
        let titles = |listed: usize, all: usize| {
            let totals = serde_json::json!({"feeds": all, "streams": all, "symbols": all});
            let list = vec![serde_json::json!({}); listed];
            let response = serde_json::json!(
                {"totals": totals, "feeds": list, "streams": list, "hottest": list, "stalest": list}
            );
            let sample = Sample {
                metrics: Metrics::default(),
                feeds: response.clone(),
                streams: response.clone(),
                symbols: response,
                cluster: Value::Null,
            };
            view(&sample, &sample).tables.into_iter().map(|table| table.title).collect::<Vec<_>>()
        };
        let names = ["feeds", "slowest streams", "hottest symbols", "stalest symbols"];
        assert_eq!([titles(8, 8), titles(0, 0)], [names; 2]);
        let with_total =
            |name: &str| if name == "stalest symbols" { name.to_owned() } else { format!("{name}, 8 of 12") };
        assert_eq!(titles(8, 12), names.map(with_total), "those without an update are not stale");
    }

    #[test]
    fn a_client_behind_a_proxy_is_shown_without_the_proxy() {
        for (address, id, peer, shown) in [
            ("127.0.0.1", None, "127.0.0.1:5000", "127.0.0.1:5000"),
            ("127.0.0.1", Some("acme"), "[::ffff:127.0.0.1]:5000", "acme [::ffff:127.0.0.1]:5000"),
            ("2001:db8::7", None, "10.0.0.1:5000", "2001:db8::7"),
            ("192.0.2.7", Some("ac\u{1b}[31mme"), "10.0.0.1:5000", "ac[31mme 192.0.2.7"),
        ] {
            let stream = serde_json::json!({"client": address, "client_id": id, "peer": peer});
            assert_eq!(client(&stream), shown);
        }
        let gone = serde_json::json!({"client": "192.0.2.7", "client_id": null, "peer": null});
        assert_eq!(client(&gone), "192.0.2.7");
    }
}
