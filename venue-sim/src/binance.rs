//! The dialogue of Binance's market streams.

use crate::Connection;
use serde_json::{Value, json};

/// Expects the feed's request for both streams of these symbols, named as the venue names them, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str]) {
    let mut streams = Vec::new();
    for symbol in symbols {
        streams.push(format!("{symbol}@trade"));
        streams.push(format!("{symbol}@bookTicker"));
    }
    let text = connection.text().await;
    let request: Value = serde_json::from_str(&text).expect("a request in JSON");
    assert_eq!((&request["method"], &request["params"]), (&json!("SUBSCRIBE"), &json!(streams)), "{request}");
    connection.send(&json!({ "result": null, "id": request["id"] }).to_string()).await;
}

/// The frame of a trade. `id` also orders its time.
#[must_use]
pub fn trade(name: &str, id: u64, price: &str) -> String {
    let stream = name.to_lowercase();
    let time = 1_723_161_255_342_000 + id;
    format!(
        r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":1723161255343000,"s":"{name}","t":{id},"p":"{price}","q":"0.02000000","T":{time},"m":true,"M":true}}}}"#
    )
}

/// The frame of a quote.
#[must_use]
pub fn quote(name: &str, id: u64, bid: &str, ask: &str) -> String {
    let stream = name.to_lowercase();
    format!(
        r#"{{"stream":"{stream}@bookTicker","data":{{"u":{id},"s":"{name}","b":"{bid}","B":"3.78826000","a":"{ask}","A":"1.54698000"}}}}"#
    )
}
