//! The tables of a cluster: its shards and its nodes, as the polled gateway sees them.

use super::{
    cells::{Table, bound, table, text},
    sample::Sample,
};
use serde_json::Value;

/// None for a gateway that is alone.
pub(super) fn tables(before: &Sample, now: &Sample) -> Vec<Table> {
    if now.cluster["cluster"].is_null() {
        return Vec::new();
    }
    vec![shards(before, now), nodes(&now.cluster)]
}

fn shards(before: &Sample, now: &Sample) -> Table {
    let head = ["shard", "owner", "term", "state", "lease left", "delay p99", "gaps"];
    table("shards", &head, &now.cluster["shards"], |shard| shard_row(before, now, shard))
}

fn shard_row(before: &Sample, now: &Sample, shard: &Value) -> Vec<String> {
    let name = text(&shard["shard"]);
    let label = format!("shard=\"{name}\"");
    let delay = now.metrics.quantile("tickfan_bus_delay_seconds", &label, 0.99, &before.metrics);
    vec![
        name,
        owner(shard, &now.cluster),
        text(&shard["term"]),
        state(shard),
        shard["lease_left_ms"].as_f64().map_or("–".to_owned(), |millis| format!("{:.1} s", millis / 1e3)),
        delay.map_or("–".to_owned(), bound),
        gaps(&shard["gaps"]),
    ]
}

/// The owner, as far as the polled node can know.
fn owner(shard: &Value, cluster: &Value) -> String {
    match (&shard["owner"], &cluster["connected"]["control"]) {
        (Value::Null, Value::Bool(false)) => "unknown: no broker".to_owned(),
        (Value::Null, _) => "none".to_owned(),
        (owner, _) => text(owner),
    }
}

/// The state of the shard on the polled node, and whether its symbols are stale there.
fn state(shard: &Value) -> String {
    let state = text(&shard["state"]);
    let state = if shard["fresh"] == false { format!("{state}, cut off") } else { state };
    if shard["feed_fails"] == true { format!("{state}, its feed fails here") } else { state }
}

/// The holes in the batches, and the ticks that are lost with them.
fn gaps(gaps: &Value) -> String {
    let count = |name: &str| gaps[name].as_u64().unwrap_or(0);
    let all = count("filled") + count("replaced");
    match count("ticks_lost") {
        0 => all.to_string(),
        lost => format!("{all}, {lost} ticks lost"),
    }
}

fn nodes(cluster: &Value) -> Table {
    let head = ["node", "shards", "streams", "reported", "state"];
    let hears = cluster["connected"]["control"] != false;
    let mut table = table("nodes", &head, &cluster["others"], |other| {
        let state = node_state(other, hears);
        let reported = other["reported_ms_ago"].as_f64();
        let reported = reported.map_or("–".to_owned(), |millis| format!("{:.1} s ago", millis / 1e3));
        node_row(other, reported, &state)
    });
    let this = &cluster["node"];
    let mut state = "this node".to_owned();
    if this["shares_name"] == true {
        state += ", and another of its name";
    }
    for connection in ["live", "control"].into_iter().filter(|name| cluster["connected"][*name] == false) {
        state += &format!("; {connection}: no broker");
    }
    table.rows.insert(1, node_row(this, "–".to_owned(), &state));
    table
}

/// The state of another node, as far as the polled one can know, and in which shards its symbols are not the polled
/// node's.
fn node_state(other: &Value, hears: bool) -> String {
    let is = match (other["is"].as_str(), &other["drains"]) {
        (Some("lost"), _) if !hears => "unknown: no broker".to_owned(),
        (Some(gone @ ("lost" | "stopped")), _) => gone.to_owned(),
        (_, Value::Bool(true)) => "stopping".to_owned(),
        _ => "–".to_owned(),
    };
    match other["other_symbols"].as_array().map_or(&[][..], Vec::as_slice) {
        [] => is,
        shards => format!("{is}, other symbols of {}", shards.iter().map(text).collect::<Vec<_>>().join(" ")),
    }
}

