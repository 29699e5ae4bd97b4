//! Which addresses carry Kraken's spot market.

use crate::venue::{VenueError, kit::address};

const DOMAIN: &str = "kraken.com";
const SPOT: &str = "for the spot market write wss://ws.kraken.com/v2";

/// Rejects what can never carry the public channels of the spot market. Another host than the venue's own has paths of
/// its own.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !address::is_within(&host, DOMAIN) {
        return Ok(());
    }
    let wrong = |why, instead| Err(address::wrong(url, why, instead));
    let label = host.split('.').next().unwrap_or_default();
    if label.contains("futures") {
        return wrong("carries futures, which this venue does not support", SPOT);
    }
    if label.contains("auth") || label == "ws-l3" {
        return wrong("carries data of accounts, which need a login", SPOT);
    }
    if label.contains("equities") {
        return wrong("carries shares, which this venue does not support", SPOT);
    }
    if !matches!(label, "ws" | "beta-ws") {
        return wrong("is not a host of its streams", SPOT);
    }
    if !matches!(path.as_slice(), [] | ["v2"]) {
        return wrong("does not speak version 2 of its protocol", "write the address without its path, or with /v2");
    }
    address::check_tls(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_can_never_carry_the_spot_market_is_refused_with_what_would_be_right() {
        for url in [
            "wss://ws.kraken.com",
            "wss://ws.kraken.com/",
            "wss://ws.kraken.com/v2",
            "wss://WS.kraken.com:443/v2/",
            "wss://beta-ws.kraken.com/v2",
            "ws://127.0.0.1:9",
            "wss://proxy.example/markets/kraken",
            "wss://notkraken.com/v1",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for (url, expected) in [
            ("wss://futures.kraken.com/ws/v1", "futures"),
            ("wss://demo-futures.kraken.com/ws/v1", "futures"),
            ("wss://ws-auth.kraken.com/v2", "login"),
            ("wss://ws-l3.kraken.com/v2", "login"),
            ("wss://ws-equities.kraken.com/v2", "shares"),
            ("wss://api.kraken.com/0/public", "not a host"),
            ("wss://kraken.com/v2", "not a host"),
            ("wss://ws.kraken.com/v1", "with /v2"),
            ("wss://ws.kraken.com/v2/public", "with /v2"),
            ("ws://ws.kraken.com/v2", "TLS"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
