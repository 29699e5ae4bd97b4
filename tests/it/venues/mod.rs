//! Every venue, against a mock that speaks its dialect.

mod accounts;
pub(crate) mod corpus;
mod faults;
mod mock;
mod oracle;
mod order;
mod record_replay;
mod recordings;
mod relist;
mod row;
mod snapshots;
mod symbols;

use tickfan::{
    market::Symbol,
    venue::{self, Credentials, CredentialsRule, ListedSymbol, Spec, VENUES},
};
use venue_sim::{DIALECTS, Manner, alpaca};

/// The spec of a venue that is played.
fn spec(manner: &Manner) -> &'static Spec {
    venue::find(manner.venue).unwrap_or_else(|| panic!("no venue {}", manner.venue))
}

/// The key that a mock expects, where its venue wants one.
fn credentials(spec: &Spec) -> Option<Credentials> {
    match spec.credentials {
        CredentialsRule::Public => None,
        _ => Some(Credentials::new(alpaca::KEY, alpaca::SECRET)),
    }
}

/// Where the feed of a venue that is played connects, if it listens here.
fn address(manner: &Manner, listens: &str) -> String {
    format!("{listens}{}", manner.query)
}

/// The address of readers without a socket.
const NO_SOCKET: &str = "ws://127.0.0.1:9";

/// Symbols of the kind that a venue has, each with another base: `S00001-USDT` where it has `BTC-USDT`.
fn symbols(manner: &Manner, bases: impl Iterator<Item = String>) -> Vec<ListedSymbol> {
    let rest = manner.symbols[0].0.split_once('-').map(|(_, rest)| format!("-{rest}")).unwrap_or_default();
    let symbol = |base: String| ListedSymbol::from(format!("{base}{rest}").parse::<Symbol>().unwrap());
    bases.map(symbol).collect()
}

#[test]
fn each_venue_has_a_dialect_and_each_dialect_a_venue() {
    let mut played: Vec<&str> = DIALECTS.iter().map(|manner| manner.venue).collect();
    let mut known: Vec<&str> = VENUES.iter().filter(|spec| !spec.plays_recordings()).map(|spec| spec.name).collect();
    played.sort_unstable();
    played.dedup();
    known.sort_unstable();
    assert_eq!(played, known);
}

#[test]
fn a_dialect_names_its_symbols_as_its_venue_derives_them() {
    for manner in DIALECTS {
        for (symbol, name) in manner.symbols.iter().chain([&manner.refused]) {
            let derived = (spec(manner).derive)(&symbol.parse().unwrap());
            assert_eq!(derived.as_deref(), Some(*name), "{symbol} of {}", manner.venue);
        }
    }
}