fn node_row(node: &Value, reported: String, state: &str) -> Vec<String> {
    vec![text(&node["name"]), text(&node["owned"]), text(&node["streams"]), reported, state.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Metrics, *};
    use serde_json::json;

    fn sample(metrics: &str, cluster: Value) -> Sample {
        let (feeds, streams, symbols) = (Value::Null, Value::Null, Value::Null);
        Sample { metrics: Metrics::parse(metrics), feeds, streams, symbols, cluster }
    }

    #[test]
    fn the_tables_say_who_owns_what_and_how_the_others_follow() {
        let delays = "tickfan_bus_delay_seconds_bucket{shard=\"x.0\",le=\"0.005\"} 99\n\
                      tickfan_bus_delay_seconds_bucket{shard=\"x.0\",le=\"+Inf\"} 100\n";
        let cluster = json!({
            "cluster": "prod",
            "node": {"name": "a", "owned": 1, "streams": 20, "shares_name": false},
            "others": [
                {"name": "b", "owned": 1, "streams": 30, "drains": true, "reported_ms_ago": 440},
                {"name": "c\u{1b}[2J", "owned": 0, "streams": 0, "drains": false, "reported_ms_ago": 900},
                {"name": "d", "owned": 1, "streams": 9, "is": "lost", "drains": false, "reported_ms_ago": 90_000},
                {
                    "name": "e", "owned": 0, "streams": 9, "is": "alive", "drains": false, "reported_ms_ago": 10,
                    "other_symbols": ["x.0", "y.0"],
                },
            ],
            "shards": [
                {
                    "shard": "x.0", "owner": "b", "term": 7, "state": "live", "fresh": true, "lease_left_ms": null,
                    "gaps": {"filled": 3, "replaced": 1, "ticks_lost": 12},
                },
                {
                    "shard": "y.0", "owner": "a", "term": 2, "state": "suspended", "fresh": false,
                    "lease_left_ms": 7_540, "gaps": {"filled": 0, "replaced": 0, "ticks_lost": 0},
                },
                {
                    "shard": "z.0", "owner": null, "term": 2, "state": "live", "fresh": false, "feed_fails": true,
                    "lease_left_ms": null, "gaps": {},
                },
            ],
        });
        let tables = tables(&sample("", Value::Null), &sample(delays, cluster));
        let rows = |table: &Table| table.rows[1..].iter().map(|row| row.join("|")).collect::<Vec<_>>();
        assert_eq!(
            rows(&tables[0]),
            [
                "x.0|b|7|live|–|under 5 ms|4, 12 ticks lost",
                "y.0|a|2|suspended, cut off|7.5 s|–|0",
                "z.0|none|2|live, cut off, its feed fails here|–|–|0",
            ]
        );
        assert_eq!(
            rows(&tables[1]),
            [
                "a|1|20|–|this node",
                "b|1|30|0.4 s ago|stopping",
                "c[2J|0|0|0.9 s ago|–",
                "d|1|9|90.0 s ago|lost",
                "e|0|9|0.0 s ago|–, other symbols of x.0 y.0",
            ]
        );
        assert!(tables.iter().all(|table| table.rows.iter().all(|row| row.len() == table.rows[0].len())));
    }

    #[test]
    fn a_gateway_that_is_alone_has_none_and_two_of_one_name_are_shown() {
        let alone = sample("", json!({"now": 1, "cluster": null}));
        assert_eq!(tables(&alone, &alone).len(), 0);
        let twin = json!({"cluster": "x", "node": {"name": "a", "shares_name": true}, "others": [], "shards": []});
        assert_eq!(nodes(&twin).rows[1][4], "this node, and another of its name");
        let down = json!({"node": {"name": "a"}, "connected": {"live": true, "control": false}, "others": []});
        assert_eq!(nodes(&down).rows[1][4], "this node; control: no broker");
        assert_eq!(owner(&json!({"owner": null}), &down), "unknown: no broker");
        let deaf = json!({"node": {}, "connected": {"control": false}, "others": [{"is": "lost"}, {"is": "stopped"}]});
        let states: Vec<_> = nodes(&deaf).rows[2..].iter().map(|row| row[4].clone()).collect();
        assert_eq!(states, ["unknown: no broker", "stopped"]);
    }
}
