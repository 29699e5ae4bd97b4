//! Symbols with two feeds, each of which fails at random moments.
//!
//! The two differ in ids, clocks and parts: the standby's ids are far below the primary's, its clock is behind, and of
//! some symbols it has quotes alone. This world keeps books of its own of what each feed has said, and judges from them
//! what is shown: whenever a feed that is well speaks of a symbol, that symbol is live, by a price that is at most
//! [`MUTE_AFTER`] old unless the symbol is a quiet one; a symbol whose primary has been well for long is never stale;
//! and no symbol comes back to the preferred feed before that feed has been live for as long as it has to be, with all
//! parts that the other one has.

use super::World;
use rand::RngExt;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{FailoverCounts, Published, Publisher, SymbolState},
    market::{FailoverLimits, Now, Origin, Part, Parts, Reason, Sequence, Snapshot, Source, State, Update},
};

/// Much shorter than a run.
const LIMITS: FailoverLimits =
    FailoverLimits { age: Duration::from_millis(40), failback_after: Duration::from_millis(100) };
/// After so long without data a feed counts as mute.
const MUTE_AFTER: Duration = Duration::from_millis(60);
/// How far behind the standby's clock is, and its ids.
const BEHIND: Duration = Duration::from_secs(20);
const IDS_BEHIND: u64 = 1_000_000;

/// Whether the feeds of this symbol are live however long it says nothing: their others speak.
fn is_quiet(symbol: usize) -> bool {
    symbol % 3 == 2
}

/// Whether the standby has no trades of this symbol.
fn lacks_trades(symbol: usize, source: Source) -> bool {
    source == Source::Standby && symbol % 3 == 1
}

/// What this world knows of the feeds of its symbols.
pub(super) struct Feeds {
    begun: Instant,
    counts: Arc<FailoverCounts>,
    pairs: Vec<Pair>,
}

/// The feeds of a symbol.
struct Pair {
    /// The one to come back to.
    preferred: Source,
    /// In the order of [`Source::ALL`].
    feeds: [Feed; 2],
}

#[derive(Clone, Copy, Default)]
struct Feed {
    /// When its last price came.
    heard: Option<Instant>,
    /// Since when it is live, with all of its parts.
    well_since: Option<Instant>,
    /// Since when it is live, with these of its parts stale.
    live_since: Option<(Instant, Parts)>,
    /// Its venue sends nothing until then.
    silent_until: Option<Instant>,
    /// Its venue sends one update of four until then.
    slow_until: Option<Instant>,
    /// Whether its silence was told.
    is_mute: bool,
    /// How many updates its venue has had.
    updates: u64,
}

impl Feed {
    fn is_silent(&self, now: Instant) -> bool {
        self.silent_until.is_some_and(|until| now < until)
    }

    fn is_slow(&self, now: Instant) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }

    /// When its silence has to be told.
    fn mute_at(&self) -> Option<Instant> {
        self.heard.filter(|_| !self.is_mute).map(|heard| heard + MUTE_AFTER)
    }
}

/// Gives each symbol a standby.
pub(super) fn add_standbys(symbols: &[Arc<SymbolState>], now: Now) -> Feeds {
    let counts = Arc::<FailoverCounts>::default();
    for symbol in symbols {
        symbol.add_standby("spare".into(), Origin::Sim, LIMITS, counts.clone(), now).unwrap();
    }
    let pair = |_| Pair { preferred: Source::Primary, feeds: Default::default() };
    Feeds { begun: now.instant, counts, pairs: symbols.iter().map(pair).collect() }
}

