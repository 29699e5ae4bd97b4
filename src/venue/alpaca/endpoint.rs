//! What comes from an address of Alpaca, by its path: one host has stocks, coins, options and news.

use crate::{
    market::{Hours, Origin},
    venue::{VenueError, kit::address},
};
use http::Uri;
use std::time::Duration;

/// What an address carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    /// The exchanges of the United States by day.
    Stocks,
    /// The same, 15 minutes late.
    Delayed,
    /// The trading systems that are open at night.
    Overnight,
    /// Coins against dollars, day and night, in the form of stocks.
    Crypto,
    /// The venue's own simulator, for its users to test with, day and night.
    Test,
}

/// How late the exchanges allow their data to be passed on to everybody.
const DELAY: Duration = Duration::from_secs(15 * 60);
const DOMAIN: &str = "alpaca.markets";
const STOCKS: &str = "for stocks write wss://stream.data.alpaca.markets/v2/iex, or /v2/sip, /v2/delayed_sip, \
                      /v1beta1/overnight, /v1beta1/boats; for coins set venue = \"alpaca-crypto\"";
const COINS: &str = "for coins write wss://stream.data.alpaca.markets/v1beta3/crypto/us, or leave it out; for stocks \
                     set venue = \"alpaca\"";

/// What comes from this address, or why nothing that can be read does, and what to write instead.
fn endpoint(url: &str) -> Result<Endpoint, (&'static str, &'static str)> {
    let (host, path) = address::parts(url);
    let is_its_own = address::is_within(&host, DOMAIN);
    if is_its_own && !host.starts_with("stream.data.") {
        return Err(("is not one of its streams of market data", STOCKS));
    }
    if is_its_own && !url.to_ascii_lowercase().starts_with("wss://") {
        return Err(("is not served without TLS", "write wss:// in front of it"));
    }
    Ok(match path.as_slice() {
        [.., "v1beta3", "crypto", _] => Endpoint::Crypto,
        [.., "v1beta1", "overnight" | "boats"] => Endpoint::Overnight,
        [.., "delayed_sip"] => Endpoint::Delayed,
        [.., "test"] => Endpoint::Test,
        [] | [.., "v2", "iex" | "sip" | "otc"] => Endpoint::Stocks,
        // Another host has paths of its own, unless it repeats the venue's.
        path if !is_its_own && !path.iter().any(|segment| segment.starts_with("v1beta")) => Endpoint::Stocks,
        path if path.contains(&"crypto") => {
            return Err(("is not an endpoint for coins", "write wss://stream.data.alpaca.markets/v1beta3/crypto/us"));
        }
        path if path.contains(&"news") => return Err(("carries news, not prices", STOCKS)),
        [.., "options" | "opra" | "indicative"] => {
            return Err(("carries options, in a form that cannot be read", STOCKS));
        }
        _ if is_its_own => return Err(("is not one of its streams of market data", STOCKS)),
        _ => Endpoint::Stocks,
    })
}

fn of(url: Option<&str>) -> Endpoint {
    url.and_then(|url| endpoint(url).ok()).unwrap_or(Endpoint::Stocks)
}

/// Where the latest state of symbols is asked for, by the address of their stream: on the venue's host for requests, or
/// on another host itself. `None` where nothing answers, as beside the venue's simulator.
pub(super) fn snapshots(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = if uri.scheme_str() == Some("wss") { "https" } else { "http" };
    let authority = uri.authority()?.as_str().rsplit('@').next()?;
    let (host, segments) = address::parts(url);
    let is_its_own = address::is_within(&host, DOMAIN);
    let authority = match authority.split_once('.') {
        Some((first, rest)) if is_its_own && first.eq_ignore_ascii_case("stream") => rest,
        _ => authority,
    };
    let (before, path) = match segments.as_slice() {
        [before @ .., "v1beta3", "crypto", location] => (before, format!("v1beta3/crypto/{location}/snapshots")),
        [before @ .., "v2", feed @ ("iex" | "sip" | "delayed_sip" | "otc")]
        | [before @ .., "v1beta1", feed @ ("overnight" | "boats")] => {
            (before, format!("v2/stocks/snapshots?feed={feed}"))
        }
        _ => return None,
    };
    let before: String = before.iter().map(|segment| format!("{segment}/")).collect();
    Some(format!("{scheme}://{authority}/{before}{path}"))
}

/// Rejects an address without data of stocks.
pub(super) fn check(url: &str) -> Result<(), VenueError> {
    let found = endpoint(url).and_then(|endpoint| match endpoint {
        Endpoint::Crypto => Err(("carries coins", "set venue = \"alpaca-crypto\"")),
        _ => Ok(()),
    });
    found.map_err(|wrong| refusal(url, wrong))
}

/// Rejects an address without data of coins. Another host has paths of its own.
pub(super) fn check_coins(url: &str) -> Result<(), VenueError> {
    let (_, path) = address::parts(url);
    let found = endpoint(url).and_then(|endpoint| match endpoint {
        Endpoint::Crypto => Ok(()),
        Endpoint::Stocks if !path.starts_with(&["v2"]) => Ok(()),
        _ => Err(("carries stocks", COINS)),
    });
    found.map_err(|wrong| refusal(url, wrong))
}

fn refusal(url: &str, (why, instead): (&'static str, &'static str)) -> VenueError {
    address::wrong(url, why, instead)
}

pub(super) fn hours(url: Option<&str>) -> Hours {
    match of(url) {
        Endpoint::Stocks | Endpoint::Delayed => Hours::UsEquities,
        Endpoint::Overnight => Hours::UsOvernight,
        Endpoint::Crypto | Endpoint::Test => Hours::Always,
    }
}

