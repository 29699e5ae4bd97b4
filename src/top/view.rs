//! A look as lines and tables of text: the same for a terminal and for plain output.

use super::look::Look;
use serde_json::Value;

/// A table with a title; the first row is its head.
pub(super) struct Table {
    pub(super) title: &'static str,
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
    let seconds = (now.at - before.at).as_secs_f64();
    let rate =
        |name: &str, with: &str| (now.metrics.sum(name, with) - before.metrics.sum(name, with)).max(0.0) / seconds;
    let quantiles = |name: &str| {
        [0.5, 0.99].map(|quantile| now.metrics.quantile(name, quantile, &before.metrics).map_or("–".to_owned(), bound))
    };
    let [delivery_half, delivery_most] = quantiles("tickfan_tick_delivery_seconds");
    let [turn_half, turn_most] = quantiles("tickfan_worker_turn_seconds");
    let now_is = |name: &str| now.metrics.sum(name, "");
    vec![
        format!(
            "streams {} of {}, {} full, {:.1} opened/s, {:.1} refused/s",
            now_is("tickfan_streams"),
            now_is("tickfan_streams_limit"),
            now_is("tickfan_streams_stalled"),
            rate("tickfan_streams_opened_total", ""),
            rate("tickfan_streams_rejected_total", ""),
        ),
        format!(
            "ticks {:.0}/s in, {:.0}/s out, {:.0}/s missed by lag, {:.0}/s by ring; {}/s",
            rate("tickfan_cache_updates_total", "result=\"tick\""),
            rate("tickfan_stream_ticks_sent_total", ""),
            rate("tickfan_stream_ticks_missed_total", "cause=\"lag\""),
            rate("tickfan_stream_ticks_missed_total", "cause=\"ring\""),
            bytes(rate("tickfan_stream_sent_bytes_total", "")),
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
    let seconds = (now.at - before.at).as_secs_f64();
    let row = |feed: &Value| {
        let name = text(&feed["feed"]);
        let with = format!("feed=\"{name}\"");
        let rate =
            |metric: &str| (now.metrics.sum(metric, &with) - before.metrics.sum(metric, &with)).max(0.0) / seconds;
        vec![
            name.clone(),
            text(&feed["state"]),
            text(&feed["reason"]),
            age(&now.feeds, &feed["last_message"]),
            format!("{:.0}", rate("tickfan_feed_messages_total")),
            format!("{:.1}", rate("tickfan_feed_decode_errors_total")),
            feed["symbol_states"].as_object().map_or_else(String::new, |states| {
                states.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
            }),
        ]
    };
    let head = ["feed", "state", "reason", "last message", "messages/s", "errors/s", "symbols"];
    table("feeds", &head, &now.feeds["feeds"], row)
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

fn table(title: &'static str, head: &[&str], entries: &Value, row: impl Fn(&Value) -> Vec<String>) -> Table {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let rows = entries.as_array().into_iter().flatten().map(row);
    Table { title, rows: std::iter::once(head).chain(rows).collect() }
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
    use super::*;

    #[test]
    fn what_others_said_cannot_drive_the_terminal() {
        assert_eq!(text(&"a\u{1b}[2Jb\n".into()), "a[2Jb");
        assert_eq!(text(&Value::Null), "–");
        assert_eq!(text(&"x".repeat(99).into()).len(), 48);
    }
}