impl World {
    /// One of the symbol's feeds speaks, or fails, or both fail, or an operator moves the symbol.
    pub(super) fn hear(&mut self, symbol: usize, update: &Update) -> Published {
        let source = Source::ALL[self.random.random_range(0..2)];
        let now = self.now;
        let event = self.random.random_range(0..60);
        let lasts = Duration::from_millis(self.random.random_range(1..200));
        let is_dropped = self.random.random_bool(0.75);
        let pair = &mut self.feeds.as_mut().unwrap().pairs[symbol];
        let feed = &mut pair.feeds[source as usize];
        match event {
            5 => pair.preferred = source,
            7 => feed.silent_until = Some(now.instant + lasts),
            8 => feed.slow_until = Some(now.instant + lasts),
            _ => {}
        }
        let is_silent = feed.is_silent(now.instant) || is_dropped && feed.is_slow(now.instant);
        let has_it = update.trade.is_none() || !lacks_trades(symbol, source);
        let speaks = event > 6 && !is_silent && has_it;
        if event > 6 && !speaks {
            return Published::Unchanged; // its venue sends nothing
        }
        feed.updates += 1;
        let update = &of_source(*update, source, feed.updates, now);
        // One alone has a gap while the other is lost; and a connection that breaks may be back at once.
        let before = match event {
            9 => Some((source.other(), Reason::Gap)),
            10 => Some((source, Reason::ConnectionLost)),
            _ => None,
        };
        if let Some((source, reason)) = before {
            let published = self.watched(symbol, source, false, |publisher| publisher.outage(reason, now));
            self.tell(symbol, published);
        }
        self.watched(symbol, source, speaks && event != 9, |publisher| match event {
            0 | 9 => publisher.outage(Reason::ConnectionLost, now),
            1 => publisher.outage(Reason::Gap, now),
            2 => publisher.mark_stale(Parts::from_iter([Part::Trade]), Reason::Mute, now),
            3 => publisher.set_refused(Some(Reason::NotGranted), now),
            4 => publisher.set_refused(None, now),
            5 => publisher.prefer(now),
            6 => publisher.due(now),
            _ => publisher.publish(update, now),
        })
    }

    /// The time passes until then: feeds find those mute that have said nothing, and look at the clock.
    pub(super) fn advance_feeds(&mut self, until: Now) {
        while let Some((at, symbol, source)) = self.next_mute().filter(|(at, ..)| *at <= until.instant) {
            self.now = self.now.after(at.saturating_duration_since(self.now.instant));
            let now = self.now;
            self.feeds.as_mut().unwrap().pairs[symbol].feeds[source as usize].is_mute = true;
            let published = self.watched(symbol, source, false, |publisher| publisher.outage(Reason::Mute, now));
            self.tell(symbol, published);
        }
        self.now = until;
        for symbol in 0..self.settings.symbols {
            let published = self.watched(symbol, Source::Primary, false, |publisher| publisher.due(until));
            self.tell(symbol, published);
            self.check_is_back(symbol);
        }
    }

    fn next_mute(&self) -> Option<(Instant, usize, Source)> {
        let pairs =
            self.feeds.iter().flat_map(|feeds| &feeds.pairs).enumerate().filter(|(symbol, _)| !is_quiet(*symbol));
        let each =
            pairs.flat_map(|(symbol, pair)| Source::ALL.map(|source| (pair.feeds[source as usize], symbol, source)));
        each.filter_map(|(feed, symbol, source)| Some((feed.mute_at()?, symbol, source))).min_by_key(|(at, ..)| *at)
    }

