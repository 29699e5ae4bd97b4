//! What was judged in a run, and what was not.

use super::Summary;
use crate::scenario::Verdict;
use serde::Serialize;
use std::collections::BTreeMap;

/// A rule, and whether the run's events were judged by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub rule: &'static str,
    /// Whether anything was judged by it.
    pub judged: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Its violations.
    pub violations: u64,
}

/// What a run says of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Whatever was judged is right.
    Passed,
    /// A threshold is crossed, or a rule is violated.
    Failed,
    /// A signal ended it early: what was judged is right, but only a part was judged.
    Stopped,
    /// The venue or the streams were later than what a threshold was crossed by.
    Inconclusive,
    /// There was neither a rule nor a threshold to judge by.
    #[default]
    NotJudged,
}

impl Outcome {
    /// For people.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Stopped => "stopped",
            Self::NotJudged => "not judged",
        }
    }
}

impl Summary {
    /// What the results say of the server.
    pub fn outcome(&self) -> Outcome {
        let has = |verdict| self.thresholds.iter().any(|threshold| threshold.verdict == verdict);
        let is_sound = self.floor.as_ref().is_none_or(super::FloorSummary::is_sound);
        if self.violations.total.unwrap_or(0) > 0 || has(Verdict::Crossed) || !is_sound {
            Outcome::Failed
        } else if self.stopped {
            Outcome::Stopped
        } else if has(Verdict::Inconclusive) {
            Outcome::Inconclusive
        } else if has(Verdict::Met) || self.checks.iter().any(|check| check.judged) {
            Outcome::Passed
        } else {
            Outcome::NotJudged
        }
    }

    /// The rules by which nothing was judged, by the reason.
    pub(super) fn not_judged(&self) -> BTreeMap<&str, Vec<&'static str>> {
        let mut by_reason: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for check in self.checks.iter().filter(|check| !check.judged) {
            by_reason.entry(check.why_not.as_deref().unwrap_or_default()).or_default().push(check.rule);
        }
        by_reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{FloorSummary, ViolationsSummary},
        scenario::Threshold,
    };

    fn judged(thresholds: &[&str], mut summary: Summary) -> Outcome {
        let thresholds: Vec<_> = thresholds.iter().map(|text| Threshold::from_argument(text).unwrap()).collect();
        summary.apply_thresholds(&thresholds);
        summary.outcome()
    }

    #[test]
    fn a_run_passes_by_what_was_judged_only() {
        let other = || Summary { is_other_server: true, ..Summary::default() };
        assert_eq!(judged(&[], other()), Outcome::NotJudged);
        assert_eq!(judged(&["violations=0"], other()), Outcome::NotJudged);
        assert_eq!(judged(&["violations=0", "lost=0"], other()), Outcome::Passed);
        assert_eq!(judged(&["latency_p99=1s"], other()), Outcome::Failed, "it was not measured");
        assert_eq!(judged(&["lost=0"], Summary { stopped: true, ..Summary::default() }), Outcome::Stopped);
        assert_eq!(judged(&["ticks=1"], Summary { stopped: true, ..Summary::default() }), Outcome::Failed);
        let check = |judged| Check { rule: "order", judged, why_not: None, violations: 0 };
        let with = |check| Summary { checks: vec![check], ..Summary::default() };
        assert_eq!(
            (judged(&[], with(check(true))), judged(&[], with(check(false)))),
            (Outcome::Passed, Outcome::NotJudged)
        );
        let violations = ViolationsSummary { total: Some(1), ..ViolationsSummary::default() };
        assert_eq!(judged(&["lost=0"], Summary { violations, ..Summary::default() }), Outcome::Failed);
        let floor = FloorSummary { lost: 1, ..FloorSummary::default() };
        assert_eq!(judged(&["lost=0"], Summary { floor: Some(floor), ..Summary::default() }), Outcome::Failed);
    }
}
