//! A look as lines and tables of text: the same for a terminal and for plain output.

use super::look::Look;
use serde_json::Value;

/// A table with a title; the first row is its head.
pub(super) struct Table {
    pub(super) title: String,
    pub(super) rows: Vec<Vec<String>>,
}

/// One line of what matters most, then the tables.
pub(super) struct View {
    pub(super) summary: Vec<String>,
    pub(super) tables: Vec<Table>,
}

/// What changed between two looks, and what is.
pub(super) fn view(before: &Look, now: &Look) -> View {
    View { summary: summary(before, now), tables: vec![feeds(before, now), streams(now), hottest(now), stalest(now)] }
}

fn summary(before: &Look, now: &Look) -> Vec<String> {
    let per_second = |pointer: &str| per_second(&before.streams, &now.streams, pointer, "/now");
    let shown = |rate: Option<f64>, digits: usize| rate.map_or("–".to_owned(), |rate| format!("{rate:.digits$}"));
    let quantiles = |name: &str, with: &str| {
        let quantile = |quantile| now.metrics.quantile(name, with, quantile, &before.metrics);
        [0.5, 0.99].map(|wanted| quantile(wanted).map_or("–".to_owned(), bound))
    };
    // The gateway's own delay: what waits for a slow client to make room is told by what it missed.
    let [delivery_half, delivery_most] = quantiles("tickfan_tick_delivery_seconds", "transport=\"free\"");
    let [turn_half, turn_most] = quantiles("tickfan_worker_turn_seconds", "");
    let now_is = |name: &str| now.metrics.sum(name, "");
    vec![
        format!(
            "streams {} of {}, {} full, {} opened/s, {} refused since the start",
            text(&now.streams["totals"]["streams"]),
            now_is("tickfan_streams_limit"),
            text(&now.streams["totals"]["full"]),
            shown(per_second("/totals/opened"), 1),
            now_is("tickfan_streams_rejected_total"),
        ),
        format!(
            "ticks {}/s in, {}/s out, {}/s missed by lag, {}/s by ring; {}/s",
            shown(now.symbols["totals"]["ticks_per_second"].as_f64(), 0),
            shown(per_second("/totals/ticks"), 0),
            shown(per_second("/totals/missed/lag"), 0),
            shown(per_second("/totals/missed/ring"), 0),
            per_second("/totals/bytes").map_or("–".to_owned(), bytes),
        ),
        format!("delivery p50 {delivery_half}, p99 {delivery_most}; turns p50 {turn_half}, p99 {turn_most}"),
        format!(
            "process {} memory, {} of {} descriptors",
            bytes(now_is("process_resident_memory_bytes")),
            now_is("process_open_fds"),
            now_is("process_max_fds"),
        ),
    ]
}

fn feeds(before: &Look, now: &Look) -> Table {
    let row = |feed: &Value| {
        let earlier = before.feeds["feeds"].as_array().into_iter().flatten();
        let earlier = earlier.into_iter().find(|earlier| earlier["feed"] == feed["feed"]).unwrap_or(&Value::Null);
        let rate = |counter: &str, digits: usize| {
            let rate = per_second(earlier, feed, &format!("/counters/{counter}"), "/counters/at");
            rate.map_or("–".to_owned(), |rate| format!("{rate:.digits$}"))
        };
        vec![
            text(&feed["feed"]),
            text(&feed["state"]),
            text(&feed["reason"]),
            age(&now.feeds, &feed["last_message"]),
            rate("messages", 0),
            rate("decode_errors", 1),
            feed["symbol_states"].as_object().map_or_else(String::new, |states| {
                states.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
            }),
        ]
    };
    let head = ["feed", "state", "reason", "last message", "messages/s", "errors/s", "symbols"];
    let mut table = table("feeds", &head, &now.feeds["feeds"], row);
    let (shown, all) = (table.rows.len() - 1, now.feeds["totals"]["feeds"].as_u64());
    if let Some(all) = all.filter(|all| *all > shown as u64) {
        table.title = format!("feeds, {shown} of {all}");
    }
    table
}

/// By how much a count, or counts by label together, grew each second between two answers, each as of its own time `at`,
/// in microseconds. Nothing where no time has passed, and where the gateway has started anew.
fn per_second(before: &Value, now: &Value, count: &str, at: &str) -> Option<f64> {
    let counted = |answer: &Value| match answer.pointer(count)? {
        Value::Object(by_label) => Some(by_label.values().filter_map(Value::as_f64).sum()),
        one => one.as_f64(),
    };
    let grown: f64 = counted(now)? - counted(before)?;
    let micros = now.pointer(at)?.as_f64()? - before.pointer(at)?.as_f64()?;
    (micros > 0.0 && grown >= 0.0).then(|| grown / micros * 1e6)
}

