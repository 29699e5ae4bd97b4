//! What a quote is worth: refusal, hours, freshness and halt, each kept for itself, and the one word for all of them.

use super::{Halt, Part, Parts, UnixMicros, names::names};

/// What a quote is worth right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing has come yet.
    Waiting,
    /// As new as the venue makes it.
    Live,
    /// An outage has cut it off, and nothing of its own has come since.
    Stale,
    /// The venue has halted trading.
    Halted,
    /// It is outside the hours of its feed.
    Closed,
    /// The venue does not give it to us.
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

/// Why a quote is not live. Each state has its own; the gateway gives those of outages, hours and refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Waiting: nothing has come yet.
    NoData,
    /// Stale: the connection to the venue is lost.
    ConnectionLost,
    /// Stale: the venue answers, but sends no data.
    Mute,
    /// Stale: the venue skipped something.
    Gap,
    /// Stale: the feed's hours have just begun.
    Opening,
    /// Stale: the connection to the venue was changed for another, as planned.
    Reconnect,
    /// Closed: it is outside the feed's hours.
    OutsideHours,
    /// Halted, and why.
    Halt(Halt),
    /// Refused: the venue does not take our key.
    Unauthorized,
    /// Refused: the account may not have these data.
    NotEntitled,
    /// Refused: more symbols than the account may have.
    SymbolLimit,
    /// Refused: the venue granted others, but not this symbol.
    NotGranted,
}

impl Reason {
    /// The reasons for being stale that are no failure of anything.
    pub const PLANNED: [Self; 2] = [Self::Opening, Self::Reconnect];
}

names! {
    Reason {
        NoData = "no_data",
        ConnectionLost = "connection_lost",
        Mute = "mute",
        Gap = "gap",
        Opening = "opening",
        Reconnect = "reconnect",
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
    }
}

/// Since when something holds, and why.
pub(super) type Since = (UnixMicros, Reason);

/// What is known of a quote's worth. The four are kept apart: what ends one says nothing of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    waiting_since: UnixMicros,
    /// The parts that a venue has ever spoken of.
    known: Parts,
    /// The parts that nothing has renewed since an outage.
    pub(super) stale: Parts,
    refused: Option<Since>,
    closed: Option<Since>,
    /// An outage that no update has ended yet.
    outage: Option<Since>,
    pub(super) halted: Option<Since>,
}

impl Standing {
    pub(super) fn waiting(since: UnixMicros) -> Self {
        Self {
            waiting_since: since,
            known: Parts::NONE,
            stale: Parts::NONE,
            refused: None,
            closed: None,
            outage: None,
            halted: None,
        }
    }

    /// The first that holds, since when and why.
    fn first(&self) -> Option<(State, Since)> {
        let holds = |state: State, since: Option<Since>| since.map(|since| (state, since));
        let waiting = self.known.is_empty().then_some((self.waiting_since, Reason::NoData));
        holds(State::Refused, self.refused)
            .or(holds(State::Waiting, waiting))
            .or(holds(State::Closed, self.closed))
            .or(holds(State::Stale, self.outage))
            .or(holds(State::Halted, self.halted))
    }

    pub(super) fn state(&self) -> State {
        self.first().map_or(State::Live, |(state, _)| state)
    }

    pub(super) fn not_live_since(&self) -> Option<Since> {
        self.first().map(|(_, since)| since)
    }

    /// Marks parts as come from the living venue.
    pub(super) fn renew(&mut self, parts: Parts) {
        for part in parts.iter() {
            self.outage = None;
            self.known.insert(part);
            self.stale.remove(part);
        }
    }

    /// All that is known is old from now on. The first outage is the one that is told, but a planned one gives way to a failure,
    /// and each to the opening: from then on every price is of an earlier day, whatever was lost overnight.
    pub(super) fn cut_off(&mut self, since: Since) {
        if self.known.is_empty() {
            return;
        }
        self.stale = self.known;
        // A halt is told once and may hold for days: nothing would ever renew it.
        self.stale.remove(Part::Status);
        let is_planned = |(_, reason): &Since| Reason::PLANNED.contains(reason);
        let replaces = |told: &Since| since.1 == Reason::Opening || (is_planned(told) && !is_planned(&since));
        if self.outage.as_ref().is_none_or(replaces) {
            self.outage = Some(since);
        }
    }

