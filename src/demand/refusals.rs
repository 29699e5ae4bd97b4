//! The names that a venue has refused, for some time after the feed has given them up: pure.

use crate::market::{Reason, Symbol};
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

/// What one venue has refused. It forgets the oldest for a newer one.
#[derive(Debug)]
pub(super) struct Refusals {
    /// The most names.
    names_max: usize,
    /// How long a name is remembered.
    kept_for: Duration,
    names: HashMap<Symbol, (Reason, Instant)>,
    /// The same, the oldest first.
    order: BTreeSet<(Instant, Symbol)>,
}

impl Refusals {
    pub(super) fn new(names_max: usize, kept_for: Duration) -> Self {
        Self { names_max, kept_for, names: HashMap::new(), order: BTreeSet::new() }
    }

    /// The venue has refused a name, which the feed gives up now.
    pub(super) fn remember(&mut self, name: Symbol, reason: Reason, now: Instant) {
        self.forget(&name);
        while self.names.len() >= self.names_max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.names.remove(&oldest);
        }
        self.order.insert((now, name.clone()));
        self.names.insert(name, (reason, now));
    }

    /// Why the venue has refused a name, if it is not too long ago.
    pub(super) fn reason(&self, name: &Symbol, now: Instant) -> Option<Reason> {
        let (reason, since) = self.names.get(name)?;
        (now.saturating_duration_since(*since) < self.kept_for).then_some(*reason)
    }

    /// Forgets what is too long ago.
    pub(super) fn sweep(&mut self, now: Instant) {
        let kept_for = self.kept_for;
        let is_over = |since: Instant| now.saturating_duration_since(since) >= kept_for;
        while let Some((_, name)) = self.order.first().filter(|(since, _)| is_over(*since)).cloned() {
            self.forget(&name);
        }
    }

    fn forget(&mut self, name: &Symbol) {
        if let Some((_, since)) = self.names.remove(name) {
            self.order.remove(&(since, name.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Symbol {
        format!("S{number}").parse().unwrap()
    }

    #[test]
    fn rule_10_so_many_refusals_are_remembered_for_so_long() {
        let (start, kept_for) = (Instant::now(), Duration::from_secs(100));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut refusals = Refusals::new(3, kept_for);
        for number in 0..4 {
            refusals.remember(name(number), Reason::NotGranted, at(number as u64));
        }
        let remembered = |refusals: &Refusals, seconds| {
            (0..4).filter(|number| refusals.reason(&name(*number), at(seconds)).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(remembered(&refusals, 4), [1, 2, 3], "the oldest is forgotten for a newer one");
        refusals.remember(name(1), Reason::NotEntitled, at(50));
        assert_eq!(refusals.reason(&name(1), at(51)), Some(Reason::NotEntitled), "the newest reason counts");
        assert_eq!(remembered(&refusals, 101), [1, 2, 3]);
        assert_eq!(remembered(&refusals, 102), [1, 3], "also before it is swept");
        refusals.sweep(at(103));
        assert_eq!((refusals.names.len(), refusals.order.len()), (1, 1));
        assert_eq!(remembered(&refusals, 149), [1]);
        refusals.sweep(at(150));
        assert!(refusals.names.is_empty() && refusals.order.is_empty());
    }
}