fn streams(now: &Look) -> Table {
    let row = |stream: &Value| {
        vec![
            text(&stream["stream"]),
            text(&stream["peer"]),
            seconds(&stream["oldest_unsent_seconds"]),
            seconds(&stream["full_seconds"]),
            text(&stream["missed"]["lag"]),
            bytes(stream["bytes"].as_f64().unwrap_or(0.0)),
            seconds(&stream["open_seconds"]),
            text(&stream["symbols_total"]),
        ]
    };
    let head = ["stream", "peer", "behind", "full for", "missed", "bytes", "open for", "symbols"];
    table("slowest streams", &head, &now.streams["streams"], row)
}

fn hottest(now: &Look) -> Table {
    table("hottest symbols", &SYMBOL_HEAD, &now.symbols["hottest"], |symbol| symbol_row(now, symbol))
}

fn stalest(now: &Look) -> Table {
    table("stalest symbols", &SYMBOL_HEAD, &now.symbols["stalest"], |symbol| symbol_row(now, symbol))
}

const SYMBOL_HEAD: [&str; 5] = ["symbol", "feed", "state", "ticks/s", "age"];

fn symbol_row(now: &Look, symbol: &Value) -> Vec<String> {
    vec![
        text(&symbol["symbol"]),
        text(&symbol["feed"]),
        text(&symbol["state"]),
        format!("{:.0}", symbol["ticks_per_second"].as_f64().unwrap_or(0.0)),
        age(&now.symbols, &symbol["recv"]),
    ]
}

fn table(title: &str, head: &[&str], entries: &Value, row: impl Fn(&Value) -> Vec<String>) -> Table {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let rows = entries.as_array().into_iter().flatten().map(row);
    Table { title: title.to_owned(), rows: std::iter::once(head).chain(rows).collect() }
}

/// A value as text without control characters: what a venue or a client said must not drive the terminal.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => return "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().filter(|character| !character.is_control()).take(48).collect()
}

fn age(answer: &Value, micros: &Value) -> String {
    match (answer["now"].as_i64(), micros.as_i64()) {
        (Some(now), Some(then)) => format!("{:.1} s", (now - then).max(0) as f64 / 1e6),
        _ => "–".to_owned(),
    }
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or("–".to_owned(), |seconds| format!("{seconds:.1} s"))
}

fn bound(seconds: f64) -> String {
    if seconds.is_infinite() { "over 5 s".to_owned() } else { format!("under {} ms", seconds * 1e3) }
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
    use super::{super::look::Metrics, *};

    #[test]
    fn a_rate_is_over_the_time_between_the_counts_and_not_between_the_questions() {
        let answer = |trades: u64, at: u64| serde_json::json!({"counts": {"trade": trades, "quote": 10}, "at": at});
        let rate = |before: &Value, now: &Value| per_second(before, now, "/counts", "/at");
        assert_eq!(rate(&answer(5, 1_000_000), &answer(605, 3_000_000)), Some(300.0));
        assert_eq!(rate(&answer(5, 1_000_000), &answer(5, 1_000_000)), None, "nothing new was counted");
        assert_eq!(rate(&answer(5, 1_000_000), &answer(1, 2_000_000)), None, "another life");
        assert_eq!(rate(&Value::Null, &answer(1, 2_000_000)), None, "a feed that was not listed");
    }

    #[test]
    fn a_list_that_leaves_feeds_out_says_so() {
        let title = |listed: usize, all: usize| {
            let feeds = serde_json::json!({"totals": {"feeds": all}, "feeds": vec![serde_json::json!({}); listed]});
            let none = || Look {
                metrics: Metrics::default(),
                feeds: feeds.clone(),
                streams: Value::Null,
                symbols: Value::Null,
            };
            super::feeds(&none(), &none()).title
        };
        assert_eq!([title(8, 12), title(8, 8), title(0, 0)], ["feeds, 8 of 12", "feeds", "feeds"]);
    }

    #[test]
    fn what_others_said_cannot_drive_the_terminal() {
        assert_eq!(text(&"a\u{1b}[2Jb\n".into()), "a[2Jb");
        assert_eq!(text(&Value::Null), "–");
        assert_eq!(text(&"x".repeat(99).into()).len(), 48);
    }
}
