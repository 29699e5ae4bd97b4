//! The latest known state of a symbol, and how an update is merged into it.

use super::{
    Correction, Decimal, Field, Now, Part, Parts, QuoteUpdate, Reason, Sequence, Side, State, StatsUpdate, StatsWindow,
    StatusUpdate, TradeUpdate, TradingSession, UnixMicros, Update,
    guard::{Guard, Guards},
    names::names,
    state::Standing,
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
    /// When the update was received that last changed anything.
    pub recv: Option<UnixMicros>,
    /// Where the data come from.
    pub origin: Origin,
    standing: Standing,
}

/// The last trade of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trade {
    /// The price of one unit.
    pub price: Option<Decimal>,
    /// Shares, or the venue's units.
    pub size: Option<Decimal>,
    /// The taker's side.
    pub side: Option<Side>,
    /// When it happened, by the venue.
    pub time: Option<UnixMicros>,
}

/// The best bid and ask of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quote {
    /// The highest price that somebody pays.
    pub bid: Option<Decimal>,
    /// How much they would buy at it.
    pub bid_size: Option<Decimal>,
    /// The lowest price that somebody takes.
    pub ask: Option<Decimal>,
    /// How much they would sell at it.
    pub ask_size: Option<Decimal>,
    /// When it became so, by the venue.
    pub time: Option<UnixMicros>,
}

/// The venue's own figures over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// What the figures span.
    pub window: Option<StatsWindow>,
    /// The window's first price.
    pub open: Option<Decimal>,
    /// Its highest price.
    pub high: Option<Decimal>,
    /// Its lowest price.
    pub low: Option<Decimal>,
    /// How much was traded in it.
    pub volume: Option<Decimal>,
    /// The last price before it.
    pub prev_close: Option<Decimal>,
    /// When they were so, by the venue.
    pub time: Option<UnixMicros>,
}

/// Where a quote's data come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The market of this moment.
    Market,
    /// The built-in simulator, or a venue's own.
    Sim,
    /// The market of some minutes ago.
    Delayed,
}

impl Origin {
    /// The names of the origins that are not the market itself.
    pub const NAMES: [&'static str; 2] = ["sim", "delayed"];

    /// Its name; the market itself has none.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Market => None,
            Self::Sim => Some(Self::NAMES[0]),
            Self::Delayed => Some(Self::NAMES[1]),
        }
    }
}

/// What a tick is, by the first part that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the shown trade was corrected to, or that it was cancelled.
    Correction,
    /// A trade.
    Trade,
    /// The best bid or ask.
    Quote,
    /// The venue's statistics.
    Stats,
    /// Nothing but the state.
    Status,
}

names! {
    Kind {
        Correction = "correction",
        Trade = "trade",
        Quote = "quote",
        Stats = "stats",
        Status = "status",
    }
}

impl Kind {
    /// The kind of a tick that changed these parts.
    pub fn of(changed: Parts) -> Self {
        match changed.iter().next() {
            _ if changed.has_correction() => Self::Correction,
            Some(Part::Trade) => Self::Trade,
            Some(Part::Quote) => Self::Quote,
            Some(Part::Stats) => Self::Stats,
            Some(Part::Status) | None => Self::Status,
        }
    }
}

/// What came of an update. It makes a tick if it changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The parts that are other than before.
    pub changed: Parts,
    /// The parts that were refused as not newer.
    pub late: Parts,
}

impl Snapshot {
    /// A symbol that nothing is known of yet.
    pub fn waiting(origin: Origin, since: UnixMicros) -> Self {
        Self {
            trade: Trade::default(),
            ext: Trade::default(),
            trades: 0,
            quote: Quote::default(),
            stats: Stats::default(),
            recv: None,
            origin,
            standing: Standing::waiting(since),
        }
    }

    /// Merges an update that was received `now`. Each part is judged for itself: only newer moves it.
    ///
    /// An update that changes nothing still proves life: it ends an outage, which is a change of the state.
    pub fn apply(&mut self, update: &Update, guards: &mut Guards, now: Now) -> Applied {
        let standing_before = self.standing;
        let mut applied = Applied::default();
        let mut renewed = Parts::NONE;
        let mut judge = |part: Part, guard: &mut Guard, sequence: Sequence| {
            let sequence = Sequence { time: sequence.time.and_then(|time| time.plausible(now.unix)), ..sequence };
            let admitted = guard.admits(sequence);
            if admitted { &mut renewed } else { &mut applied.late }.insert(part);
            admitted.then_some(sequence.time)
        };
        let (changed, mut is_shown) = (&mut applied.changed, true);
        if let Some(trade) = &update.trade
            && let Some(time) = judge(Part::Trade, &mut guards.trade, trade.sequence)
        {
            is_shown = self.take_trade(trade, time, guards);
            if is_shown {
                changed.insert(Part::Trade);
            }
        }
        if let Some(quote) = &update.quote
            && let Some(time) = judge(Part::Quote, &mut guards.quote, quote.sequence)
            && self.quote.merge(quote, time)
        {
            changed.insert(Part::Quote);
        }
        if let Some(stats) = &update.stats
            && let Some(time) = judge(Part::Stats, &mut guards.stats, stats.sequence)
            && self.stats.merge(stats, time)
        {
            changed.insert(Part::Stats);
        }
        if let Some(status) = &update.status
            && let Some(time) = judge(Part::Status, &mut guards.status, status.sequence)
        {
            self.take_status(status, time.unwrap_or(now.unix));
        }
        if let Some(correction) = &update.correction
            && self.correct(correction, guards)
        {
            changed.mark_correction();
        }
        if !is_shown {
            renewed.remove(Part::Trade); // what is shown is still the trade of before
        }
        self.standing.renew(renewed);
        if self.standing.shows_other_than(&standing_before) {
            changed.insert(Part::Status);
        }
        if !changed.is_empty() {
            self.recv = Some(now.unix);
        }
        applied
    }