    /// Does something with a feed of a symbol, and checks all that comes of it. `speaks`: the feed has sent a price.
    fn watched(
        &mut self,
        symbol: usize,
        source: Source,
        speaks: bool,
        change: impl FnOnce(Publisher<'_>) -> Published,
    ) -> Published {
        let state = self.symbols[symbol].clone();
        let (seed, now) = (self.seed, self.now.instant);
        let Feeds { begun, counts, pairs } = self.feeds.as_mut().unwrap();
        let (before, counted) = (state.newest(), counts.each());
        let published = change(state.through(None).of(source));
        let tick = state.newest();
        let snapshot = &tick.snapshot;
        let parts = |from: &Snapshot| (from.trade, from.quote, from.stats, from.state(), from.stale());
        assert_eq!(parts(snapshot), parts(&state.said_by(snapshot.source)), "seed {seed}: a tick mixes two feeds");
        assert!(snapshot.trades >= before.snapshot.trades, "seed {seed}: trades went back");
        let (shown, left) = (snapshot.source, before.snapshot.source);
        let is_switch = shown != left;
        assert!(!is_switch || tick.kind == Parts::STATUS, "seed {seed}: {:?}", tick.kind);
        let Pair { preferred, feeds } = &mut pairs[symbol];
        let said = state.said_by(source);
        let feed = &mut feeds[source as usize];
        if speaks {
            (feed.heard, feed.is_mute) = (Some(now), false);
        }
        let lacks = lacks(&said);
        let same = feed.live_since.filter(|(_, before)| *before == lacks);
        feed.live_since = is_live(&said).then(|| same.unwrap_or((now, lacks)));
        feed.well_since = (is_live(&said) && lacks.is_empty()).then(|| feed.well_since.unwrap_or(now));
        let causes = counts.each().into_iter().zip(counted).filter(|(after, before)| after.2 > before.2);
        let causes: Vec<_> = causes.map(|((to, cause, _), _)| (to, cause)).collect();
        assert_eq!(causes.len(), usize::from(is_switch), "seed {seed}: each switch has one cause: {causes:?}");
        for (to, cause) in causes {
            assert_eq!(to, shown, "seed {seed}");
            match cause {
                "failback" => {
                    let live = feeds[to as usize].live_since.map(|(since, lacks)| (now - since, lacks));
                    let of_left = state.said_by(left);
                    let had = of_left.known().without(of_left.stale());
                    let is_long =
                        live.is_some_and(|(live, lacks)| live >= LIMITS.failback_after && !lacks.intersects(had));
                    assert!(to == *preferred && is_long, "seed {seed}: S{symbol} is back after {live:?}");
                }
                "preferred" => assert_eq!(to, *preferred, "seed {seed}"),
                _ => assert_eq!(feeds[left as usize].well_since, None, "seed {seed}: {cause} of a feed that is well"),
            }
        }
        let has_been_well = feeds[Source::Primary as usize].well_since.map(|since| now - since);
        let may_be_stale = has_been_well < Some(LIMITS.failback_after);
        assert!(
            may_be_stale || snapshot.state() == State::Live,
            "seed {seed}: S{symbol} is not live, and its primary for {has_been_well:?}"
        );
        // Both feeds begin at about the same time: until then none is late.
        let begins = state.said_by(shown).state() == State::Waiting && now < *begun + LIMITS.age;
        if speaks && said.state() == State::Live && !begins {
            let age = feeds[shown as usize].heard.map(|heard| now - heard);
            let is_young = is_quiet(symbol) || age.is_some_and(|age| age <= MUTE_AFTER);
            let is_live = snapshot.state() == State::Live;
            assert!(
                is_live && is_young,
                "seed {seed}: {source:?} speaks, and {age:?} after {shown:?} did: {snapshot:?}"
            );
        }
        published
    }

    /// The preferred feed is shown once it has been well for long enough, and its last price is young.
    fn check_is_back(&self, symbol: usize) {
        let Some(feeds) = &self.feeds else { return };
        let Pair { preferred, feeds } = &feeds.pairs[symbol];
        let Feed { heard, well_since, .. } = feeds[*preferred as usize];
        let now = self.now.instant;
        let is_young = heard.is_some_and(|heard| now <= heard + LIMITS.age);
        let is_due = well_since.is_some_and(|since| now >= since + LIMITS.failback_after);
        let shown = self.symbols[symbol].newest().snapshot.source;
        assert!(!(is_young && is_due) || shown == *preferred, "seed {}: S{symbol} does not come back", self.seed);
    }
}

/// An update as this feed's venue sends it.
fn of_source(mut update: Update, source: Source, number: u64, now: Now) -> Update {
    let (id, time) = match source {
        Source::Primary => (IDS_BEHIND + number, now.unix),
        Source::Standby => (number, now.unix.before(BEHIND)),
    };
    let sequence = Sequence { id: Some(id), time: Some(time), ..Sequence::default() };
    update.trade.iter_mut().for_each(|trade| trade.sequence = sequence);
    update.quote.iter_mut().for_each(|quote| quote.sequence = sequence);
    update
}

fn is_live(said: &Snapshot) -> bool {
    said.state() == State::Live
}

/// Which of a feed's trades and quotes are stale.
fn lacks(said: &Snapshot) -> Parts {
    said.stale().iter().filter(|part| matches!(part, Part::Trade | Part::Quote)).collect()
}
