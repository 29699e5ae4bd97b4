//! How long an owner's messages are on their way, for operators.
//!
//! The answers to asks say how far the two clocks are apart, too low by the journey of the ask. Freshness must never
//! take a message for younger than it is, so it lets each answer count for less as the clocks may drift. Here the best
//! answer of the last minute counts as it is: a delay is too high by the shortest journey of an ask in that time.

use crate::cluster::clock::Boot;
use std::time::Duration;

/// The best answer of such a time counts until the end of the next.
const WINDOW: Duration = Duration::from_secs(30);

/// The delay of an owner's messages.
#[derive(Debug, Default)]
pub(super) struct Delay {
    /// Our clock less the owner's, at least: in this window, and in the one before.
    ahead_micros: [Option<i128>; 2],
    window_began: Boot,
    newest: Option<Duration>,
}

impl Delay {
    /// The owner has answered at `sent` of its clock what was asked at `asked` of ours.
    pub(super) fn answered(&mut self, asked: Boot, sent: Boot, now: Boot) {
        let ahead = Some(i128::from(asked.0) - i128::from(sent.0));
        let [this, before] = self.ahead_micros;
        if now.since(self.window_began) < WINDOW {
            self.ahead_micros = [this.max(ahead), before];
        } else {
            (self.ahead_micros, self.window_began) = ([ahead, this], now);
        }
    }

    /// A message has arrived. Before the owner's first answer its delay is not known.
    pub(super) fn heard(&mut self, sent: Boot, now: Boot) {
        let [this, before] = self.ahead_micros;
        let delay = |ahead| i128::from(now.0) - i128::from(sent.0) - ahead;
        let micros = this.max(before).map(|ahead| u64::try_from(delay(ahead).max(0)).unwrap_or(u64::MAX));
        self.newest = micros.map(Duration::from_micros);
    }

    /// The delay of the message that arrived since the last call.
    pub(super) fn take(&mut self) -> Option<Duration> {
        self.newest.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the owner's clock shows when ours shows 0.
    const OWNERS: u64 = 900_000_000;

    fn ours(millis: u64) -> Boot {
        Boot(millis * 1_000)
    }

    fn owners(millis: u64) -> Boot {
        Boot(OWNERS + millis * 1_000)
    }

    fn delay_of(delay: &mut Delay, sent: Boot, now: Boot) -> Option<u128> {
        delay.heard(sent, now);
        delay.take().map(|delay| delay.as_millis())
    }

    #[test]
    fn a_delay_is_counted_by_the_best_answer_of_the_last_minute() {
        let mut delay = Delay::default();
        assert_eq!(delay_of(&mut delay, owners(0), ours(0)), None, "the owner's clock is unknown");
        delay.answered(ours(1_000), owners(1_040), ours(1_050));
        assert_eq!(delay_of(&mut delay, owners(1_100), ours(1_105)), Some(45), "too high by the journey of the ask");
        delay.answered(ours(6_000), owners(6_001), ours(6_002));
        delay.answered(ours(11_000), owners(11_090), ours(11_100));
        assert_eq!(delay_of(&mut delay, owners(12_000), ours(12_150)), Some(151));
        assert_eq!(delay.take(), None, "each message counts once");
        delay.answered(ours(31_000), owners(31_060), ours(31_070));
        assert_eq!(delay_of(&mut delay, owners(31_100), ours(31_120)), Some(21), "the answer of the window before");
        // The owner's clock has lost 20 ms since; the answers of two windows ago no longer count.
        for seconds in [61, 91] {
            delay.answered(ours(seconds * 1_000), owners(seconds * 1_000 - 18), ours(seconds * 1_000 + 5));
        }
        assert_eq!(delay_of(&mut delay, owners(91_980), ours(92_010)), Some(12));
        assert_eq!(delay_of(&mut delay, owners(99_000), ours(92_000)), Some(0), "a clock that jumped");
    }
}
