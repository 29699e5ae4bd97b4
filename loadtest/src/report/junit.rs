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
pub fn junit(suite: &str, date: &str, seconds: f64, cases: &[Case]) -> String {
    let count = |is_it: fn(&CaseResult) -> bool| cases.iter().filter(|case| is_it(&case.result)).count();
    let failures = count(|result| matches!(result, CaseResult::Failed(_)));
    let errors = count(|result| matches!(result, CaseResult::Inconclusive(_)));
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
    for Case { class, name, result } in cases {
        let case = format!("<testcase classname=\"{class}\" name=\"{}\"", attribute(name));
        let _ = match result {
            CaseResult::Passed => writeln!(out, "  {case}/>"),
            CaseResult::Failed(why) => writeln!(out, "  {case}><failure message=\"{}\"/></testcase>", attribute(why)),
            CaseResult::Inconclusive(why) => {
                writeln!(out, "  {case}><error type=\"inconclusive\" message=\"{}\"/></testcase>", attribute(why))
            }
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
    /// A case for each rule and each threshold.
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
        rules.chain(thresholds).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::Check, scenario::Threshold};

    #[test]
    fn each_rule_and_threshold_is_a_case() {
        let check =
            |rule, judged, violations| Check { rule, judged, why_not: (!judged).then(|| "a <b>".into()), violations };
        let checks = vec![check("order", true, 0), check("holes", false, 0), check("old", true, 2)];
        let mut summary = Summary { checks, ..Summary::default() };
        summary.apply_thresholds(&["lost=0", "ticks=5"].map(|text| Threshold::from_argument(text).unwrap()));
        let xml = junit("x & y", "2026-11-30T10:00:00Z", 1.5, &summary.cases());
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuite name=\"x &amp; y\" timestamp=\"2026-11-30T10:00:00\" time=\"1.500\" tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"1\">\n  \
            <testcase classname=\"rules\" name=\"order\"/>\n  \
            <testcase classname=\"rules\" name=\"holes\"><skipped message=\"a &lt;b&gt;\"/></testcase>\n  \
            <testcase classname=\"rules\" name=\"old\"><failure message=\"2 violations\"/></testcase>\n  \
            <testcase classname=\"thresholds\" name=\"lost\"/>\n  \
            <testcase classname=\"thresholds\" name=\"ticks\"><failure message=\"0, must be at least 5\"/></testcase>\n\
            </testsuite>\n";
        assert_eq!(xml, expected);
    }

    #[test]
    fn what_a_server_sends_cannot_break_the_xml() {
        let case = Case { class: "rules", name: "n\"".into(), result: CaseResult::Inconclusive("\u{1}<\n".into()) };
        let xml = junit("s", "d", 0.0, &[case]);
        assert!(xml.contains("name=\"n&quot;\"><error type=\"inconclusive\" message=\" &lt; \"/>"), "{xml}");
    }
}
