//! The dialogue of Alpaca's market data streams, which begins with a login.

use crate::Connection;
use serde_json::json;

/// The key that [`log_in`] expects.
pub const KEY: &str = "PKTEST";
/// The secret that [`log_in`] expects.
pub const SECRET: &str = "hush";

/// Greets the feed and returns its login.
///
/// # Panics
///
/// If none comes.
pub async fn greet(connection: &mut Connection) -> String {
    connection.send(r#"[{"T":"success","msg":"connected"}]"#).await;
    connection.text().await
}

/// Greets the feed and expects a login with [`KEY`] and [`SECRET`], which it does not answer.
///
/// # Panics
///
/// If the feed logs in with another key.
pub async fn log_in(connection: &mut Connection) {
    let login = greet(connection).await;
    assert_eq!(login, format!(r#"{{"action":"auth","key":"{KEY}","secret":"{SECRET}"}}"#));
}

/// Lets the feed in and expects its request for the prices of all these symbols, of which it grants some. If it grants
/// all, it also grants the request that follows, for bars, statuses and price bands.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str], granted: &[&str]) {
    log_in(connection).await;
    connection.send(r#"[{"T":"success","msg":"authenticated"}]"#).await;
    connection.expect(&json!({ "action": "subscribe", "quotes": symbols, "trades": symbols })).await;
    acknowledge(connection, granted).await;
    if granted.len() == symbols.len() {
        grant_extras(connection, granted).await;
    }
}

/// Acknowledges the prices of these symbols.
///
/// # Panics
///
/// If the feed has hung up.
pub async fn acknowledge(connection: &mut Connection, granted: &[&str]) {
    let answer = json!([{ "T": "subscription", "trades": granted, "quotes": granted }]);
    connection.send(&answer.to_string()).await;
}

/// Expects the request for bars, statuses and price bands of these symbols, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant_extras(connection: &mut Connection, granted: &[&str]) {
    let extras = json!({ "action": "subscribe", "dailyBars": granted, "statuses": granted, "lulds": granted });
    connection.expect(&extras).await;
    let answer = json!([{ "T": "subscription", "dailyBars": granted, "statuses": granted, "lulds": granted }]);
    connection.send(&answer.to_string()).await;
}
