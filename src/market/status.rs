//! The status of a symbol: refusal, hours, freshness and halt, each on its own, and the state that follows from them.

use super::{Part, Parts, Reason, State, UnixMicros};

/// Since when something holds, and why.
pub(crate) type Since = (UnixMicros, Reason);

/// What ends a halt besides the venue's own resume and the next trading day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HaltEnd {
    /// Nothing: the venue reports resumes, and its connection has lived since the halt.
    Resume,
    /// A trade that was executed since: the connection was lost, and the resume may be.
    TradeSince,
    /// A trade that is not known to be from before: the venue does not report resumes.
    Trade,
}

/// The status of a symbol. Refusal, hours, outage and halt are kept apart: the end of one does not end another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) waiting_since: UnixMicros,
    /// The parts that the venue has ever sent.
    pub(crate) known: Parts,
    /// The parts that no update has renewed since an outage.
    pub(crate) stale: Parts,
    pub(crate) refused: Option<Since>,
    pub(crate) closed: Option<Since>,
    /// The outage that no update has ended yet.
    pub(crate) outage: Option<Since>,
    pub(crate) halted: Option<Since>,
    /// Of the halt that there is.
    pub(crate) halt_end: HaltEnd,
}

impl Status {
    pub(super) fn waiting(since: UnixMicros) -> Self {
        Self {
            waiting_since: since,
            known: Parts::NONE,
            stale: Parts::NONE,
            refused: None,
            closed: None,
            outage: None,
            halted: None,
            halt_end: HaltEnd::Resume,
        }
    }

    /// The first state that holds, since when and why; `None` when live.
    fn first(&self) -> Option<(State, Since)> {
        if let Some(since) = self.refused {
            return Some((State::Refused, since));
        }
        if self.known.is_empty() {
            return Some((State::Waiting, (self.waiting_since, Reason::NoData)));
        }
        if let Some(since) = self.closed {
            return Some((State::Closed, since));
        }
        if let Some(since) = self.outage {
            return Some((State::Stale, since));
        }
        self.halted.map(|since| (State::Halted, since))
    }

    pub(super) fn state(&self) -> State {
        self.first().map_or(State::Live, |(state, _)| state)
    }

    pub(super) fn not_live_since(&self) -> Option<Since> {
        self.first().map(|(_, since)| since)
    }

    /// Records that a living connection brought these parts: any of them ends an outage.
    pub(super) fn renew(&mut self, parts: Parts) {
        if !parts.is_empty() {
            self.outage = None;
        }
        self.known = self.known.union(parts);
        self.stale = self.stale.without(parts);
    }

    /// When the session opened that nothing has been known of yet.
    pub(super) fn opened(&self) -> Option<UnixMicros> {
        self.outage.filter(|(_, reason)| *reason == Reason::Opening).map(|(since, _)| since)
    }

    /// Records that these parts are known, and old since then.
    pub(super) fn know_as_stale(&mut self, parts: Parts, since: Since) {
        if !parts.is_empty() {
            self.known = self.known.union(parts);
            self.mark_stale(parts, since);
        }
    }

    /// Makes all known parts but the status stale. The first outage is the one that clients see, with exceptions: a
    /// failure replaces a planned outage, and the opening and the end of a recording replace every other: from then on
    /// each price is of an earlier day, or the last one.
    pub(super) fn begin_outage(&mut self, since: Since) {
        self.mark_stale(Parts::ALL, since);
    }

    /// Makes these parts stale, as far as they are known, while others may live on. The state turns stale only where
    /// none does: until then `stale` says which parts are old.
    pub(super) fn mark_stale(&mut self, parts: Parts, since: Since) {
        if !self.known.intersects(parts) {
            return;
        }
        // A venue announces a halt once, and it may hold for days: no update would renew it.
        let may_age = |part: &Part| *part != Part::Status && self.known.contains(*part);
        let aged = parts.iter().filter(may_age).collect();
        self.stale = self.stale.union(aged);
        if self.known.iter().filter(may_age).any(|part| !self.stale.contains(part)) {
            return;
        }
        let (_, reason) = since;
        let replaces = match self.outage {
            None => true,
            Some(_) if matches!(reason, Reason::Opening | Reason::Ended) => true,
            Some((_, current)) => Reason::PLANNED.contains(&current) && !Reason::PLANNED.contains(&reason),
        };
        if replaces {
            self.outage = Some(since);
        }
    }

    /// Trading is halted. Another reason, such as news that is pending and then released, belongs to the same halt.
    pub(super) fn halt(&mut self, (since, reason): Since, end: HaltEnd) {
        let since = self.halted.map_or(since, |(since, _)| since);
        self.halted = Some((since, reason));
        self.halt_end = end;
    }

    /// Notes a trade that was executed at this time, as far as the venue gives it.
    pub(super) fn trade(&mut self, executed: Option<UnixMicros>) {
        let Some((since, _)) = self.halted else { return };
        let ends_halt = match self.halt_end {
            HaltEnd::Resume => false,
            HaltEnd::TradeSince => executed.is_some_and(|executed| executed > since),
            HaltEnd::Trade => executed.is_none_or(|executed| executed >= since),
        };
        if ends_halt {
            self.halted = None;
        }
    }

    /// The connection is lost, and with it the resume of a halt, if there is one meanwhile: venues do not repeat it.
    pub(super) fn lose_resume(&mut self) {
        if self.halt_end == HaltEnd::Resume {
            self.halt_end = HaltEnd::TradeSince;
        }
    }

    /// The hours end, or, where `closed` is false, begin: from then on all known parts are stale.
    pub(super) fn set_closed(&mut self, closed: bool, now: UnixMicros) {
        if closed {
            return self.close((now, Reason::OutsideHours));
        }
        if self.is_closed() {
            self.begin_outage((now, Reason::Opening));
        }
        self.open();
    }

