//! Binance's combined spot streams as its documentation describes them: `<symbol>@trade` and `<symbol>@bookTicker`.

use super::{
    batch::{Kind, Update},
    market::Market,
    recording::Change,
    request::{Permissions, Reply},
};
use serde_json::{Value, json};
use std::fmt::Write;

const KINDS: [(&str, Kind); 2] = [("trade", Kind::Trade), ("bookTicker", Kind::Quote)];

/// Accepts every subscription. Like the real venue it never sends anything for a stream that does not exist.
pub(super) fn reply(request: &str, permissions: Permissions, market: &Market) -> Reply {
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    let id = &request["id"];
    if request["method"] != "SUBSCRIBE" {
        let error = json!({ "error": { "code": 2, "msg": "Invalid request: unknown method" }, "id": id });
        return Reply { messages: vec![error.to_string()], subscribed: Vec::new() };
    }
    let streams = request["params"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let subscribed = streams.filter_map(|stream| find(stream, market)).filter(|(symbol, _)| permissions.grant(*symbol));
    Reply { subscribed: subscribed.collect(), messages: vec![json!({ "result": null, "id": id }).to_string()] }
}

fn find(stream: &str, market: &Market) -> Option<(u32, Kind)> {
    let (name, kind) = stream.split_once('@')?;
    let (_, kind) = KINDS.into_iter().find(|(text, _)| *text == kind)?;
    Some((market.find(&name.to_uppercase())?, kind))
}

pub(super) fn write(update: &Update<'_>, json: &mut String) {
    let Update { name, change, id, micros } = update;
    json.push_str(r#"{"stream":""#);
    json.extend(name.chars().map(|c| c.to_ascii_lowercase()));
    // Writing to a string cannot fail.
    let _ = match change {
        Change::Trade { price, size, buyer_is_maker } => write!(
            json,
            r#"@trade","data":{{"e":"trade","E":{micros},"s":"{name}","t":{id},"p":"{price}","q":"{size}","T":{micros},"m":{buyer_is_maker},"M":true}}}}"#
        ),
        Change::Quote { bid_ask: [bid, bid_size, ask, ask_size] } => write!(
            json,
            r#"@bookTicker","data":{{"u":{id},"s":"{name}","b":"{bid}","B":"{bid_size}","a":"{ask}","A":"{ask_size}"}}}}"#
        ),
    };
}

pub(super) fn wrong_type(name: &str) -> String {
    let stream = name.to_lowercase();
    format!(
        r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":1,"s":"{name}","t":{{}},"p":{{"is":"no price"}},"q":[],"T":"soon","m":7,"M":true}}}}"#
    )
}
