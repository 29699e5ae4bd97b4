//! The latest known state of a symbol, and how an update is merged into it.

use super::{
    Correction, Field, Now, Overlap, Part, Parts, Quote, Reason, Sequence, Source, State, Stats, StatusUpdate, Trade,
    TradeKey, TradeUpdate, TradingSession, UnixMicros, Update,
    guard::{Guard, Guards, Judgement},
    status::{HaltEnd, Status},
};

/// The latest known state of a symbol, merged from its updates. What is unknown is `None`, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The last trade of the regular session.
    pub trade: Trade,
    /// The last trade outside it, if that is newer.
    pub ext: Trade,
    /// How many trades were merged in this epoch.
    pub trades: u64,
    /// The best bid and ask.
    pub quote: Quote,
    /// The venue's statistics.
    pub stats: Stats,
    /// When the last update that changed anything was received.
    pub recv: Option<UnixMicros>,
    /// Where the data come from.
    pub origin: Origin,
    /// Which of the symbol's feeds says all this.
    pub source: Source,
    pub(crate) status: Status,
}

/// Where a snapshot's data come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The live market.
    Market,
    /// The built-in simulator, or a venue's own.
    Sim,
    /// The market, delayed by some minutes.
    Delayed,
    /// A recording of the market.
    Replay,
}

impl Origin {
    /// The names of the origins that are not the live market.
    pub const NAMES: [&'static str; 3] = ["sim", "delayed", "replay"];

    /// Its name; the live market has none.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Market => None,
            Self::Sim => Some(Self::NAMES[0]),
            Self::Delayed => Some(Self::NAMES[1]),
            Self::Replay => Some(Self::NAMES[2]),
        }
    }

    /// Where the same data come from once they are delayed: a simulation stays one, and so does a recording.
    #[must_use]
    pub fn delayed(self) -> Self {
        if self == Self::Market { Self::Delayed } else { self }
    }
}

/// What an update did. It makes a tick if it changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The parts that changed.
    pub changed: Parts,
    /// The parts that were dropped because they are not newer.
    pub late: Parts,
}

/// The order guard's decisions about one update.
struct Admission {
    now: Now,
    is_snapshot: bool,
    overlap: Overlap,
    admitted: Parts,
    late: Parts,
    /// The parts whose ids seem to have restarted: what is shown of them may be old.
    restarting: Parts,
}

impl Admission {
    /// Returns the event's time if the part is admitted. A time that no venue can mean counts as missing.
    fn admit(&mut self, part: Part, guard: &mut Guard, sequence: Sequence) -> Option<Option<UnixMicros>> {
        let time = sequence.time.and_then(|time| time.plausible(self.now.unix));
        if self.is_snapshot && guard.is_reached() {
            let has_order = matches!(part, Part::Trade | Part::Quote);
            if time.is_none() {
                self.late.insert(part);
                return None;
            }
            if has_order && guard.time == time {
                // The venue confirms what is known: it is not old, and nothing about it changes.
                self.admitted.insert(part);
                return None;
            }
        }
        match guard.judge(Sequence { time, ..sequence }, self.overlap, self.now) {
            Judgement::Newer => {
                self.admitted.insert(part);
                return Some(time);
            }
            Judgement::Late => {}
            Judgement::Restarting => self.restarting.insert(part),
        }
        self.late.insert(part);
        None
    }
}

impl Snapshot {
    /// A symbol without data yet.
    pub fn waiting(origin: Origin, since: UnixMicros) -> Self {
        Self {
            trade: Trade::default(),
            ext: Trade::default(),
            trades: 0,
            quote: Quote::default(),
            stats: Stats::default(),
            recv: None,
            origin,
            source: Source::Primary,
            status: Status::waiting(since),
        }
    }

