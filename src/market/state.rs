//! The state of a symbol, and why it is not live.

use super::{Halt, names::names};

/// Whether a symbol's prices may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No data have arrived yet.
    Waiting,
    /// As new as the venue sends it.
    Live,
    /// An outage cut it off, and the symbol has had no update since.
    Stale,
    /// The venue has halted trading.
    Halted,
    /// It is outside the hours of its feed.
    Closed,
    /// The venue refuses to send it.
    Refused,
}

names! {
    State {
        Waiting = "waiting",
        Live = "live",
        Stale = "stale",
        Halted = "halted",
        Closed = "closed",
        Refused = "refused",
    }
}

/// Why a symbol is not live. Each state has its own reasons; the gateway sets those of outages, hours and refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Waiting: no data have arrived yet.
    NoData,
    /// Stale: the connection to the venue is lost.
    ConnectionLost,
    /// Stale: the venue answers, but sends no data.
    Mute,
    /// Stale: the venue skipped messages.
    Gap,
    /// Stale: the venue seems to number its messages afresh, which is not certain yet.
    Restart,
    /// Stale: the feed's hours have just begun.
    Opening,
    /// Stale: the feed replaced its connection to the venue, as planned.
    Reconnect,
    /// Stale: the recording that is replayed has ended.
    Ended,
    /// Stale: this gateway is cut off from the one that has the connection to the venue.
    NoOwner,
    /// Closed: it is outside the feed's hours.
    OutsideHours,
    /// Halted, and why.
    Halt(Halt),
    /// Refused: the venue rejects our key.
    Unauthorized,
    /// Refused: the account is not entitled to these data.
    NotEntitled,
    /// Refused: the account has reached its limit of symbols.
    SymbolLimit,
    /// Refused: the venue granted others, but not this symbol.
    NotGranted,
    /// Refused: the operators took it out of its feed's list.
    Removed,
    /// Refused: the gateway has no room for another symbol.
    Limit,
}

impl Reason {
    /// The reasons for being stale that are not failures.
    pub const PLANNED: [Self; 3] = [Self::Opening, Self::Reconnect, Self::Ended];
}

names! {
    Reason {
        NoData = "no_data",
        ConnectionLost = "connection_lost",
        Mute = "mute",
        Gap = "gap",
        Restart = "restart",
        Opening = "opening",
        Reconnect = "reconnect",
        Ended = "ended",
        NoOwner = "no_owner",
        OutsideHours = "outside_hours",
        Halt(Halt::News) = "news",
        Halt(Halt::Volatility) = "volatility",
        Halt(Halt::MarketWide) = "market_wide",
        Halt(Halt::Regulatory) = "regulatory",
        Halt(Halt::Other) = "halt",
        Unauthorized = "unauthorized",
        NotEntitled = "not_entitled",
        SymbolLimit = "symbol_limit",
        NotGranted = "not_granted",
        Removed = "removed",
        Limit = "limit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_reasons_have_names_of_their_own() {
        let states = State::NAMES.map(|(state, name)| (state.name(), name));
        let reasons = Reason::NAMES.map(|(reason, name)| (reason.name(), name));
        for names in [states.as_slice(), &reasons] {
            assert!(names.iter().all(|(found, listed)| found == listed));
            let unique: std::collections::BTreeSet<_> = names.iter().map(|(name, _)| name).collect();
            assert_eq!(unique.len(), names.len());
        }
    }
}
