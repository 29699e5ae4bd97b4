//! Delayed states, in which a delay line shows the ticks of live ones later. Each symbol but the last has one. They are
//! numbered on behind the live ones.

use super::{Grant, World, name};
use rand::RngExt;
use std::{num::NonZero, sync::Arc, time::Duration};
use tickfan::{
    cache::{Cache, SymbolState, Tick},
    delay::{DelayLines, DelayMetrics, Followed, Line},
    market::{Now, Origin},
};

/// How long a live tick is kept from the clients with delayed rights.
pub(crate) const DELAY: Duration = Duration::from_millis(30);
const DELAY_STEP: Duration = Duration::from_millis(5);
/// What ticks say of it: a whole number of seconds.
const DELAY_SECONDS: NonZero<u32> = NonZero::<u32>::MIN;

/// What shows the delayed states.
pub(super) struct Delay {
    lines: DelayLines,
    /// By symbol, which of its live ticks was shown last.
    shown: Vec<usize>,
}

/// The delayed states of some live ones, and what shows them.
pub(super) fn delay(cache: &Cache, live: &[Arc<SymbolState>], now: Now) -> (Vec<Arc<SymbolState>>, Delay) {
    let register = |index| cache.register_delayed(name(index), "sim".into(), Origin::Sim, DELAY_SECONDS, now).unwrap();
    let late: Vec<_> = (0..live.len() - 1).map(register).collect();
    let followed = live.iter().zip(&late).map(|(live, late)| Followed::new(live.clone(), late.clone())).collect();
    let line = Line::new(DELAY, DELAY_STEP, followed, DelayMetrics::register("sim"), now);
    let lines = DelayLines::new(vec![("sim".into(), line)], 100 * live.len());
    (late, Delay { lines, shown: vec![0; live.len()] })
}

impl World {
    /// Which symbol a state is of.
    pub(super) fn symbol(&self, state: usize) -> usize {
        state % self.settings.symbols
    }

    pub(super) fn is_late(&self, state: usize) -> bool {
        state >= self.settings.symbols
    }

    /// A symbol's state of one tier.
    pub(super) fn state(&self, symbol: usize, is_late: bool) -> usize {
        if is_late { self.late(symbol) } else { symbol }
    }

    /// A symbol's delayed state.
    pub(crate) fn late(&self, symbol: usize) -> usize {
        symbol + self.settings.symbols
    }

    /// The `seq` of a state's newest tick.
    pub(crate) fn newest(&self, state: usize) -> u64 {
        self.symbols[state].newest().seq
    }

    /// What rights allow to be read of a symbol: one of its states, if any.
    pub(super) fn readable(&self, grant: &Grant, symbol: usize) -> Option<usize> {
        [symbol, self.late(symbol)].into_iter().find(|&state| grant.is_for(state))
    }

    /// Some symbols pass to the other tier.
    pub(super) fn pass_some(&mut self, grant: &mut Grant) {
        for symbol in 0..self.symbols.len() - self.settings.symbols {
            let Some(state) = self.readable(grant, symbol).filter(|_| self.random.random_bool(0.5)) else { continue };
            grant.symbols.remove(&state);
            grant.symbols.insert(self.state(symbol, !self.is_late(state)));
        }
    }

    /// The delay line does what it is time for.
    pub(crate) fn show_late(&mut self) {
        let Some(mut delay) = self.delay.take() else { return };
        loop {
            let mut shown = Vec::new();
            let wakes_at =
                delay.lines.turn(self.now, &mut |state, interest| shown.push((state.id().index(), interest)));
            for &(state, _) in &shown {
                self.note_published(state);
                self.check_age(state, &mut delay.shown);
            }
            for (state, interest) in shown {
                self.announce(state, interest);
            }
            if wakes_at.is_none_or(|at| at > self.now.instant) {
                break;
            }
        }
        self.delay = Some(delay);
    }

    /// What is shown late was published long enough ago.
    fn check_age(&self, state: usize, shown: &mut [usize]) {
        let seed = self.seed;
        let symbol = self.symbol(state);
        let late = self.symbols[state].newest().snapshot;
        let is_same = |tick: &Tick| (tick.snapshot.trade, tick.snapshot.quote) == (late.trade, late.quote);
        let live = &self.history[symbol];
        let place = (shown[symbol]..live.len()).find(|&place| is_same(&live[place]));
        shown[symbol] =
            place.unwrap_or_else(|| panic!("seed {seed}: S{symbol} shows late what it never was, or again"));
        let age = self.now.instant.saturating_duration_since(live[shown[symbol]].published);
        assert!(age >= DELAY, "seed {seed}: S{symbol} is shown late after {age:?}");
    }
}
