//! Which addresses carry OKX's public channels.

use crate::{
    market::Origin,
    venue::{VenueError, kit::address},
};

const DOMAIN: &str = "okx.com";
const RIGHT: &str = "write wss://ws.okx.com:8443/ws/v5/public, or wss://wspap.okx.com:8443/ws/v5/public for the demo";

/// Rejects what can never carry these data. Another host than the venue's own has paths of its own.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !address::is_within(&host, DOMAIN) {
        return Ok(());
    }
    let wrong = |why| Err(address::wrong(url, why, RIGHT));
    if !host.starts_with("ws") {
        return wrong("is not a host of its streams");
    }
    match path.as_slice() {
        [] | ["ws", "v5", "public"] => {}
        ["ws", "v5", "private"] => return wrong("carries the orders of an account"),
        ["ws", "v5", "business"] => return wrong("carries candles and block trades"),
        _ => return wrong("has a path without data"),
    }
    if !url.to_ascii_lowercase().starts_with("wss://") {
        return wrong("is not served without TLS");
    }
    Ok(())
}

/// What the data are: those of the demo, `wspap.okx.com` and its like of other regions, are not the market's.
pub(super) fn origin(url: Option<&str>) -> Origin {
    let is_demo = url.is_some_and(|url| {
        let (host, _) = address::parts(url);
        let label = host.split('.').next().unwrap_or_default();
        address::is_within(&host, DOMAIN) && label.starts_with("ws") && label.ends_with("pap")
    });
    if is_demo { Origin::Sim } else { Origin::Market }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_can_never_carry_the_data_is_refused_with_what_would_be_right() {
        for url in [
            "wss://ws.okx.com:8443/ws/v5/public",
            "wss://ws.okx.com:8443",
            "wss://WS.okx.com:8443/ws/v5/public?brokerId=9",
            "wss://wseea.okx.com:8443/ws/v5/public/",
            "wss://wspap.okx.com:8443/ws/v5/public",
            "ws://127.0.0.1:9/anything",
            "wss://proxy.example/okx",
            "wss://notokx.com/anything",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for (url, expected) in [
            ("wss://ws.okx.com:8443/ws/v5/private", "orders"),
            ("wss://ws.okx.com:8443/ws/v5/business", "candles"),
            ("wss://ws.okx.com:8443/ws/v3", "path"),
            ("wss://okx.com/ws/v5/public", "not a host"),
            ("ws://ws.okx.com:8443/ws/v5/public", "TLS"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("wss://ws.okx.com:8443/ws/v5/public"), "{error}");
        }
    }

    #[test]
    fn data_of_the_demo_are_not_the_market() {
        for (url, expected) in [
            (None, Origin::Market),
            (Some("wss://ws.okx.com:8443/ws/v5/public"), Origin::Market),
            (Some("wss://wspap.okx.com:8443/ws/v5/public"), Origin::Sim),
            (Some("wss://WSeeapap.okx.com:8443"), Origin::Sim),
            (Some("ws://wspap.example"), Origin::Market),
        ] {
            assert_eq!(origin(url), expected, "{url:?}");
        }
    }
}
