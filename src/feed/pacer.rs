//! The pace of a feed's connection attempts. Venues limit the attempts of an address, so all connections of a feed
//! share one pacer. Pure: the time is passed in.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The part of its lifetime by which the last of a feed's connections is replaced before the first.
const LIFETIME_SPREAD: f64 = 0.1;

/// Gives each attempt its turn. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct ConnectPacer {
    between: Duration,
    /// A std mutex: attempts are rare.
    turns: Arc<Mutex<Turns>>,
}

#[derive(Debug, Default)]
struct Turns {
    /// The earliest next turn.
    free_at: Option<Instant>,
    /// Until then the venue wants no attempt: turns before it do not count.
    held_until: Option<Instant>,
}

impl ConnectPacer {
    /// Turns are at least `between` apart.
    pub(super) fn new(between: Duration) -> Self {
        Self { between, turns: Arc::default() }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next turn, which is `now` or later. Each turn is given once, in the order of the calls.
    pub(super) fn take_turn(&self, now: Instant) -> Instant {
        let mut turns = self.turns();
        let turn = turns.free_at.map_or(now, |free_at| free_at.max(now));
        turns.free_at = Some(turn + self.between);
        turn
    }

    /// The venue wants no attempt before `until`: later turns come after it, and earlier ones must be taken again.
    pub(super) fn hold(&self, until: Instant) {
        let mut turns = self.turns();
        turns.free_at = turns.free_at.max(Some(until));
        turns.held_until = turns.held_until.max(Some(until));
    }

    /// Whether a turn that was given does not count at this moment.
    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.turns().held_until.is_some_and(|until| now < until)
    }
}

/// The lifetime of one of `count` connections. They differ, so that a feed does not replace all of them together.
pub(super) fn staggered(lifetime: Duration, place: usize, count: usize) -> Duration {
    lifetime.mul_f64(1.0 - LIFETIME_SPREAD * place as f64 / count.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn turns_are_apart_and_unused_ones_do_not_add_up() {
        let now = Instant::now();
        let pacer = ConnectPacer::new(SECOND);
        let other = pacer.clone();
        assert_eq!(pacer.take_turn(now), now);
        assert_eq!(other.take_turn(now), now + SECOND, "clones share the turns");
        assert_eq!(pacer.take_turn(now), now + 2 * SECOND);
        let later = now + 100 * SECOND;
        assert_eq!(pacer.take_turn(later), later);
        assert_eq!(other.take_turn(later + SECOND / 2), later + SECOND);
    }

    #[test]
    fn a_venue_without_a_limit_gives_every_turn_at_once() {
        let now = Instant::now();
        let pacer = ConnectPacer::new(Duration::ZERO);
        assert!((0..100).all(|_| pacer.take_turn(now) == now));
    }

    #[test]
    fn lifetimes_differ_and_none_is_longer_than_the_venues() {
        let hour = 3_600 * SECOND;
        let lifetimes: Vec<_> = (0..64).map(|place| staggered(hour, place, 64)).collect();
        assert_eq!(lifetimes[0], hour);
        assert!(lifetimes.windows(2).all(|pair| pair[0] > pair[1] + 5 * SECOND));
        assert!(lifetimes[63] > hour.mul_f64(0.9));
    }
}