    /// Nothing that is known can be trusted any more, for one of the reasons of [`State::Stale`]: it is stale until its own
    /// next update. Returns what changed.
    pub fn outage(&mut self, reason: Reason, guards: &mut Guards, now: Now) -> Parts {
        // After a gap the same connection goes on counting; all others end it.
        if reason != Reason::Gap {
            guards.restart_ids();
        }
        self.set_standing(|standing| standing.cut_off((now.unix, reason)))
    }

    /// The feed's hours have ended, or, where `closed` is false, begun: then all that is known is stale until its own next
    /// update. Returns what changed.
    pub fn set_closed(&mut self, closed: bool, now: Now) -> Parts {
        self.set_standing(|standing| {
            if standing.is_closed() && !closed {
                standing.cut_off((now.unix, Reason::Opening));
            }
            standing.set_closed(closed.then_some((now.unix, Reason::OutsideHours)));
        })
    }

    /// The venue refuses the symbol, or, with `None`, grants it. Returns what changed.
    pub fn set_refused(&mut self, refused: Option<Reason>, now: Now) -> Parts {
        self.set_standing(|standing| standing.set_refused(refused.map(|reason| (now.unix, reason))))
    }

    /// The first that holds of refused, waiting, closed, stale, halted, live.
    pub fn state(&self) -> State {
        self.standing.state()
    }

    /// Since when it is not live, and why.
    pub fn not_live_since(&self) -> Option<(UnixMicros, Reason)> {
        self.standing.not_live_since()
    }

    /// The parts that nothing has renewed since an outage.
    pub fn stale(&self) -> Parts {
        self.standing.stale
    }

    fn set_standing(&mut self, set: impl FnOnce(&mut Standing)) -> Parts {
        let before = self.standing;
        set(&mut self.standing);
        if self.standing.shows_other_than(&before) { Parts::from_iter([Part::Status]) } else { Parts::NONE }
    }

    /// Returns whether it is shown: outside the regular session only a trade that is newer than the last one in it.
    fn take_trade(&mut self, trade: &TradeUpdate, time: Option<UnixMicros>, guards: &mut Guards) -> bool {
        match trade.session {
            TradingSession::Regular => {
                self.trade.merge(trade, time);
                guards.shown = trade.key;
                if !is_older(time, self.ext.time) {
                    (self.ext, guards.shown_ext) = (Trade::default(), None);
                }
            }
            TradingSession::Extended if is_older(time, self.trade.time) => return false,
            TradingSession::Extended => {
                self.ext.merge(trade, time);
                guards.shown_ext = trade.key;
            }
        }
        self.trades += 1;
        // A trade ends a halt, but not one that happened before it and is told late.
        if self.standing.halted.is_some_and(|(since, _)| !is_older(time, Some(since))) {
            self.standing.halted = None;
        }
        true
    }

    fn take_status(&mut self, status: &StatusUpdate, since: UnixMicros) {
        match status.halted {
            Field::Keep => {}
            Field::Clear => self.standing.halted = None,
            Field::Set(halt) => {
                // Another reason of the same halt, such as news that are pending and then told, is no new halt.
                let since = self.standing.halted.map_or(since, |(since, _)| since);
                self.standing.halted = Some((since, Reason::Halt(halt)));
            }
        }
    }

    /// Returns whether it was of a shown trade: what is no longer shown cannot be made right.
    fn correct(&mut self, correction: &Correction, guards: &mut Guards) -> bool {
        let shown = [
            (&mut self.trade, &mut guards.shown, TradingSession::Regular),
            (&mut self.ext, &mut guards.shown_ext, TradingSession::Extended),
        ];
        let Some((trade, key, session)) = shown.into_iter().find(|(_, key, _)| **key == Some(correction.of)) else {
            return false;
        };
        match correction.now.filter(|corrected| corrected.session == session) {
            Some(corrected) => {
                corrected.price.apply(&mut trade.price);
                corrected.size.apply(&mut trade.size);
                *key = corrected.key;
            }
            None => (*trade, *key) = (Trade::default(), None),
        }
        true
    }
}

/// Whether the first happened before the second, as far as both are known.
fn is_older(time: Option<UnixMicros>, than: Option<UnixMicros>) -> bool {
    matches!((time, than), (Some(time), Some(than)) if time < than)
}

impl Trade {
    fn merge(&mut self, update: &TradeUpdate, time: Option<UnixMicros>) {
        update.price.apply(&mut self.price);
        update.size.apply(&mut self.size);
        update.side.apply(&mut self.side);
        self.time = time;
    }
}

impl Quote {
    /// Returns whether a field is another one now: a new time alone is no news.
    fn merge(&mut self, update: &QuoteUpdate, time: Option<UnixMicros>) -> bool {
        let changed = update.bid.apply(&mut self.bid)
            | update.bid_size.apply(&mut self.bid_size)
            | update.ask.apply(&mut self.ask)
            | update.ask_size.apply(&mut self.ask_size);
        if changed {
            self.time = time;
        }
        changed
    }
}

impl Stats {
    /// Returns whether a field is another one now: a new time alone is no news.
    fn merge(&mut self, update: &StatsUpdate, time: Option<UnixMicros>) -> bool {
        let changed = update.window.apply(&mut self.window)
            | update.open.apply(&mut self.open)
            | update.high.apply(&mut self.high)
            | update.low.apply(&mut self.low)
            | update.volume.apply(&mut self.volume)
            | update.prev_close.apply(&mut self.prev_close);
        if changed {
            self.time = time;
        }
        changed
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
