//! Symbols with two feeds, each of which fails at random moments.

use super::World;
use rand::RngExt;
use std::{sync::Arc, time::Duration};
use tickfan::{
    cache::{FailoverCounts, Published, SymbolState},
    market::{FailoverLimits, Now, Origin, Part, Parts, Reason, Source, Update},
};

/// Much shorter than a run.
const LIMITS: FailoverLimits =
    FailoverLimits { age: Duration::from_millis(100), failback_after: Duration::from_millis(400) };

/// Gives each symbol a standby.
pub(super) fn add_standbys(symbols: &[Arc<SymbolState>], now: Now) {
    let counts = Arc::<FailoverCounts>::default();
    for symbol in symbols {
        symbol.add_standby("spare".into(), Origin::Sim, LIMITS, counts.clone(), now).unwrap();
    }
}

impl World {
    /// One of the symbol's feeds speaks, or fails, or an operator moves the symbol.
    pub(super) fn hear(&mut self, state: &SymbolState, update: &Update) -> Published {
        let source = Source::ALL[self.random.random_range(0..2)];
        let publisher = state.through(None).of(source);
        let before = state.newest();
        let published = match self.random.random_range(0..20) {
            0 => publisher.outage(Reason::ConnectionLost, self.now),
            1 => publisher.outage(Reason::Gap, self.now),
            2 => publisher.mark_stale(Parts::from_iter([Part::Trade]), Reason::Mute, self.now),
            3 => publisher.set_refused(Some(Reason::NotGranted), self.now),
            4 => publisher.set_refused(None, self.now),
            5 => publisher.prefer(self.now),
            6 => publisher.due(self.now),
            _ => publisher.publish(update, self.now),
        };
        let tick = state.newest();
        let (snapshot, seed) = (&tick.snapshot, self.seed);
        let said = state.said_by(snapshot.source);
        let parts = |from: &tickfan::market::Snapshot| (from.trade, from.quote, from.stats, from.state(), from.stale());
        assert_eq!(parts(snapshot), parts(&said), "seed {seed}: a tick mixes two feeds");
        assert!(snapshot.trades >= before.snapshot.trades, "seed {seed}: trades went back");
        let is_switch = snapshot.source != before.snapshot.source;
        assert!(!is_switch || tick.kind == Parts::STATUS, "seed {seed}: {:?}", tick.kind);
        published
    }
}
