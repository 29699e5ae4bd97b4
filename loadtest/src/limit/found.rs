//! What a search for the limit has found.

use super::search::{Held, Stopped};
use crate::{
    report::{Case, CaseResult, Outcome, Provenance, Summary, Whole, number, time},
    scenario::Verdict,
};
use serde::Serialize;
use std::fmt::Write as _;

/// The share of a core from which on the streams' thread limits a run.
const THREAD_BUSY: f64 = 0.9;

/// One run of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// The rate, or the number of streams.
    pub value: f64,
    /// What came out.
    pub outcome: Outcome,
    /// What did not hold, or why it is inconclusive.
    pub why: String,
    /// Ticks read per second.
    pub ticks_per_second: f64,
    /// The 99th percentile of latency, in µs.
    pub latency_p99: Option<u64>,
    /// The gateway's processor time, in cores.
    pub gateway_cores: Option<f64>,
    /// The mean share of a core of the streams' thread.
    pub thread_cpu: f64,
    /// How long the load lasted, in seconds.
    pub seconds: f64,
    /// How late the streams' thread was, at its 99th percentile, in µs.
    pub streams_late_p99: Option<u64>,
    /// How late the venue was, at its 99th percentile, in µs.
    pub venue_late_p99: Option<u64>,
    /// Why its figures may be misleading.
    pub warnings: Vec<String>,
}

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The name of the scenario.
    pub name: String,
    /// Where the report comes from.
    pub provenance: Option<Provenance>,
    /// What was searched for.
    pub of: &'static str,
    /// The highest at which the thresholds held.
    pub holds: Option<f64>,
    /// The lowest at which they did not.
    pub fails: Option<f64>,
    /// What ended the search.
    pub stopped_by: String,
    /// The runs, in their order.
    pub probes: Vec<Probe>,
    /// Values at which some runs held and others did not.
    pub wavered: Vec<f64>,
    /// The gateway's limits that were raised for the largest run, so that they are not what is found.
    pub raised: Vec<String>,
    /// Thresholds that were left out, since a smaller load cannot reach them.
    pub left_out: Vec<String>,
}

impl Probe {
    /// What a run at a value came to.
    pub fn new(value: f64, summary: &Summary) -> Self {
        let judged = summary.thresholds.iter().filter(|judged| judged.verdict != Verdict::Met);
        let mut why: Vec<String> =
            judged.map(|judged| format!("{}: {}, must be {}", judged.measure, judged.was, judged.allowed)).collect();
        why.extend(summary.violations.by_rule.iter().map(|(rule, count)| format!("{rule}: {count} violations")));
        let outcome = match summary.outcome {
            // What the streams' thread cannot read in time is not the server's limit.
            Outcome::Failed
                if summary.generator.thread_cpu >= THREAD_BUSY && summary.violations.total.unwrap_or(0) == 0 =>
            {
                why.push("the streams' thread was busy all the time".to_owned());
                Outcome::Inconclusive
            }
            outcome => outcome,
        };
        Self {
            value,
            outcome,
            why: why.join("; "),
            ticks_per_second: summary.ticks_per_second,
            latency_p99: summary.latency.map(|latency| latency.p99),
            gateway_cores: summary.gateway.as_ref().and_then(|gateway| gateway.cpu_cores),
            thread_cpu: summary.generator.thread_cpu,
            seconds: summary.seconds_measured,
            streams_late_p99: summary.generator.late.map(|late| late.p99),
            venue_late_p99: summary.venue.and_then(|venue| venue.late).map(|late| late.p99),
            warnings: summary.warnings.clone(),
        }
    }

    /// Whether the thresholds held.
    pub fn held(&self) -> Held {
        match self.outcome {
            Outcome::Passed => Held::Yes,
            Outcome::Failed => Held::No,
            Outcome::NotJudged => Held::NotJudged,
            Outcome::Inconclusive | Outcome::Stopped => Held::Unknown,
        }
    }

    /// A run in which the server opened not one stream.
    pub fn no_stream(value: f64, why: String) -> Self {
        Self {
            value,
            outcome: Outcome::Failed,
            why,
            seconds: 0.0,
            ticks_per_second: 0.0,
            latency_p99: None,
            streams_late_p99: None,
            venue_late_p99: None,
            gateway_cores: None,
            thread_cpu: 0.0,
            warnings: Vec::new(),
        }
    }
}

impl Stopped {
    /// For people.
    pub fn shown(&self) -> &'static str {
        match self {
            Self::Found => "the limit is known as exactly as was asked for",
            Self::Runs => "all allowed runs are done (--limit-runs)",
            Self::Highest => "the thresholds hold at the highest allowed value (--limit-max)",
            Self::Lowest => "the thresholds do not hold at the lowest value",
            Self::LoadTester => {
                "the load tester itself is the limit: it was later than what a threshold was crossed by"
            }
            Self::NotJudged => "of this server none of the thresholds can be judged",
        }
    }
}

