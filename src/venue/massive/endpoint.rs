//! Which addresses carry Massive's stocks, and how late.

use crate::{
    market::Origin,
    venue::{VenueError, kit::address},
};
use std::time::Duration;

/// The venue's name since 2025, and its name before.
const DOMAINS: [&str; 2] = ["massive.com", "polygon.io"];
/// How late the data of the delayed host are.
const DELAY: Duration = Duration::from_secs(15 * 60);
const STOCKS: &str = "write wss://socket.massive.com/stocks, or wss://delayed.massive.com/stocks for data that are 15 \
                      minutes late";

fn is_its_own(host: &str) -> bool {
    DOMAINS.iter().any(|domain| address::is_within(host, domain))
}

/// Rejects what can never carry stocks. Another host than the venue's own has paths of its own.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !is_its_own(&host) {
        return Ok(());
    }
    let wrong = |why| Err(address::wrong(url, why, STOCKS));
    match path.as_slice() {
        [] | ["stocks"] => {}
        ["crypto" | "forex" | "options" | "indices" | "futures"] => return wrong("does not carry stocks"),
        _ => return wrong("is not the address of its stocks"),
    }
    if matches!(host.split('.').next(), Some("api" | "www" | "massive" | "polygon")) {
        return wrong("is not a host of its streams");
    }
    address::check_tls(url)
}

/// How late the data are by contract. Business plans have hosts of their own, `delayed-business` for example.
pub(super) fn delay(url: Option<&str>) -> Option<Duration> {
    let (host, _) = address::parts(url?);
    (is_its_own(&host) && host.starts_with("delayed")).then_some(DELAY)
}

/// What the data are.
pub(super) fn origin(url: Option<&str>) -> Origin {
    if delay(url).is_some() { Origin::Delayed } else { Origin::Market }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_says_how_late_the_data_are() {
        for (url, expected) in [
            (None, Origin::Market),
            (Some("wss://socket.massive.com/stocks"), Origin::Market),
            (Some("wss://delayed.massive.com/stocks"), Origin::Delayed),
            (Some("wss://delayed.polygon.io"), Origin::Delayed),
            (Some("wss://delayed-business.massive.com/stocks"), Origin::Delayed),
            (Some("ws://delayed.example/stocks"), Origin::Market),
        ] {
            assert_eq!(origin(url), expected, "{url:?}");
            assert_eq!(delay(url).is_some(), expected == Origin::Delayed, "{url:?}");
            assert_eq!(url.map_or(Ok(()), check), Ok(()), "{url:?}");
        }
    }

    #[test]
    fn an_address_that_can_never_carry_stocks_is_refused() {
        for (url, expected) in [
            ("wss://socket.massive.com/crypto", "does not carry stocks"),
            ("wss://socket.massive.com/v2/stocks", "not the address"),
            ("wss://api.massive.com", "not a host"),
            ("wss://massive.com/stocks", "not a host"),
            ("ws://socket.massive.com/stocks", "TLS"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for url in ["ws://127.0.0.1:9", "wss://proxy.example/feeds/us", "wss://notmassive.com/x"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
