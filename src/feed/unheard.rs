//! Symbols that a living connection brings no data of: a name that the venue knows and never sends, or a lost
//! subscription. Pure: the clock is passed in.

use crate::market::{Now, Symbol, UnixMicros};
use std::time::{Duration, Instant};

/// How many symbols are named; the others are counted.
const EXAMPLES_MAX: usize = 5;
/// Looks in each span of `after`.
const LOOKS: u32 = 5;

/// Symbols without data since their connection subscribed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unheard {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub examples: Vec<Symbol>,
}

impl Unheard {
    /// Adds a symbol.
    pub fn add(&mut self, symbol: &Symbol) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(symbol.clone());
        }
    }

    /// Adds those of another connection.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        let room = EXAMPLES_MAX - self.examples.len();
        self.examples.extend(other.examples.iter().take(room).cloned());
    }
}

/// When to look for such symbols.
#[derive(Debug)]
pub(super) struct UnheardWatch {
    after: Duration,
    subscribed: Option<Now>,
    /// Since when data are expected.
    watched: Option<Instant>,
    next_look: Option<Instant>,
}

impl UnheardWatch {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, subscribed: None, watched: None, next_look: None }
    }

    /// The venue has answered all requests of a connection, or refuses some later; `None`: it is lost.
    pub(super) fn subscribed(&mut self, now: Option<Now>) {
        if self.subscribed.is_some() && now.is_some() {
            return;
        }
        self.subscribed = now;
        self.next_look = None;
    }

    /// From now on data are expected, or not.
    pub(super) fn watch(&mut self, watch: bool, now: Instant) {
        self.watched = watch.then_some(self.watched.unwrap_or(now));
    }

    /// Whether data were expected for so long that a look makes sense.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        let (Some(subscribed), Some(watched)) = (self.subscribed, self.watched) else { return false };
        subscribed.instant.max(watched) + self.after <= now
    }

    /// Since when a symbol must have had no data to be unheard, if a look is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<UnixMicros> {
        if !self.is_on(now) || self.next_look.is_some_and(|look| now < look) {
            return None;
        }
        self.next_look = Some(now + self.after / LOOKS);
        self.subscribed.map(|subscribed| subscribed.unix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(300);

    #[test]
    fn a_look_is_due_minutes_after_the_subscription_within_hours_and_then_each_minute() {
        let start = Now::read();
        let at = |seconds| start.after(Duration::from_secs(seconds));
        let looks = |watch: &mut UnheardWatch, seconds: std::ops::Range<u64>| {
            seconds.filter(|&second| watch.due(at(second).instant).is_some()).collect::<Vec<_>>()
        };
        let mut watch = UnheardWatch::new(AFTER);
        watch.watch(true, start.instant);
        assert!(looks(&mut watch, 0..1_000).is_empty(), "not subscribed");
        watch.subscribed(Some(at(1_000)));
        watch.subscribed(Some(at(1_100)));
        assert_eq!(looks(&mut watch, 1_000..1_450), [1_300, 1_360, 1_420]);
        watch.subscribed(None);
        assert!(looks(&mut watch, 1_450..3_000).is_empty(), "lost");
        watch.subscribed(Some(at(3_000)));
        watch.watch(false, at(3_010).instant);
        assert!(looks(&mut watch, 3_010..4_000).is_empty(), "closed");
        watch.watch(true, at(4_000).instant);
        watch.watch(true, at(4_100).instant);
        assert_eq!(looks(&mut watch, 4_000..4_301), [4_300], "counted from the start of the hours");
        assert_eq!(watch.due(at(5_000).instant), Some(at(3_000).unix));
    }

    #[test]
    fn rule_10_a_few_unheard_symbols_are_named_and_all_are_counted() {
        let mut all = Unheard::default();
        let mut half = Unheard::default();
        for number in 0..4 {
            half.add(&format!("S{number}").parse().unwrap());
        }
        all.merge(&half);
        all.merge(&half);
        assert_eq!((all.count, all.examples.len()), (8, EXAMPLES_MAX));
        (0..9).for_each(|_| half.add(&"X".parse().unwrap()));
        assert_eq!((half.count, half.examples.len()), (13, EXAMPLES_MAX));
    }
}
