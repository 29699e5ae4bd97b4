//! Which addresses carry Binance's spot market.

use crate::{
    market::Origin,
    venue::{VenueError, kit::address},
};

const DOMAINS: [&str; 4] = ["binance.com", "binance.us", "binance.vision", TEST_FUTURES];
/// Whose data are not the market's.
const TEST_HOSTS: [&str; 2] = ["testnet.binance.vision", "demo-stream.binance.com"];
const SPOT: &str = "for the spot market write wss://stream.binance.com:9443, wss://data-stream.binance.vision or \
                    wss://stream.binance.us:9443";

const FUTURES: &str = "for futures set venue = \"binance-usdm\", whose address is wss://fstream.binance.com";
/// The test network of futures.
const TEST_FUTURES: &str = "binancefuture.com";

/// Rejects what can never carry the spot market's streams. Another host than the venue's own has paths of its own.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !DOMAINS.iter().any(|domain| address::is_within(&host, domain)) {
        return Ok(());
    }
    let wrong = |why, instead| Err(address::wrong(url, why, instead));
    let label = host.split('.').next().unwrap_or_default();
    if matches!(label, "dstream" | "dapi" | "ws-dapi") {
        return wrong("carries coin-margined futures, which no venue here supports", SPOT);
    }
    if matches!(label, "fstream" | "fstream-auth" | "fapi" | "ws-fapi") || address::is_within(&host, TEST_FUTURES) {
        return wrong("carries futures", FUTURES);
    }
    if matches!(label, "nbstream" | "eapi" | "vstream") {
        return wrong("carries options, which this venue does not support", SPOT);
    }
    if label == "ws-api" || path.contains(&"ws-api") {
        return wrong("takes requests, and streams no market data", SPOT);
    }
    if !label.contains("stream") && !TEST_HOSTS.contains(&host.as_str()) {
        return wrong("is not a host of its streams", SPOT);
    }
    if !matches!(path.as_slice(), [] | ["ws", ..] | ["stream"]) {
        return wrong("has a path without streams", "write the address without its path, or with /stream or /ws");
    }
    address::check_tls(url)
}

/// What the data are.
pub(super) fn origin(url: Option<&str>) -> Origin {
    let is_test = url.is_some_and(|url| {
        let (host, _) = address::parts(url);
        TEST_HOSTS.iter().any(|test| address::is_within(&host, test))
    });
    if is_test { Origin::Sim } else { Origin::Market }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_can_never_carry_the_spot_market_is_refused_with_what_would_be_right() {
        for url in [
            "wss://stream.binance.com:9443",
            "wss://stream.binance.com:443/",
            "wss://stream.binance.com:9443/ws",
            "wss://stream.binance.com:9443/ws/",
            "wss://stream.binance.com:9443/ws/btcusdt@trade",
            "wss://stream.binance.com:9443/stream?streams=btcusdt@trade/btcusdt@bookTicker",
            "wss://data-stream.binance.vision",
            "wss://stream.binance.us:9443/stream",
            "wss://stream.testnet.binance.vision/ws",
            "ws://127.0.0.1:9/ws",
            "wss://proxy.example/markets/binance",
            "wss://notbinance.com/anything",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for (url, expected) in [
            ("wss://fstream.binance.com", "binance-usdm"),
            ("wss://FSTREAM.binance.com/ws/btcusdt@trade", "binance-usdm"),
            ("wss://dstream.binance.com/stream", "coin-margined"),
            ("wss://stream.binancefuture.com/ws", "binance-usdm"),
            ("wss://nbstream.binance.com/eoptions/ws", "options"),
            ("wss://ws-api.binance.com:443/ws-api/v3", "requests"),
            ("wss://stream.binance.com:9443/ws-api/v3", "requests"),
            ("wss://api.binance.com/ws", "not a host"),
            ("wss://binance.com/stream", "not a host"),
            ("wss://stream.binance.com:9443/streams", "/stream or /ws"),
            ("wss://stream.binance.com:9443/v2/iex", "/stream or /ws"),
            ("wss://stream.binance.com:9443/stream/btcusdt@trade", "/stream or /ws"),
            ("ws://stream.binance.com:9443/ws", "TLS"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn data_of_a_test_network_are_not_the_market() {
        for (url, expected) in [
            (None, Origin::Market),
            (Some("wss://data-stream.binance.vision/ws"), Origin::Market),
            (Some("wss://stream.testnet.binance.vision/ws"), Origin::Sim),
            (Some("wss://demo-stream.binance.com"), Origin::Sim),
        ] {
            assert_eq!(origin(url), expected, "{url:?}");
        }
    }
}
