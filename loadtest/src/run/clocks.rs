//! Whether the clocks agree whose times are compared.

use super::observed::Observed;
use crate::report::{ClocksSummary, number, time};
use std::time::Instant;

/// The share of impossible times from which on two clocks do not agree.
const IMPOSSIBLE_MAX: f64 = 0.001;
/// How far a clock may be set within a run, in µs. NTP moves it by half a millisecond per second at most.
const STEP_MAX: i64 = 10_000;

/// How far the clock was set since this moment, in µs since 1970 and by the monotonic clock.
pub(super) fn step(began: i64, begun: Instant, now: i64) -> i64 {
    now - began - i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// The warning that the clock was set, if it was.
pub(super) fn step_warning(step: i64) -> Option<String> {
    let direction = if step > 0 { "forwards" } else { "backwards" };
    (step.abs() > STEP_MAX).then(|| {
        format!("the clock was set {direction} by {} within the run: times are wrong by that", time(step.abs() as f64))
    })
}

/// Which times cannot be right, since they are of two clocks.
pub(super) fn clocks(observed: &Observed<'_>) -> ClocksSummary {
    let measures = &observed.outcome.measures;
    let [age, slow_age, latency] = [&measures.age, &measures.slow_age, &measures.latency];
    let ages = (age.negative() + slow_age.negative(), age.count() + slow_age.count());
    // Only the own venue's times are of this clock.
    let receipts = observed.run.venue.map_or((0, 0), |_| (measures.receipts_before_trade, measures.receipts));
    let ahead = many(ages, "the server's clock is ahead of this one", "ages are negative");
    let behind =
        || many(receipts, "the server's clock is behind this one", "trades were received before they were due");
    ClocksSummary {
        age: ahead.or_else(behind),
        latency: many(
            (latency.negative(), latency.count()),
            "the venue's clock is ahead of this one",
            "trades were read before they were due",
        ),
    }
}

/// What so many impossible times of all say; `None`: nothing.
fn many((count, all): (u64, u64), what: &str, which: &str) -> Option<String> {
    (count as f64 > all as f64 * IMPOSSIBLE_MAX)
        .then(|| format!("{what}: {} of {} {which}", number(count), number(all)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_and_times_that_cannot_be_are_noticed() {
        assert_eq!((step_warning(9_000), step_warning(-10_000)), (None, None));
        assert!(
            step_warning(-1_500_000).unwrap().contains("set backwards by 1.50 s"),
            "{:?}",
            step_warning(-1_500_000)
        );
        let begun = Instant::now();
        assert!((2_000_000 - step(1_000_000, begun, 3_000_000)).abs() < 1_000_000);
        assert_eq!((many((0, 0), "a", "b"), many((1, 1_000), "a", "b")), (None, None));
        assert_eq!(many((2, 1_000), "ahead", "are negative").as_deref(), Some("ahead: 2 of 1,000 are negative"));
    }
}
