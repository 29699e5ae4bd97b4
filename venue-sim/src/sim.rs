//! The dialogue of the simulator's protocol.

use crate::Connection;
use serde_json::json;

/// Expects the feed's request for these symbols, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str]) {
    connection.expect(&json!({ "id": 1, "op": "subscribe", "symbols": symbols })).await;
    connection.send(r#"{"op":"ack","id":1}"#).await;
}

/// Expects any request, and refuses it.
///
/// # Panics
///
/// If none comes.
pub async fn refuse(connection: &mut Connection) {
    connection.text().await;
    connection.send(r#"{"op":"refuse","id":1}"#).await;
}

/// A trade of MSFT, whose price is also its id.
#[must_use]
pub fn trade(price: u32) -> String {
    format!(r#"{{"type":"trade","symbol":"MSFT","id":{price},"price":"{price}","size":1,"side":"buy"}}"#)
}