    /// The feed's hours begin again. A halt from before they ended does not outlast that: it is the next trading day.
    pub(super) fn open(&mut self) {
        let Some((closed, _)) = self.closed.take() else { return };
        if self.halted.is_some_and(|(since, _)| since < closed) {
            self.halted = None;
        }
    }

    pub(super) fn close(&mut self, since: Since) {
        self.closed.get_or_insert(since);
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

    /// Whether a client sees a difference to `before`.
    pub(super) fn differs_for_clients(&self, before: &Self) -> bool {
        (self.first(), self.stale) != (before.first(), before.stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Halt;

    #[test]
    fn rule_7_the_state_is_the_first_that_holds() {
        let at = |micros: i64, reason: Reason| Some((UnixMicros(micros), reason));
        let mut status = Status::waiting(UnixMicros(1));
        status.halted = at(5, Reason::Halt(Halt::News));
        status.close((UnixMicros(3), Reason::OutsideHours));
        status.set_refused(at(2, Reason::NotEntitled));
        let seen = |status: &Status| (status.state(), status.not_live_since());
        assert_eq!(seen(&status), (State::Refused, at(2, Reason::NotEntitled)));
        status.set_refused(None);
        assert_eq!(seen(&status), (State::Waiting, at(1, Reason::NoData)));
        status.renew(Parts::from_iter([Part::Quote]));
        assert_eq!(seen(&status), (State::Closed, at(3, Reason::OutsideHours)));
        status.begin_outage((UnixMicros(4), Reason::Gap));
        assert_eq!(status.state(), State::Closed);
        status.open();
        assert_eq!(seen(&status), (State::Stale, at(4, Reason::Gap)));
        status.renew(Parts::from_iter([Part::Status]));
        assert_eq!(seen(&status), (State::Halted, at(5, Reason::Halt(Halt::News))));
        assert_eq!(status.stale, Parts::from_iter([Part::Quote]), "a living part does not renew the others");
        status.halted = None;
        assert_eq!(seen(&status), (State::Live, None));
    }

    #[test]
    fn a_refusal_and_closed_hours_keep_the_time_of_their_beginning() {
        let mut status = Status::waiting(UnixMicros(0));
        for micros in [7, 8] {
            status.set_refused(Some((UnixMicros(micros), Reason::Unauthorized)));
            status.close((UnixMicros(micros), Reason::OutsideHours));
        }
        assert_eq!(status.not_live_since(), Some((UnixMicros(7), Reason::Unauthorized)));
        assert_eq!(status.closed, Some((UnixMicros(7), Reason::OutsideHours)));
        status.set_refused(Some((UnixMicros(9), Reason::SymbolLimit)));
        assert_eq!(status.refused, Some((UnixMicros(9), Reason::SymbolLimit)), "another reason is another refusal");
    }

    #[test]
    fn rule_7_a_part_grows_stale_alone_and_the_state_with_the_last_living_one() {
        let parts = |parts: &[Part]| parts.iter().copied().collect::<Parts>();
        let mute = |micros| (UnixMicros(micros), Reason::Mute);
        for (known, marked, stale, state) in [
            (&[][..], &[Part::Trade][..], &[][..], State::Waiting),
            (&[Part::Status], &[Part::Trade], &[], State::Live),
            (&[Part::Trade, Part::Quote], &[Part::Trade], &[Part::Trade], State::Live),
            (&[Part::Trade, Part::Status], &[Part::Trade], &[Part::Trade], State::Stale),
            (&[Part::Quote], &[Part::Trade], &[], State::Live),
            (&[Part::Quote, Part::Stats], &[Part::Quote, Part::Stats], &[Part::Quote, Part::Stats], State::Stale),
            (&[Part::Trade, Part::Status], &[Part::Status], &[], State::Live),
            (&[Part::Status], &Part::ALL, &[], State::Stale),
        ] {
            let mut status = Status::waiting(UnixMicros(0));
            status.renew(parts(known));
            status.mark_stale(parts(marked), mute(1));
            assert_eq!((status.stale, status.state()), (parts(stale), state), "{known:?} {marked:?}");
        }
        let mut status = Status::waiting(UnixMicros(0));
        status.renew(parts(&[Part::Trade, Part::Quote]));
        status.mark_stale(parts(&[Part::Trade]), mute(1));
        status.mark_stale(parts(&[Part::Quote]), mute(2));
        assert_eq!(status.not_live_since(), Some(mute(2)), "the last part went now");
        status.renew(parts(&[Part::Quote]));
        assert_eq!((status.state(), status.stale), (State::Live, parts(&[Part::Trade])));
        status.renew(parts(&[Part::Trade]));
        assert_eq!(status.stale, Parts::NONE, "its own next update renews it");
    }

    #[test]
    fn clients_see_a_planned_outage_until_a_failure_and_a_failure_until_the_next_opening() {
        let mut status = Status::waiting(UnixMicros(0));
        status.renew(Parts::from_iter([Part::Trade]));
        let mut seen = |micros, reason| {
            status.begin_outage((UnixMicros(micros), reason));
            status.not_live_since()
        };
        let planned = Some((UnixMicros(1), Reason::Opening));
        let failure = Some((UnixMicros(3), Reason::Mute));
        assert_eq!(seen(1, Reason::Opening), planned);
        assert_eq!(seen(2, Reason::Reconnect), planned);
        assert_eq!(seen(3, Reason::Mute), failure);
        assert_eq!(seen(4, Reason::ConnectionLost), failure);
        assert_eq!(seen(5, Reason::Reconnect), failure);
        assert_eq!(seen(6, Reason::Opening), Some((UnixMicros(6), Reason::Opening)));
    }
}
