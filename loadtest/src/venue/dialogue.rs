//! What each protocol sends beside its updates.

use super::{
    alpaca,
    batch::Kind,
    binance, coinbase,
    market::Market,
    protocol::Protocol,
    request::{Permissions, Reply},
};

impl Protocol {
    /// The first message of a connection.
    pub(super) fn welcome(self) -> Option<&'static str> {
        match self {
            Self::Binance | Self::Coinbase => None,
            Self::Alpaca => Some(alpaca::WELCOME),
        }
    }

    /// Whether the protocol itself checks keys. Otherwise only the handshake can refuse one.
    pub(super) fn has_keys(self) -> bool {
        self == Self::Alpaca
    }

    /// Replies to a client that has these subscriptions already.
    pub(super) fn reply(self, request: &str, permissions: Permissions, had: &[(u32, Kind)], market: &Market) -> Reply {
        match self {
            Self::Binance => binance::reply(request, permissions, market),
            Self::Alpaca => alpaca::reply(request, permissions, had, market),
            Self::Coinbase => coinbase::reply(request, permissions, had, market),
        }
    }

    /// A message whose price is an object.
    pub(super) fn wrong_type(self, name: &str) -> String {
        match self {
            Self::Binance => binance::wrong_type(name),
            Self::Alpaca => alpaca::wrong_type(name),
            Self::Coinbase => coinbase::wrong_type(name),
        }
    }

    /// A message of an unknown kind.
    pub(super) fn unknown(self) -> &'static str {
        match self {
            Self::Binance => {
                r#"{"stream":"moon@phase","data":{"e":"moonPhase","E":1732283045124040,"s":"MOON","x":[1,2,3]}}"#
            }
            Self::Alpaca => r#"[{"T":"moon","S":"MOON","x":[1,2,3]}]"#,
            Self::Coinbase => r#""channel":"moon","events":[{"x":[1,2,3]}]}"#,
        }
    }
}
