//! Symbols with two feeds, each of which fails at random moments.
//!
//! This world keeps books of its own of what each feed has said, and judges from them what is shown: whenever a feed
//! that is well speaks of a symbol, that symbol is live, by a price that is at most [`MUTE_AFTER`] old; and no symbol
//! comes back to the preferred feed before that feed has been well for as long as it has to be.

use super::World;
use rand::RngExt;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{FailoverCounts, Published, Publisher, SymbolState},
    market::{FailoverLimits, Now, Origin, Part, Parts, Reason, Snapshot, Source, State, Update},
};

/// Much shorter than a run.
const LIMITS: FailoverLimits =
    FailoverLimits { age: Duration::from_millis(40), failback_after: Duration::from_millis(100) };
/// After so long without data a feed counts as mute.
const MUTE_AFTER: Duration = Duration::from_millis(60);

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
    /// Its venue sends nothing until then.
    silent_until: Option<Instant>,
    /// Whether its silence was told.
    is_mute: bool,
}

impl Feed {
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
    /// One of the symbol's feeds speaks, or fails, or an operator moves the symbol.
    pub(super) fn hear(&mut self, symbol: usize, update: &Update) -> Published {
        let source = Source::ALL[self.random.random_range(0..2)];
        let now = self.now;
        let event = self.random.random_range(0..60);
        let lasts = Duration::from_millis(self.random.random_range(1..200));
        let pair = &mut self.feeds.as_mut().unwrap().pairs[symbol];
        let feed = &mut pair.feeds[source as usize];
        match event {
            5 => pair.preferred = source,
            7 => feed.silent_until = Some(now.instant + lasts),
            _ => {}
        }
        if event > 6 && feed.silent_until.is_some_and(|until| now.instant < until) {
            return Published::Unchanged; // its venue sends nothing
        }
        self.watched(symbol, source, event > 6, |publisher| match event {
            0 => publisher.outage(Reason::ConnectionLost, now),
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
        let pairs = self.feeds.iter().flat_map(|feeds| &feeds.pairs).enumerate();
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
        feed.well_since = is_well(&said).then(|| feed.well_since.unwrap_or(now));
        let causes = counts.each().into_iter().zip(counted).filter(|(after, before)| after.2 > before.2);
        let causes: Vec<_> = causes.map(|((to, cause, _), _)| (to, cause)).collect();
        assert_eq!(causes.len(), usize::from(is_switch), "seed {seed}: each switch has one cause: {causes:?}");
        for (to, cause) in causes {
            assert_eq!(to, shown, "seed {seed}");
            match cause {
                "failback" => {
                    let well = feeds[to as usize].well_since.map(|since| now - since);
                    let is_long = well.is_some_and(|well| well >= LIMITS.failback_after);
                    assert!(to == *preferred && is_long, "seed {seed}: S{symbol} is back after {well:?}");
                }
                "preferred" => assert_eq!(to, *preferred, "seed {seed}"),
                _ => assert_eq!(feeds[left as usize].well_since, None, "seed {seed}: {cause} of a feed that is well"),
            }
        }
        // Both feeds begin at about the same time: until then none is late.
        let begins = state.said_by(shown).state() == State::Waiting && now < *begun + LIMITS.age;
        if speaks && said.state() == State::Live && !begins {
            let age = feeds[shown as usize].heard.map(|heard| now - heard);
            let is_young = age.is_some_and(|age| age <= MUTE_AFTER);
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

/// Whether a feed is live, with trades and quotes as far as it has any.
fn is_well(said: &Snapshot) -> bool {
    said.state() == State::Live && !said.stale().intersects(Parts::from_iter([Part::Trade, Part::Quote]))
}
