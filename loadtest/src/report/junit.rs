//! Results as JUnit's XML, which CI systems show: a case for each rule and each threshold.

use super::{Summary, escaped::escaped};
use crate::scenario::{Judged, Verdict};
use std::fmt::Write as _;

/// What came out of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// It is right.
    Passed,
    /// It is wrong.
    Failed(String),
    /// Nothing can be said of it, and that is not right either.
    Inconclusive(String),
    /// It could not be judged, since the run itself did not come to its end.
    Error(String),
    /// It was not judged.
    Skipped(String),
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it belongs to.
    pub class: &'static str,
    /// Its name.
    pub name: String,
    /// What came out of it.
    pub result: CaseResult,
}

/// The XML of a suite of cases, which took so long.
///
/// `properties` say where it comes from.
pub fn junit(suite: &str, date: &str, seconds: f64, properties: &[(&str, String)], cases: &[Case]) -> String {
    let count = |is_it: fn(&CaseResult) -> bool| cases.iter().filter(|case| is_it(&case.result)).count();
    let failures = count(|result| matches!(result, CaseResult::Failed(_)));
    let errors = count(|result| matches!(result, CaseResult::Inconclusive(_) | CaseResult::Error(_)));
    let skipped = count(|result| matches!(result, CaseResult::Skipped(_)));
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<testsuite name=\"{}\" timestamp=\"{}\" time=\"{seconds:.3}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\">",
        attribute(suite),
        attribute(date.trim_end_matches('Z')),
        cases.len()
    );
    if !properties.is_empty() {
        out.push_str("  <properties>\n");
        for (name, value) in properties {
            let _ = writeln!(out, "    <property name=\"{name}\" value=\"{}\"/>", attribute(value));
        }
        out.push_str("  </properties>\n");
    }
    for Case { class, name, result } in cases {
        let case = format!("<testcase classname=\"{class}\" name=\"{}\"", attribute(name));
        let _ = match result {
            CaseResult::Passed => writeln!(out, "  {case}/>"),
            CaseResult::Failed(why) => writeln!(out, "  {case}><failure message=\"{}\"/></testcase>", attribute(why)),
            CaseResult::Inconclusive(why) => {
                writeln!(out, "  {case}><error type=\"inconclusive\" message=\"{}\"/></testcase>", attribute(why))
            }
            CaseResult::Error(why) => writeln!(out, "  {case}><error message=\"{}\"/></testcase>", attribute(why)),
            CaseResult::Skipped(why) => writeln!(out, "  {case}><skipped message=\"{}\"/></testcase>", attribute(why)),
        };
    }
    out.push_str("</testsuite>\n");
    out
}

/// A value of an attribute. XML has no way to write most control characters.
fn attribute(text: &str) -> String {
    escaped(&text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
}

impl Summary {
    /// A case for each rule and each threshold, and for what else went wrong.
    pub fn cases(&self) -> Vec<Case> {
        let rules = self.checks.iter().map(|check| {
            let evidence = self.violations.evidence.iter().find(|evidence| evidence.rule.name() == check.rule);
            let first = evidence.map_or(String::new(), |evidence| format!("; the first: {}", evidence.what));
            let result = match (check.violations, check.judged) {
                (0, true) => CaseResult::Passed,
                (0, false) => CaseResult::Skipped(check.why_not.clone().unwrap_or_default()),
                (count, _) => CaseResult::Failed(format!("{count} violations{first}")),
            };
            Case { class: "rules", name: check.rule.to_owned(), result }
        });
        let thresholds = self.thresholds.iter().map(|Judged { measure, verdict, was, allowed, why, .. }| {
            let why = why.as_deref().unwrap_or_default();
            let result = match verdict {
                Verdict::Met => CaseResult::Passed,
                Verdict::Crossed => CaseResult::Failed(format!("{was}, must be {allowed}")),
                Verdict::Inconclusive => CaseResult::Inconclusive(format!("{was}, must be {allowed}; {why}")),
                Verdict::NotJudged => CaseResult::Skipped(why.to_owned()),
            };
            Case { class: "thresholds", name: measure.clone(), result }
        });
        let mut cases: Vec<Case> = rules.chain(thresholds).collect();
        if let Some(floor) = self.floor.as_ref().filter(|floor| !floor.is_sound()) {
            let violations = floor.violations.total.unwrap_or(0);
            let what = format!("{} streams failed, {} lost, {violations} violations", floor.failed, floor.lost);
            cases.push(Case { class: "run", name: "floor".to_owned(), result: CaseResult::Failed(what) });
        }
        if self.stopped {
            let why = format!("a signal stopped it after {:.1} s of the load", self.seconds_measured);
            cases.push(Case { class: "run", name: "run".to_owned(), result: CaseResult::Error(why) });
        }
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{Check, FloorSummary},
        scenario::Threshold,
    };

    #[test]
    fn each_rule_and_threshold_is_a_case() {
        let check =
            |rule, judged, violations| Check { rule, judged, why_not: (!judged).then(|| "a <b>".into()), violations };
        let checks = vec![check("order", true, 0), check("holes", false, 0), check("old", true, 2)];
        let mut summary = Summary { checks, ..Summary::default() };
        summary.apply_thresholds(&["lost=0", "ticks=5"].map(|text| Threshold::from_argument(text).unwrap()));
        let xml = junit("x & y", "2026-11-30T10:00:00Z", 1.5, &[("command", "a <b>".to_owned())], &summary.cases());
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuite name=\"x &amp; y\" timestamp=\"2026-11-30T10:00:00\" time=\"1.500\" tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"1\">\n  \
            <properties>\n    <property name=\"command\" value=\"a &lt;b&gt;\"/>\n  </properties>\n  \
            <testcase classname=\"rules\" name=\"order\"/>\n  \
            <testcase classname=\"rules\" name=\"holes\"><skipped message=\"a &lt;b&gt;\"/></testcase>\n  \
            <testcase classname=\"rules\" name=\"old\"><failure message=\"2 violations\"/></testcase>\n  \
            <testcase classname=\"thresholds\" name=\"lost\"/>\n  \
            <testcase classname=\"thresholds\" name=\"ticks\"><failure message=\"0, must be at least 5\"/></testcase>\n\
            </testsuite>\n";
        assert_eq!(xml, expected);
        let floor = FloorSummary { lost: 2, ..FloorSummary::default() };
        let summary = Summary { floor: Some(floor), stopped: true, ..Summary::default() };
        let results: Vec<_> = summary.cases().into_iter().map(|case| (case.name, case.result)).collect();
        let lost = "0 streams failed, 2 lost, 0 violations";
        let stopped = "a signal stopped it after 0.0 s of the load";
        let expected = [
            ("floor".to_owned(), CaseResult::Failed(lost.to_owned())),
            ("run".to_owned(), CaseResult::Error(stopped.to_owned())),
        ];
        assert_eq!(results, expected);
    }

    #[test]
    fn what_a_server_sends_cannot_break_the_xml() {
        let case = Case { class: "rules", name: "n\"".into(), result: CaseResult::Inconclusive("\u{1}<\n".into()) };
        let xml = junit("s", "d", 0.0, &[], &[case]);
        assert!(xml.contains("name=\"n&quot;\"><error type=\"inconclusive\" message=\" &lt; \"/>"), "{xml}");
    }
}
