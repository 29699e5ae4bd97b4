//! How long a connection keeps its thread while messages are ready: a venue that floods delays no other feed.

use std::time::{Duration, Instant};

/// The most messages of a turn, whose updates are handed on together. A long burst goes out in batches, a single
/// message at once.
const MESSAGES: usize = 64;
/// Large messages end a turn sooner. A good feed waits for about one turn where all threads are flooded.
const TIME: Duration = Duration::from_micros(500);

/// A connection's turn on its thread.
#[derive(Debug)]
pub(super) struct Turn {
    start: Instant,
    messages: usize,
}

impl Turn {
    /// Begins with its first message.
    pub(super) fn new(start: Instant) -> Self {
        Self { start, messages: 1 }
    }

    /// Whether another message may be taken; it counts then.
    pub(super) fn takes(&mut self, now: Instant) -> bool {
        let takes = self.messages < MESSAGES && now.saturating_duration_since(self.start) < TIME;
        self.messages += usize::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many messages a turn takes that each need this long.
    fn taken(each: Duration) -> usize {
        let start = Instant::now();
        let mut turn = Turn::new(start);
        (1..).find(|taken| !turn.takes(start + each * *taken)).unwrap() as usize
    }

    #[test]
    fn a_turn_ends_after_its_messages_or_its_time_whichever_is_first() {
        for (each, expected) in [
            (Duration::ZERO, MESSAGES),
            (Duration::from_micros(1), MESSAGES),
            (TIME / 64, MESSAGES),
            (TIME / 10, 10),
            (TIME - Duration::from_nanos(1), 2),
            (TIME, 1),
            (100 * TIME, 1),
        ] {
            assert_eq!(taken(each), expected, "{each:?}");
        }
    }
}
