//! Which addresses carry Bitstamp's spot market.

use crate::{
    market::Origin,
    venue::{VenueError, kit::address},
};

const DOMAIN: &str = "bitstamp.net";
/// Whose data are not the market's.
const TEST_DOMAIN: &str = "sandbox.bitstamp.net";
const SPOT: &str = "for the spot market write wss://ws.bitstamp.net";

/// Rejects what can never carry the spot market's channels. Another host than the venue's own has paths of its own.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !address::is_within(&host, DOMAIN) {
        return Ok(());
    }
    let wrong = |why, instead| Err(address::wrong(url, why, instead));
    if host.split('.').next() != Some("ws") {
        return wrong("is not a host of its streams", SPOT);
    }
    if !path.is_empty() {
        return wrong("has a path without streams", "write the address without its path");
    }
    address::check_tls(url)
}

/// What the data are.
pub(super) fn origin(url: Option<&str>) -> Origin {
    let is_test = url.is_some_and(|url| address::is_within(&address::parts(url).0, TEST_DOMAIN));
    if is_test { Origin::Sim } else { Origin::Market }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_can_never_carry_the_spot_market_is_refused_with_what_would_be_right() {
        for url in [
            "wss://ws.bitstamp.net",
            "wss://WS.bitstamp.net:443/",
            "wss://ws.sandbox.bitstamp.net",
            "ws://127.0.0.1:9",
            "wss://proxy.example/markets/bitstamp",
            "wss://notbitstamp.net/x",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for (url, expected) in [
            ("wss://www.bitstamp.net/websocket/v2/", "not a host"),
            ("wss://bitstamp.net", "not a host"),
            ("wss://ws.bitstamp.net/v2", "without its path"),
            ("ws://ws.bitstamp.net", "TLS"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn data_of_a_test_network_are_not_the_market() {
        for (url, expected) in [
            (None, Origin::Market),
            (Some("wss://ws.bitstamp.net"), Origin::Market),
            (Some("wss://ws.sandbox.bitstamp.net"), Origin::Sim),
        ] {
            assert_eq!(origin(url), expected, "{url:?}");
        }
    }
}
