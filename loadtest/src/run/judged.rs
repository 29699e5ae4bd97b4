//! Which rules the events of a run were judged by.

use super::observed::Observed;
use crate::{
    check::Rule,
    report::{Check, GatewaySummary, ViolationsSummary},
    streams::Wire,
};

const OTHER_SERVER: &str = "another server's events are counted, not checked";

/// All rules, each with its violations or with why nothing was judged by it.
pub(super) fn checks(observed: &Observed<'_>, gateway: Option<&GatewaySummary>) -> Vec<Check> {
    let violations = &observed.outcome.violations;
    let check = |rule: Rule| {
        let count = violations.of(rule);
        // What is violated has been judged.
        let why_not = why_not(rule, observed, gateway).filter(|_| count == 0);
        Check { rule: rule.name(), judged: why_not.is_none(), why_not: why_not.map(str::to_owned), violations: count }
    };
    Rule::ALL.into_iter().map(check).collect()
}

/// The violations; nothing is said of them where nothing was judged.
pub(super) fn violations(observed: &Observed<'_>) -> ViolationsSummary {
    let violations = &observed.outcome.violations;
    let by_rule = Rule::ALL.into_iter().map(|rule| (rule.name(), violations.of(rule)));
    ViolationsSummary {
        total: Some(violations.total()).filter(|total| *total > 0 || has_judged_ticks(observed)),
        by_rule: by_rule.filter(|(_, count)| *count > 0).collect(),
        evidence: violations.kept().to_vec(),
    }
}

/// Whether there was anything to judge.
fn has_judged_ticks(observed: &Observed<'_>) -> bool {
    observed.run.streams.wire == Wire::Tickfan && observed.outcome.measures.ticks > 0
}

/// Why nothing is judged by a rule; `None` if something is.
fn why_not(rule: Rule, observed: &Observed<'_>, gateway: Option<&GatewaySummary>) -> Option<&'static str> {
    let run = observed.run;
    let measures = &observed.outcome.measures;
    let unless = |is_judged: bool, why| (!is_judged).then_some(why);
    if run.streams.wire != Wire::Tickfan {
        return Some(OTHER_SERVER);
    }
    if measures.ticks == 0 && rule != Rule::Malformed {
        return Some("no tick was read");
    }
    match rule {
        Rule::Malformed | Rule::Order => None,
        Rule::Conflict | Rule::Old => unless(measures.compared > 0, "it needs two streams that read the same ticks"),
        Rule::StaleAsLive if run.outages.is_empty() => Some("the run made no outage"),
        Rule::StaleAsLive => unless(
            measures.in_outage > 0,
            "the run made no outage that streams were open in for long enough, with ticks read before",
        ),
        Rule::Holes if run.venue.is_none() => Some("the load goes on, so counts of two moments cannot be compared"),
        Rule::Holes if run.cluster.is_some() => Some("the counters of a cluster's gateways end with their processes"),
        Rule::Holes => {
            let has_counts = gateway.is_some_and(|gateway| !gateway.missed.is_empty());
            unless(has_counts, "the gateway's counters are not known; --admin gives them")
        }
        Rule::LastState if run.venue.is_none() => Some("only the venue knows it, which `run` starts"),
        Rule::LastState => unless(measures.last_states > 0, "at the end not one stream was open that reads"),
        Rule::NotSent => unless(
            run.streams.history.is_some(),
            "it needs a gateway that reads from this venue alone, and generated trades",
        ),
    }
}
