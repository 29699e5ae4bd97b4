//! Coinbase's Advanced Trade streams as its documentation describes them: trades and tickers, each frame with a number.

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

const KINDS: [(&str, Kind); 2] = [("market_trades", Kind::Trade), ("ticker", Kind::Quote)];

/// The reply to a subscription lists all subscriptions of the connection.
pub(super) fn reply(request: &str, permissions: Permissions, had: &[(u32, Kind)], market: &Market) -> Reply {
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    if request["type"] != "subscribe" {
        let error = json!({ "type": "error", "message": "unknown type" }).to_string();
        return Reply { messages: vec![error[1..].to_owned()], subscribed: Vec::new() };
    }
    let kind = KINDS.into_iter().find(|(channel, _)| request["channel"] == *channel).map(|(_, kind)| kind);
    let products = request["product_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let symbols = products.filter_map(|name| market.find(name)).filter(|symbol| permissions.grant(*symbol));
    let wanted = symbols.filter_map(|symbol| Some((symbol, kind?)));
    let subscribed: Vec<_> = wanted.filter(|one| !had.contains(one)).collect();
    let all: Vec<_> = had.iter().chain(&subscribed).copied().collect();
    // The venue accepts these channels, but never sends anything on them.
    let mut list = json!({ "heartbeats": ["heartbeats"] });
    list["status"] = if request["channel"] == "status" { request["product_ids"].clone() } else { json!([]) };
    for (channel, kind) in KINDS {
        list[channel] = all.iter().filter(|one| one.1 == kind).map(|one| market.name(one.0)).collect();
    }
    let answer = json!({ "channel": "subscriptions", "events": [{ "subscriptions": list }] }).to_string();
    Reply { messages: vec![answer[1..].to_owned()], subscribed }
}

/// Puts the number of a frame before what follows it.
pub(super) fn numbered(number: u64, rest: &str) -> String {
    format!(r#"{{"sequence_num":{number},{rest}"#)
}

/// Writes a frame from behind its number on.
pub(super) fn write(update: &Update<'_>, json: &mut String) {
    let Update { name, change, id, micros } = update;
    let time = humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + Duration::from_micros(*micros));
    // Writing to a string cannot fail.
    let _ = match change {
        Change::Trade { price, size, buyer_is_maker } => {
            let side = if *buyer_is_maker { "BUY" } else { "SELL" };
            write!(
                json,
                r#""channel":"market_trades","timestamp":"{time}","events":[{{"type":"update","trades":[{{"product_id":"{name}","trade_id":"{id}","price":"{price}","size":"{size}","time":"{time}","side":"{side}"}}]}}]}}"#
            )
        }
        Change::Quote { bid_ask: [bid, bid_size, ask, ask_size] } => write!(
            json,
            r#""channel":"ticker","timestamp":"{time}","events":[{{"type":"update","tickers":[{{"type":"ticker","product_id":"{name}","price":"{bid}","volume_24_h":"1","low_24_h":"{bid}","high_24_h":"{ask}","best_bid":"{bid}","best_ask":"{ask}","best_bid_quantity":"{bid_size}","best_ask_quantity":"{ask_size}"}}]}}]}}"#
        ),
    };
}

/// A frame from behind its number on, whose price is an object.
pub(super) fn wrong_type(name: &str) -> String {
    format!(
        r#""channel":"market_trades","timestamp":12,"events":[{{"type":"update","trades":[{{"product_id":"{name}","trade_id":{{}},"price":{{"is":"no price"}},"size":[],"time":7,"side":1}}]}}]}}"#
    )
}
