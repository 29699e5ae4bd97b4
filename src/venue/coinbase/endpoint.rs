//! Which addresses carry the market data of Advanced Trade.

use crate::venue::{VenueError, kit::address};

const DOMAIN: &str = "coinbase.com";
const HOST: &str = "advanced-trade-ws.coinbase.com";
const RIGHT: &str = "write wss://advanced-trade-ws.coinbase.com";

/// Rejects what can never carry these data. Another host than the venue's own has paths of its own.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !address::is_within(&host, DOMAIN) {
        return Ok(());
    }
    let wrong = |why| Err(address::wrong(url, why, RIGHT));
    if host == "advanced-trade-ws-user.coinbase.com" {
        return wrong("carries the orders of a user");
    }
    if address::is_within(&host, "exchange.coinbase.com") {
        return wrong("speaks the protocol of Coinbase Exchange, which this venue does not support");
    }
    if host != HOST {
        return wrong("is not the host of its market data");
    }
    if !path.is_empty() {
        return wrong("has a path without data");
    }
    if !url.to_ascii_lowercase().starts_with("wss://") {
        return wrong("is not served without TLS");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_can_never_carry_the_data_is_refused_with_what_would_be_right() {
        for url in [
            "wss://advanced-trade-ws.coinbase.com",
            "wss://advanced-trade-ws.coinbase.com:443/",
            "WSS://Advanced-Trade-WS.coinbase.com",
            "ws://127.0.0.1:9",
            "wss://proxy.example/coinbase",
            "wss://notcoinbase.com/anything",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for (url, expected) in [
            ("wss://advanced-trade-ws-user.coinbase.com", "orders"),
            ("wss://ws-feed.exchange.coinbase.com", "Coinbase Exchange"),
            ("wss://ws-feed-public.sandbox.exchange.coinbase.com", "Coinbase Exchange"),
            ("wss://ws-feed.pro.coinbase.com", "not the host"),
            ("wss://coinbase.com", "not the host"),
            ("wss://advanced-trade-ws.coinbase.com/ws", "path"),
            ("ws://advanced-trade-ws.coinbase.com", "TLS"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("wss://advanced-trade-ws.coinbase.com"), "{error}");
        }
    }
}