    /// Merges an update that was received `now`. Each part is judged on its own: only newer moves it.
    ///
    /// An update that changes nothing still proves life: it ends an outage, which is a change of the status.
    pub fn apply(&mut self, update: &Update, guards: &mut Guards, now: Now) -> Applied {
        let status_before = self.status;
        let mut changed = Parts::NONE;
        let mut admission = Admission {
            now,
            is_snapshot: update.is_snapshot,
            overlap: update.overlap,
            admitted: Parts::NONE,
            late: Parts::NONE,
            restarting: Parts::NONE,
        };
        if let Some(trade) = &update.trade
            && let Some(time) = admission.admit(Part::Trade, &mut guards.trade, trade.sequence)
        {
            if self.merge_trade(trade, time, guards) {
                changed.insert(Part::Trade);
            } else {
                // The snapshot keeps the trade from before, and this update does not renew it.
                admission.admitted.remove(Part::Trade);
            }
        }
        if let Some(quote) = &update.quote
            && let Some(time) = admission.admit(Part::Quote, &mut guards.quote, quote.sequence)
            && self.quote.merge(quote, time)
        {
            changed.insert(Part::Quote);
        }
        if let Some(stats) = &update.stats
            && let Some(time) = admission.admit(Part::Stats, &mut guards.stats, stats.sequence)
            && self.stats.merge(stats, time)
        {
            changed.insert(Part::Stats);
        }
        if let Some(status) = &update.status
            && let Some(time) = admission.admit(Part::Status, &mut guards.status, status.sequence)
        {
            self.merge_status(status, time.unwrap_or(now.unix));
        }
        if let Some(correction) = &update.correction
            && self.correct(correction, guards)
        {
            changed.mark_correction();
        }
        self.renew(update, admission.admitted, now);
        // After the renewal: what the venue says at the opening must not renew the prices of the day before.
        if let Some(closed) =
            update.status.filter(|_| admission.admitted.contains(Part::Status)).and_then(|status| status.closed)
        {
            self.status.set_closed(closed, now.unix);
        }
        self.status.mark_stale(admission.restarting, (now.unix, Reason::Restart));
        if self.status.differs_for_clients(&status_before) {
            changed.insert(Part::Status);
        }
        if !changed.is_empty() {
            self.recv = Some(now.unix);
        }
        Applied { changed, late: admission.late }
    }

    /// Makes all known parts but the status stale until their own next update, for one of the reasons of
    /// [`State::Stale`]. Returns what changed.
    pub fn outage(&mut self, reason: Reason, guards: &mut Guards, now: Now) -> Parts {
        // It ends the connection, a gap too: the next one may count from the start.
        guards.restart_ids();
        self.change_status(|status| {
            status.lose_resume();
            status.begin_outage((now.unix, reason));
        })
    }

    /// Prepares for data that are older than what came before, as a recording that is played again has them: the guards
    /// forget all, a halt ends, and all known parts but the status are stale. Returns what changed.
    pub fn start_over(&mut self, guards: &mut Guards, now: Now) -> Parts {
        *guards = Guards::default();
        self.change_status(|status| {
            status.halted = None;
            status.begin_outage((now.unix, Reason::Reconnect));
        })
    }

    /// Makes these parts stale until their own next updates, as far as they are known, though the connection lives: the
    /// venue's ids go on. The state turns stale where no known part is left. Returns what changed.
    pub fn mark_stale(&mut self, parts: Parts, reason: Reason, now: Now) -> Parts {
        self.change_status(|status| status.mark_stale(parts, (now.unix, reason)))
    }

    /// Marks the end of the feed's hours, or their start where `closed` is false: from then on all known parts are
    /// stale until their own next update. Returns what changed.
    pub fn set_closed(&mut self, closed: bool, now: Now) -> Parts {
        self.change_status(|status| status.set_closed(closed, now.unix))
    }

    /// Records that the venue refuses the symbol, or, with `None`, grants it. Returns what changed.
    pub fn set_refused(&mut self, refused: Option<Reason>, now: Now) -> Parts {
        self.change_status(|status| status.set_refused(refused.map(|reason| (now.unix, reason))))
    }

