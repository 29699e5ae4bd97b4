//! Alpaca's stock stream as its documentation describes it: a key first, then trades and quotes in arrays.

use super::{
    batch::{Kind, Update},
    market::Market,
    recording::Change,
    request::{Permissions, Reply},
};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

pub(super) const WELCOME: &str = r#"[{"T":"success","msg":"connected"}]"#;
/// The most updates in one message.
const ARRAY_MAX: usize = 50;
const KINDS: [(&str, Kind); 2] = [("trades", Kind::Trade), ("quotes", Kind::Quote)];

/// The reply to a subscription lists all subscriptions of the connection.
pub(super) fn reply(request: &str, permissions: Permissions, had: &[(u32, Kind)], market: &Market) -> Reply {
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    let (subscribed, message) = match request["action"].as_str() {
        Some("auth") if !permissions.key => (Vec::new(), json!({ "T": "error", "code": 402, "msg": "auth failed" })),
        Some("auth") => (Vec::new(), json!({ "T": "success", "msg": "authenticated" })),
        Some("subscribe") => {
            let subscribed = subscriptions(&request, permissions, had, market);
            let all: Vec<(u32, Kind)> = had.iter().chain(&subscribed).copied().collect();
            let list = confirmation(&request, &all, market);
            (subscribed, list)
        }
        _ => (Vec::new(), json!({ "T": "error", "code": 400, "msg": "invalid syntax" })),
    };
    Reply { subscribed, messages: vec![json!([message]).to_string()] }
}

fn subscriptions(request: &Value, permissions: Permissions, had: &[(u32, Kind)], market: &Market) -> Vec<(u32, Kind)> {
    let wanted = KINDS.into_iter().flat_map(|(channel, kind)| {
        let names = request[channel].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter_map(|name| market.find(name)).map(move |symbol| (symbol, kind))
    });
    wanted.filter(|one| permissions.grant(one.0) && !had.contains(one)).collect()
}

fn confirmation(request: &Value, all: &[(u32, Kind)], market: &Market) -> Value {
    let mut list = json!({ "T": "subscription" });
    for (channel, kind) in KINDS {
        let names = all.iter().filter(|one| one.1 == kind).map(|one| market.name(one.0));
        list[channel] = names.collect();
    }
    // The venue accepts these channels, but never sends anything on them.
    for channel in ["bars", "dailyBars", "statuses", "lulds"] {
        list[channel] = request.get(channel).cloned().unwrap_or_else(|| json!([]));
    }
    list
}

pub(super) fn write(update: &Update<'_>, json: &mut String) {
    let Update { name, change, id, micros } = update;
    let time = humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + Duration::from_micros(*micros));
    // Writing to a string cannot fail.
    let _ = match change {
        Change::Trade { price, size, .. } => write!(
            json,
            r#"{{"T":"t","S":"{name}","i":{id},"x":"V","p":{price},"s":{size},"c":["@"],"z":"C","t":"{time}"}}"#
        ),
        Change::Quote { bid_ask: [bid, bid_size, ask, ask_size] } => write!(
            json,
            r#"{{"T":"q","S":"{name}","bx":"V","bp":{bid},"bs":{bid_size},"ax":"V","ap":{ask},"as":{ask_size},"c":["R"],"z":"C","t":"{time}"}}"#
        ),
    };
}

pub(super) fn arrays<'a>(updates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let updates: Vec<&str> = updates.collect();
    updates.chunks(ARRAY_MAX).map(|chunk| format!("[{}]", chunk.join(","))).collect()
}

pub(super) fn wrong_type(name: &str) -> String {
    format!(r#"[{{"T":"t","S":"{name}","i":"one","x":"V","p":{{"is":"no price"}},"s":[],"c":7,"z":"C","t":12}}]"#)
}
