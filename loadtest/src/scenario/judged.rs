//! What a run's results make of a threshold: it is met, crossed, not judged, or nothing can be said.

use super::{
    measures::{Bound, Late, Of, Unit},
    thresholds::{Threshold, shown},
};
use crate::{
    measure::Percentiles,
    report::{Summary, time},
};
use serde::Serialize;

/// What the results make of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is met.
    Met,
    /// It is crossed.
    Crossed,
    /// It is crossed, but the venue or the streams were later than the excess by their own fault.
    Inconclusive,
    /// The server does not have the measure.
    NotJudged,
}

/// A threshold with the results of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The measure.
    pub measure: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Its value, with the unit.
    pub was: String,
    /// The threshold, with the unit.
    pub allowed: String,
    /// Why it is not simply met or crossed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its value.
    pub value: Option<f64>,
    /// The threshold.
    pub limit: f64,
    /// The unit of both.
    pub unit: Unit,
    /// Which side of the threshold is allowed.
    pub bound: Bound,
}

impl Threshold {
    /// Judges the results. A measure that was not measured crosses its threshold; one that the server does not have
    /// is not judged.
    pub fn judge(&self, summary: &Summary) -> Judged {
        let value = self.measured.read(summary);
        let unit = self.measured.unit();
        let bound = self.measured.bound();
        let is_met = value.is_some_and(|value| match bound {
            Bound::AtMost => value <= self.limit,
            Bound::AtLeast => value >= self.limit,
        });
        let (verdict, why) = if let Some(why) = self.measured.clocks(summary) {
            (Verdict::NotJudged, Some(why))
        } else if self.measured.of() == Of::Tickfan && summary.is_other_server {
            (Verdict::NotJudged, Some("another server than tickfan does not have it".to_owned()))
        } else if is_met {
            (Verdict::Met, None)
        } else {
            match value.and_then(|value| self.excuse(value - self.limit, summary)) {
                Some(why) => (Verdict::Inconclusive, Some(why)),
                None => (Verdict::Crossed, None),
            }
        };
        Judged {
            measure: self.name().to_owned(),
            verdict,
            was: match verdict {
                Verdict::NotJudged => "not judged".to_owned(),
                _ => {
                    value.map_or("not measured".to_owned(), |value| shown(value, unit) + &self.measured.of_few(summary))
                }
            },
            allowed: self.allowed(),
            why,
            value: value.filter(|_| verdict != Verdict::NotJudged),
            limit: self.limit,
            unit,
            bound,
        }
    }