/// How late the data are by contract.
pub(super) fn delay(url: Option<&str>) -> Option<Duration> {
    (of(url) == Endpoint::Delayed).then_some(DELAY)
}

/// What the data are.
pub(super) fn origin(url: Option<&str>) -> Origin {
    match of(url) {
        Endpoint::Delayed => Origin::Delayed,
        Endpoint::Test => Origin::Sim,
        Endpoint::Stocks | Endpoint::Overnight | Endpoint::Crypto => Origin::Market,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_asked_for_beside_the_stream_and_of_the_same_feed() {
        for (stream, asked) in [
            ("wss://stream.data.alpaca.markets/v2/iex", "https://data.alpaca.markets/v2/stocks/snapshots?feed=iex"),
            (
                "wss://STREAM.data.sandbox.alpaca.markets/v2/delayed_sip?a=b",
                "https://data.sandbox.alpaca.markets/v2/stocks/snapshots?feed=delayed_sip",
            ),
            (
                "wss://stream.data.sandbox.alpaca.markets:443/v1beta1/boats/",
                "https://data.sandbox.alpaca.markets:443/v2/stocks/snapshots?feed=boats",
            ),
            (
                "wss://stream.data.alpaca.markets/v1beta1/overnight",
                "https://data.alpaca.markets/v2/stocks/snapshots?feed=overnight",
            ),
            (
                "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
                "https://data.alpaca.markets/v1beta3/crypto/us/snapshots",
            ),
            ("ws://127.0.0.1:9/v2/sip", "http://127.0.0.1:9/v2/stocks/snapshots?feed=sip"),
            ("ws://user@[::1]:9/a/b/v2/sip", "http://[::1]:9/a/b/v2/stocks/snapshots?feed=sip"),
            ("wss://stream.other.example/v2/sip", "https://stream.other.example/v2/stocks/snapshots?feed=sip"),
        ] {
            assert_eq!(snapshots(stream).as_deref(), Some(asked), "{stream}");
        }
        for stream in ["wss://stream.data.alpaca.markets/v2/test", "ws://127.0.0.1:9/ticks", "ws://127.0.0.1:9"] {
            assert_eq!(snapshots(stream), None, "{stream}");
        }
    }

    #[test]
    fn hours_and_origin_follow_the_endpoint() {
        use Hours::{Always, UsEquities, UsOvernight};
        assert_eq!((hours(None), origin(None), delay(None)), (UsEquities, Origin::Market, None));
        for (path, expected, origin) in [
            ("", UsEquities, Origin::Market),
            ("/", UsEquities, Origin::Market),
            ("/v2/iex", UsEquities, Origin::Market),
            ("/v2/sip/", UsEquities, Origin::Market),
            ("/v2/delayed_sip?x=/v2/test", UsEquities, Origin::Delayed),
            ("/v2/test", Always, Origin::Sim),
            ("/v1beta1/overnight", UsOvernight, Origin::Market),
            ("/v1beta1/boats/", UsOvernight, Origin::Market),
        ] {
            for host in
                ["wss://stream.data.alpaca.markets", "wss://stream.data.sandbox.alpaca.markets:443", "ws://[::1]:9"]
            {
                let url = format!("{host}{path}");
                assert_eq!(check(&url), Ok(()), "{url}");
                assert_eq!((hours(Some(&url)), super::origin(Some(&url))), (expected, origin), "{url}");
                assert_eq!(delay(Some(&url)).is_some(), origin == Origin::Delayed, "{url}");
            }
        }
        for path in ["feeds/us-stocks", "crypto", "news", "options", "stocks/news/v2"] {
            assert_eq!(check(&format!("ws://proxy.example/{path}")), Ok(()), "another host has paths of its own");
        }
    }

    #[test]
    fn an_address_has_stocks_or_coins() {
        for path in ["/v1beta3/crypto/us", "/v1beta3/crypto/us-1", "/v1beta3/crypto/eu-1#x"] {
            for host in ["wss://stream.data.alpaca.markets", "ws://[::1]:9"] {
                let url = format!("{host}{path}");
                assert!(check(&url).unwrap_err().to_string().contains("alpaca-crypto"), "{url}");
                assert_eq!(check_coins(&url), Ok(()), "{url}");
            }
        }
        for url in ["wss://stream.data.alpaca.markets", "ws://127.0.0.1:9", "ws://proxy.example/feeds/coins"] {
            assert_eq!(check_coins(url), Ok(()), "{url}");
        }
        for path in ["v2/iex", "v2/sip", "v2/test", "v2/delayed_sip", "v1beta1/boats", "v1beta1/news", "v2"] {
            let url = format!("wss://stream.data.alpaca.markets/{path}");
            assert!(check_coins(&url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_whose_data_cannot_be_read_is_refused() {
        for (url, expected) in [
            ("wss://stream.data.alpaca.markets/v1beta1/news", "news"),
            ("wss://stream.data.alpaca.markets/v1beta1/options", "options"),
            ("wss://stream.data.alpaca.markets/v1beta1/indicative", "options"),
            ("wss://stream.data.alpaca.markets/v1beta1/opra/", "options"),
            ("wss://stream.data.alpaca.markets/v1beta1/crypto", "/v1beta3/crypto/us"),
            ("wss://stream.data.alpaca.markets/v1beta3/crypto", "/v1beta3/crypto/us"),
            ("wss://stream.data.alpaca.markets/v2", "/v2/iex"),
            ("wss://stream.data.alpaca.markets/v2/ixe", "/v2/iex"),
            ("wss://data.alpaca.markets/stream", "/v2/iex"),
            ("wss://paper-api.alpaca.markets/stream", "/v2/iex"),
            ("ws://stream.data.alpaca.markets/v2/iex", "TLS"),
            ("ws://127.0.0.1:9/v1beta1/news", "news"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