    /// The first that holds of refused, waiting, closed, stale, halted, live.
    pub fn state(&self) -> State {
        self.status.state()
    }

    /// Since when it is not live, and why.
    pub fn not_live_since(&self) -> Option<(UnixMicros, Reason)> {
        self.status.not_live_since()
    }

    /// The parts that the venue has ever sent.
    pub fn known(&self) -> Parts {
        self.status.known
    }

    /// Whether it is outside the hours of its feed, or closed by the venue, whatever its state is.
    pub fn is_closed(&self) -> bool {
        self.status.is_closed()
    }

    /// The parts that no update has renewed since an outage.
    pub fn stale(&self) -> Parts {
        self.status.stale
    }

    /// These parts of an update are newer than what was known, or confirm it. What was asked for may be of an earlier
    /// session: it is shown, and renews nothing.
    fn renew(&mut self, update: &Update, admitted: Parts, now: Now) {
        let opened = if update.is_snapshot { update.opened.max(self.status.opened()) } else { None };
        let Some(opened) = opened else { return self.status.renew(admitted) };
        let current = admitted.without(update.parts_before(opened, now.unix));
        self.status.renew(current);
        self.status.know_as_stale(admitted.without(current), (opened, Reason::Opening));
    }

    fn change_status(&mut self, change: impl FnOnce(&mut Status)) -> Parts {
        let before = self.status;
        change(&mut self.status);
        if self.status.differs_for_clients(&before) { Parts::STATUS } else { Parts::NONE }
    }

    /// Returns whether the trade is kept: outside the regular session only one that is newer than the last one in it.
    fn merge_trade(&mut self, trade: &TradeUpdate, time: Option<UnixMicros>, guards: &mut Guards) -> bool {
        match trade.session {
            TradingSession::Regular => {
                self.trade.merge(trade, time);
                guards.trade_key = trade.key;
                if !is_older(time, self.ext.time) {
                    self.ext = Trade::default();
                    guards.ext_key = None;
                }
            }
            TradingSession::Extended if is_older(time, self.trade.time) => return false,
            TradingSession::Extended => {
                self.ext.merge(trade, time);
                guards.ext_key = trade.key;
            }
        }
        self.trades += 1;
        self.status.trade(time);
        true
    }

    fn merge_status(&mut self, status: &StatusUpdate, since: UnixMicros) {
        match status.halted {
            Field::Keep => {}
            Field::Clear => self.status.halted = None,
            Field::Set(halt) => {
                let end = if status.resume_is_reported { HaltEnd::Resume } else { HaltEnd::Trade };
                self.status.halt((since, Reason::Halt(halt)), end);
            }
        }
    }

    /// Returns whether the snapshot held the trade. Corrections of older trades are dropped: clients no longer see
    /// them.
    fn correct(&mut self, correction: &Correction, guards: &mut Guards) -> bool {
        let key = Some(correction.of);
        if guards.trade_key == key {
            correct_trade(&mut self.trade, &mut guards.trade_key, TradingSession::Regular, correction);
        } else if guards.ext_key == key {
            correct_trade(&mut self.ext, &mut guards.ext_key, TradingSession::Extended, correction);
        } else {
            return false;
        }
        true
    }
}

/// Replaces a trade with what it was corrected to; a cancel, or a move to another session, clears it.
fn correct_trade(trade: &mut Trade, key: &mut Option<TradeKey>, session: TradingSession, correction: &Correction) {
    match correction.now.filter(|corrected| corrected.session == session) {
        Some(corrected) => {
            corrected.price.apply(&mut trade.price);
            corrected.size.apply(&mut trade.size);
            *key = corrected.key;
        }
        None => {
            *trade = Trade::default();
            *key = None;
        }
    }
}

/// Whether the first happened before the second, as far as both times are known.
fn is_older(time: Option<UnixMicros>, than: Option<UnixMicros>) -> bool {
    matches!((time, than), (Some(time), Some(than)) if time < than)
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod liveness_tests;
