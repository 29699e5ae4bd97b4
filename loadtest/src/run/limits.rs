//! Warnings about limits of the load tester and the machine, which may be what a run has really measured.

use super::{clocks, observed::Observed};
use crate::{
    measure::{Ended, Second},
    report::{GeneratorSummary, VenueSummary, time},
    scenario::Span,
    streams::Wire,
    tls::ClientTls,
};
use std::time::Duration;

/// The share of a core from which on the streams' thread limits the load.
const THREAD_BUSY: f64 = 0.9;
/// The share of all processors from which on the machine limits the load.
const MACHINE_BUSY: f64 = 0.95;
/// The share of the asked rate of connects that has to be reached.
const RATE_REACHED: f64 = 0.95;
/// How far a venue may be behind its schedule before that distorts latency.
const SCHEDULE_LATE: Duration = Duration::from_millis(20);

/// The warnings of a run.
pub(super) fn warnings(
    observed: &Observed<'_>,
    generator: GeneratorSummary,
    venue: Option<VenueSummary>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let seconds: Vec<&Second> = observed.outcome.seconds.iter().filter(|second| observed.is_of_load(second)).collect();
    let busy = seconds.iter().filter(|second| second.own_cpu >= THREAD_BUSY).count();
    if busy > 0 {
        warnings.push(format!(
            "the load tester itself is the limit: in {busy} of {} seconds of the load its thread used {:.0} % of a core or more",
            seconds.len(),
            THREAD_BUSY * 100.0
        ));
    }
    if let Some((asked, reached)) = observed.run.streams.connect_rate.zip(generator.connects_per_second)
        && reached < asked * RATE_REACHED
    {
        warnings.push(format!("the streams connected at {reached:.0} per second, not at {asked:.0} as asked for"));
    }
    let unanswered: u64 = observed.outcome.measures.ended.iter().filter_map(|ended| ended.get(&Ended::Timeout)).sum();
    if unanswered > 0 {
        let limit = Span(observed.run.streams.answer_max);
        warnings.push(format!("{unanswered} streams got no answer within {limit}, or until the end"));
    }
    if observed.outcome.measures.ticks == 0 {
        warnings.push(match observed.run.streams.wire {
            Wire::Tickfan => "not one tick was read: nothing is said of what clients get".to_owned(),
            Wire::Plain { .. } => "not one event was read: nothing is said of what clients get".to_owned(),
        });
    }
    warnings.extend(clocks::step_warning(observed.clock_step));
    if observed.outcome.late_turns > 0 {
        warnings.push(format!(
            "the load tester was late in {} turns: what it read in them is late by its own fault",
            observed.outcome.late_turns
        ));
    }
    if generator.machine_busy.is_some_and(|busy| busy >= MACHINE_BUSY) {
        warnings.push("all processors are busy: gateway and load tester compete for them".to_owned());
    }
    if observed.run.streams.tls.as_ref().is_some_and(ClientTls::trusts_any) {
        warnings.push("any certificate was accepted (--insecure): the server may be another one".to_owned());
    }
    if let Some(venue) = venue {
        if u128::from(venue.latest) > SCHEDULE_LATE.as_micros() {
            let latest = time(venue.latest as f64);
            warnings.push(format!("the venue was up to {latest} behind its schedule; latency includes that"));
        }
        if venue.dropped > 0 {
            warnings.push(format!("the venue itself was too slow to write {} batches of updates", venue.dropped));
        }
        if venue.lost > 0 {
            warnings.push(format!("the gateway did not read {} batches of updates from the venue in time", venue.lost));
        }
    }
    warnings
}
