//! Which addresses carry a category of Bybit's market.

use super::category::Category;
use crate::{
    market::Origin,
    venue::{VenueError, kit::address},
};

/// The venue's domains: some countries have their own.
const DOMAINS: [&str; 6] = ["bybit.com", "bybit.eu", "bybit.tr", "bybit.kz", "bybit.id", "bybitgeorgia.ge"];
const TEST_LABEL: &str = "stream-testnet";

/// Rejects what can never carry the category. Another host than the venue's own has paths of its own.
pub(super) fn check(category: Category, url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !DOMAINS.iter().any(|domain| address::is_within(&host, domain)) {
        return Ok(());
    }
    let right = match category {
        Category::Spot => "write wss://stream.bybit.com/v5/public/spot",
        Category::Linear => "write wss://stream.bybit.com/v5/public/linear",
        Category::Inverse => "write wss://stream.bybit.com/v5/public/inverse",
    };
    let wrong = |why, instead| Err(address::wrong(url, why, instead));
    if !matches!(host.split('.').next(), Some("stream" | TEST_LABEL)) {
        return wrong("is not a host of its public streams", right);
    }
    match path.as_slice() {
        [] => {}
        ["v5", "public", own] if *own == category.path() => {}
        ["v5", "public", "spot"] => return wrong("carries the spot market", "set venue = \"bybit-spot\""),
        ["v5", "public", "linear"] => {
            return wrong("carries contracts settled in USDT or USDC", "set venue = \"bybit-linear\"");
        }
        ["v5", "public", "inverse"] => {
            return wrong("carries contracts settled in coins", "set venue = \"bybit-inverse\"");
        }
        ["v5", "public", "option"] => return wrong("carries options, which this venue does not support", right),
        ["v5", "private" | "trade", ..] => return wrong("carries no market data", right),
        _ => return wrong("has a path without such streams", right),
    }
    address::check_tls(url)
}

/// What the data are.
pub(super) fn origin(url: Option<&str>) -> Origin {
    let is_test = url.is_some_and(|url| {
        let (host, _) = address::parts(url);
        host.split('.').next() == Some(TEST_LABEL) && DOMAINS.iter().any(|domain| address::is_within(&host, domain))
    });
    if is_test { Origin::Sim } else { Origin::Market }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_has_its_path_at_each_of_the_venues_domains() {
        for domain in DOMAINS {
            for category in Category::ALL {
                let own = |path: &str| format!("wss://stream.{domain}/v5/public/{path}");
                assert_eq!(check(category, &own(category.path())), Ok(()));
                assert_eq!(check(category, &format!("wss://stream.{domain}")), Ok(()), "its path is added");
                for other in Category::ALL.into_iter().filter(|other| *other != category) {
                    let error = check(category, &own(other.path())).unwrap_err().to_string();
                    assert!(error.ends_with(&format!("set venue = \"bybit-{}\"", other.path())), "{error}");
                }
            }
        }
    }

    #[test]
    fn an_address_that_can_never_carry_the_category_is_refused_with_what_would_be_right() {
        for url in ["ws://127.0.0.1:9", "wss://proxy.example/markets/bybit", "wss://notbybit.com/v5/public/linear"] {
            assert_eq!(check(Category::Spot, url), Ok(()), "{url}");
        }
        for (url, expected) in [
            ("wss://stream.bybit.com/v5/public/option", "options"),
            ("wss://STREAM.bybit.com/v5/private", "no market data"),
            ("wss://stream.bybit.com/v5/trade", "no market data"),
            ("wss://stream.bybit.com/v5/public", "without such streams"),
            ("wss://stream.bybit.com/spot/public/v3", "without such streams"),
            ("wss://stream.bybit.com/v5/public/spot/x", "without such streams"),
            ("wss://api.bybit.com/v5/public/spot", "not a host"),
            ("wss://stream-demo.bybit.com/v5/private", "not a host"),
            ("wss://bybit.com/v5/public/spot", "not a host"),
            ("ws://stream.bybit.com/v5/public/spot", "TLS"),
        ] {
            let error = check(Category::Spot, url).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("wss://"), "{error}");
        }
    }

    #[test]
    fn data_of_the_test_network_are_not_the_market() {
        for (url, expected) in [
            (None, Origin::Market),
            (Some("wss://stream.bybit.eu/v5/public/spot"), Origin::Market),
            (Some("wss://stream-testnet.proxy.example"), Origin::Market),
            (Some("wss://stream-testnet.bybit.com/v5/public/spot"), Origin::Sim),
        ] {
            assert_eq!(origin(url), expected, "{url:?}");
        }
    }
}