impl Found {
    /// Passed if the thresholds hold at some value.
    pub fn outcome(&self) -> Outcome {
        match (self.holds, self.fails) {
            (Some(_), _) => Outcome::Passed,
            (None, Some(_)) => Outcome::Failed,
            (None, None) => Outcome::Inconclusive,
        }
    }

    /// For people.
    pub fn text(&self, scenario: Whole) -> String {
        let mut out = format!("{}: the highest number of {}\n", self.name, self.of);
        for probe in &self.probes {
            let latency = probe.latency_p99.map_or("not measured".to_owned(), |micros| time(micros as f64));
            let cores = probe.gateway_cores.map_or(String::new(), |cores| format!(", gateway {cores:.2} cores"));
            let why = if probe.why.is_empty() { String::new() } else { format!("; {}", probe.why) };
            let (value, ticks) = (shown(probe.value), number(probe.ticks_per_second as u64));
            let outcome = probe.outcome.shown();
            let _ = writeln!(out, "  {value:>10}  {outcome}: {ticks} ticks/s, latency p99 {latency}{cores}{why}");
            for warning in &probe.warnings {
                let _ = writeln!(out, "    warning   {warning}");
            }
        }
        if !self.left_out.is_empty() {
            let _ = writeln!(out, "  left out    {}: a smaller load cannot reach them", self.left_out.join(", "));
        }
        let _ = writeln!(out, "  stopped     {}", self.stopped_by);
        if !self.wavered.is_empty() {
            let values = self.wavered.iter().map(|value| shown(*value)).collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "  wavered     runs at {values} came to different ends");
        }
        if !self.raised.is_empty() {
            let _ = writeln!(out, "  raised      {}", self.raised.join(", "));
        }
        let value = |of: Option<f64>| of.map_or("none".to_owned(), |of| format!("{} {}", shown(of), self.of));
        let _ = writeln!(out, "  holds       {}", value(self.holds));
        let _ = writeln!(out, "  fails       {}", value(self.fails));
        if let Some(provenance) = &self.provenance {
            let _ = provenance.write(&mut out, scenario);
        }
        out
    }

    /// A case: whether there is a limit above nothing.
    pub fn cases(&self) -> Vec<Case> {
        let why = self.stopped_by.clone();
        let result = match self.outcome() {
            Outcome::Passed => CaseResult::Passed,
            Outcome::Failed => CaseResult::Failed(why),
            Outcome::Inconclusive | Outcome::Stopped | Outcome::NotJudged => CaseResult::Inconclusive(why),
        };
        let holds = self.holds.map_or("none".to_owned(), shown);
        vec![Case { class: "limit", name: format!("{}: {holds}", self.of), result }]
    }
}

fn shown(value: f64) -> String {
    if value >= 10.0 { number(value.round() as u64) } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Threshold;

    fn probe(threshold: &str, thread_cpu: f64) -> Probe {
        let mut summary = Summary::default();
        summary.generator.thread_cpu = thread_cpu;
        summary.apply_thresholds(&[Threshold::from_argument(threshold).unwrap()]);
        Probe::new(50.0, &summary)
    }

    #[test]
    fn what_a_busy_load_tester_cannot_read_in_time_is_not_the_servers_limit() {
        assert_eq!(probe("lost=0", 0.95).held(), Held::Yes);
        assert_eq!(probe("ticks=9", 0.5).held(), Held::No);
        let busy = probe("ticks=9", 0.95);
        assert_eq!(
            (busy.held(), busy.why.as_str()),
            (Held::Unknown, "ticks: 0, must be at least 9; the streams' thread was busy all the time")
        );
    }

    #[test]
    fn a_search_is_reported_with_its_runs_and_what_stopped_it() {
        let found = Found {
            name: "x".into(),
            provenance: None,
            of: "streams",
            holds: Some(1_200.0),
            fails: None,
            stopped_by: Stopped::Runs.shown().into(),
            probes: vec![probe("ticks=9", 0.5)],
            wavered: vec![1_300.0],
            raised: vec!["limits.streams = 1500".into()],
            left_out: vec!["opened".into()],
        };
        let text = found.text(Whole::Yes);
        for expected in [
            "        50  failed: 0 ticks/s, latency p99 not measured; ticks: 0, must be at least 9",
            "stopped     all allowed runs",
            "holds       1,200 streams",
            "wavered     runs at 1,300",
            "raised      limits.streams = 1500",
            "fails       none",
            "left out    opened",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        assert_eq!((found.outcome(), found.cases()[0].name.as_str()), (Outcome::Passed, "streams: 1,200"));
        assert_eq!(Found { holds: None, ..found }.outcome(), Outcome::Inconclusive);
    }
}