    /// Why an excess, in µs, may not be the server's: the venue or the streams' thread was that late itself, at the
    /// same percentile.
    fn excuse(&self, excess: f64, summary: &Summary) -> Option<String> {
        let (late, at) = self.measured.late()?;
        let generator = &summary.generator;
        let of = |late: Option<Percentiles>, is_it: bool| late.filter(|_| is_it).and_then(|late| at.of(&late));
        let is_opening = late == Late::Opening;
        let venue = of(summary.venue.and_then(|venue| venue.late), late == Late::VenueAndStreams);
        let streams = of(generator.late, !is_opening || generator.connects_in_load);
        let opening = of(generator.late_opening, is_opening);
        let connects = of(generator.late_connects, is_opening);
        let sides = [
            ("the venue was behind its schedule", venue),
            ("the streams' thread was late", streams.max(opening)),
            ("the streams began to connect late", connects),
        ];
        let (what, late) = sides.into_iter().find(|(_, late)| late.is_some_and(|late| late as f64 >= excess))?;
        let late = time(late.unwrap_or_default() as f64);
        Some(format!("{what} by {late} at the same percentile, and the excess is {}", time(excess)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::{Asked, Histogram},
        report::{ClocksSummary, GroupSummary, VenueSummary},
    };

    fn times(micros: u64) -> Option<Percentiles> {
        let mut histogram = Histogram::default();
        histogram.record(micros.cast_signed());
        let mut asked = Asked::default();
        asked.add("99.99".parse().unwrap()).unwrap();
        histogram.percentiles(asked)
    }

    fn judged(argument: &str, summary: &Summary) -> (Verdict, String) {
        let judged = Threshold::from_argument(argument).unwrap().judge(summary);
        (judged.verdict, format!("{}, {}", judged.was, judged.allowed))
    }

    #[test]
    fn a_threshold_is_met_or_crossed() {
        let mut summary = Summary { latency: times(2_000), ..Summary::default() };
        summary.streams.ticks = 100;
        summary.violations.total = Some(0);
        let group = GroupSummary { name: "pages".into(), latency: times(7_000), ..GroupSummary::default() };
        summary.streams.groups.push(group);
        for (argument, verdict, shown) in [
            ("ticks=100", Verdict::Met, "100, at least 100"),
            ("ticks=101", Verdict::Crossed, "100, at least 101"),
            ("violations=0", Verdict::Met, "0, at most 0"),
            ("latency_p99.99=2ms", Verdict::Met, "2.0 ms of 1 times, at most 2.0 ms"),
            ("latency_max=1ms", Verdict::Crossed, "2.0 ms, at most 1.0 ms"),
            ("latency_p50[pages]=2ms", Verdict::Crossed, "7.0 ms of 1 times, at most 2.0 ms"),
            ("age_p99=50ms", Verdict::Crossed, "not measured, at most 50.0 ms"),
        ] {
            assert_eq!(judged(argument, &summary), (verdict, shown.to_owned()), "{argument}");
        }
    }

    #[test]
    fn of_another_server_only_what_it_has_is_judged() {
        let summary = Summary { is_other_server: true, latency: times(2_000), ..Summary::default() };
        for argument in ["violations=0", "missed_ring=0", "age_p99=1ms", "holes=0"] {
            assert_eq!(judged(argument, &summary).0, Verdict::NotJudged, "{argument}");
        }
        assert_eq!(judged("latency_p99=1ms", &summary).0, Verdict::Crossed);
        assert_eq!(judged("lost=0", &summary).0, Verdict::Met);
    }

    #[test]
    fn times_of_clocks_that_do_not_agree_are_not_judged() {
        let clocks = ClocksSummary { age: Some("it is ahead".to_owned()), latency: None };
        let summary = Summary { clocks, age: times(0), latency: times(0), ..Summary::default() };
        assert_eq!(judged("age_p99=50ms", &summary).0, Verdict::NotJudged);
        assert_eq!(judged("slow_age_max=50ms", &summary).0, Verdict::NotJudged);
        assert_eq!(judged("latency_p99=50ms", &summary).0, Verdict::Met);
    }

    #[test]
    fn an_excess_below_the_lateness_of_venue_or_streams_says_nothing_of_the_server() {
        let with = |venue, streams| {
            let venue = VenueSummary { late: times(venue), ..VenueSummary::default() };
            let mut summary =
                Summary { latency: times(12_000), age: times(12_000), venue: Some(venue), ..Summary::default() };
            summary.generator.late = times(streams);
            summary
        };
        // The excess is 2 ms.
        for (argument, venue, streams, expected) in [
            ("latency_p99=10ms", 1_000, 0, Verdict::Crossed),
            ("latency_p99=10ms", 3_000, 0, Verdict::Inconclusive),
            ("latency_max=10ms", 0, 3_000, Verdict::Inconclusive),
            ("latency_p99=13ms", 9_000, 9_000, Verdict::Met),
            ("age_p99=10ms", 9_000, 0, Verdict::Crossed),
            ("age_p99=10ms", 0, 3_000, Verdict::Inconclusive),
            ("ticks=1", 9_000, 9_000, Verdict::Crossed),
        ] {
            assert_eq!(judged(argument, &with(venue, streams)).0, expected, "{argument} {venue} {streams}");
        }
        let opening = |argument, connects_in_load, late_opening, late_connects| {
            let mut summary = Summary { first_tick: times(12_000), ..Summary::default() };
            summary.generator.late = times(5_000);
            summary.generator.late_opening = times(late_opening);
            summary.generator.late_connects = times(late_connects);
            summary.generator.connects_in_load = connects_in_load;
            judged(argument, &summary).0
        };
        let first = "first_tick_p99=10ms";
        assert_eq!(opening(first, false, 0, 0), Verdict::Crossed, "the pause was in the load");
        assert_eq!(opening(first, false, 3_000, 0), Verdict::Inconclusive);
        assert_eq!(opening(first, false, 0, 3_000), Verdict::Inconclusive);
        assert_eq!(opening(first, true, 0, 0), Verdict::Inconclusive, "streams connect within the load too");
        let why = Threshold::from_argument("latency_p99=10ms").unwrap().judge(&with(3_000, 0)).why.unwrap();
        assert!(why.contains("the venue was behind its schedule by 3.0 ms"), "{why}");
    }
}