    pub(super) fn set_closed(&mut self, since: Option<Since>) {
        self.closed = since.map(|since| self.closed.unwrap_or(since));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    pub(super) fn set_refused(&mut self, since: Option<Since>) {
        self.refused = match (since, self.refused) {
            // The same refusal again, at the next attempt, is not a new one.
            (Some(new), Some(old)) if new.1 == old.1 => Some(old),
            (new, _) => new,
        };
    }

    /// Whether a client would see another state than in `before`.
    pub(super) fn shows_other_than(&self, before: &Self) -> bool {
        (self.first(), self.stale) != (before.first(), before.stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_7_the_state_is_the_first_that_holds() {
        let at = |micros: i64, reason: Reason| Some((UnixMicros(micros), reason));
        let mut standing = Standing::waiting(UnixMicros(1));
        standing.halted = at(5, Reason::Halt(Halt::News));
        standing.set_closed(at(3, Reason::OutsideHours));
        standing.set_refused(at(2, Reason::NotEntitled));
        let shown = |standing: &Standing| (standing.state(), standing.not_live_since());
        assert_eq!(shown(&standing), (State::Refused, at(2, Reason::NotEntitled)));
        standing.set_refused(None);
        assert_eq!(shown(&standing), (State::Waiting, at(1, Reason::NoData)));
        standing.renew(Parts::from_iter([Part::Quote]));
        assert_eq!(shown(&standing), (State::Closed, at(3, Reason::OutsideHours)));
        standing.cut_off((UnixMicros(4), Reason::Gap));
        assert_eq!(standing.state(), State::Closed);
        standing.set_closed(None);
        assert_eq!(shown(&standing), (State::Stale, at(4, Reason::Gap)));
        standing.renew(Parts::from_iter([Part::Status]));
        assert_eq!(shown(&standing), (State::Halted, at(5, Reason::Halt(Halt::News))));
        assert_eq!(standing.stale, Parts::from_iter([Part::Quote]), "what lives says nothing of the other parts");
        standing.halted = None;
        assert_eq!(shown(&standing), (State::Live, None));
    }

    #[test]
    fn what_lasts_is_told_with_its_beginning() {
        let mut standing = Standing::waiting(UnixMicros(0));
        for micros in [7, 8] {
            standing.set_refused(Some((UnixMicros(micros), Reason::Unauthorized)));
            standing.set_closed(Some((UnixMicros(micros), Reason::OutsideHours)));
        }
        assert_eq!(standing.not_live_since(), Some((UnixMicros(7), Reason::Unauthorized)));
        assert_eq!(standing.closed, Some((UnixMicros(7), Reason::OutsideHours)));
        standing.set_refused(Some((UnixMicros(9), Reason::SymbolLimit)));
        assert_eq!(standing.refused, Some((UnixMicros(9), Reason::SymbolLimit)), "another reason is another refusal");
    }

    #[test]
    fn a_planned_outage_is_told_until_a_failure_comes_and_a_failure_until_the_next_opening() {
        let mut standing = Standing::waiting(UnixMicros(0));
        standing.renew(Parts::from_iter([Part::Trade]));
        let mut told = |micros, reason| {
            standing.cut_off((UnixMicros(micros), reason));
            standing.not_live_since()
        };
        let (planned, failure) = (Some((UnixMicros(1), Reason::Opening)), Some((UnixMicros(3), Reason::Mute)));
        assert_eq!(told(1, Reason::Opening), planned);
        assert_eq!(told(2, Reason::Reconnect), planned);
        assert_eq!(told(3, Reason::Mute), failure);
        assert_eq!(told(4, Reason::ConnectionLost), failure);
        assert_eq!(told(5, Reason::Reconnect), failure);
        assert_eq!(told(6, Reason::Opening), Some((UnixMicros(6), Reason::Opening)));
    }

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
