//! What a run has shown, out of all that was observed.

use super::{Moment, Run};
use crate::{
    check::{Rule, Violations},
    measure::{Counters, Ended, micros_per, unix_micros},
    report::{
        FloorSummary, GatewaySummary, GeneratorSummary, GroupSummary, Sample, StreamsSummary, Summary, VenueSummary,
        ViolationsSummary,
    },
    streams::{Group, Outcome, Reads, Stayed, Wire},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// From this share of a core on, the streams' thread is what limits.
const THREAD_BUSY: f64 = 0.9;
/// From this share on, the whole machine is.
const MACHINE_BUSY: f64 = 0.95;
/// A venue that is further behind its schedule makes latencies of its own.
const SCHEDULE_LATE: Duration = Duration::from_millis(20);

/// All that was observed of a run.
pub(super) struct Observed<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) is_stopped: bool,
    /// From the load's end to the last tick, in µs.
    pub(super) recovery: Option<u64>,
    pub(super) began: i64,
    pub(super) begun: Instant,
    /// The gateway's memory before any stream was there.
    pub(super) before: Option<u64>,
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) outcome: Outcome,
    pub(super) samples: Vec<Sample>,
    /// What the gateway had counted before and after.
    pub(super) counters: Option<(Counters, Counters)>,
    /// What the gateway has left out of each stream, by its own name of it.
    pub(super) missed: Option<HashMap<String, u64>>,
}

pub(super) fn assess(mut observed: Observed<'_>, warnings: &mut Vec<String>) -> Summary {
    let seconds = (observed.end.at - observed.start.at).as_secs_f64();
    let gateway = gateway(&observed);
    // Where the load goes on, both counts do, and are never of the same moment.
    if observed.run.venue.is_some() && observed.run.streams.wire == Wire::Tickfan {
        match gateway.as_ref().filter(|gateway| !gateway.missed.is_empty()) {
            Some(gateway) => judge_holes(&mut observed.outcome, gateway.missed.values().sum()),
            None => {
                warnings.push("the gateway does not tell how many ticks it missed: holes are not judged".to_owned())
            }
        }
        judge_stayed(&mut observed.outcome, &observed.missed.take().unwrap_or_default());
    }
    let generator = generator(&observed);
    let per_second = |from: u64, to: u64| (to - from) as f64 / seconds.max(f64::MIN_POSITIVE);
    let venue = observed.run.venue.map(|venue| venue.sent()).map(|sent| VenueSummary {
        updates: sent.updates,
        taken: sent.taken,
        taken_per_second: per_second(observed.start.taken, observed.end.taken),
        lost: sent.lost,
        latest: u64::try_from(sent.latest.as_micros()).unwrap_or(u64::MAX),
    });
    warnings.extend(limits(&observed, generator, venue));
    let measures = &observed.outcome.measures;
    // Times in whole milliseconds say nothing of what lies below: such a latency would be a guess. Our own venue's are exact.
    let has_exact_times = observed.run.venue.is_some() || measures.exact_times > 0;
    if !has_exact_times && measures.latency.percentiles().is_some() {
        warnings.push("the venue's times are whole milliseconds: latency is not measured".to_owned());
    }
    let mut summary = Summary {
        name: observed.run.name.to_owned(),
        about: observed.run.about.to_owned(),
        began: observed.began,
        seconds_measured: seconds,
        stopped: observed.is_stopped,
        streams: streams(&observed),
        ticks_per_second: per_second(observed.start.ticks, observed.end.ticks),
        bytes_per_second: per_second(observed.start.bytes, observed.end.bytes),
        connect: measures.connect.percentiles(),
        answer: measures.answer.percentiles(),
        first_tick: measures.first_tick.percentiles(),
        latency: measures.latency.percentiles().filter(|_| has_exact_times),
        latency_curve: if has_exact_times { measures.latency.curve() } else { Vec::new() },
        age: measures.age.percentiles(),
        age_spread: measures.age_spread,
        symbol_age_spread: measures.symbol_age_spread,
        slow_age: measures.slow_age.percentiles(),
        recovery: observed.recovery,
        violations: told(&observed.outcome.violations),
        gateway,
        generator,
        venue,
        floor: None,
        cpu_to_floor: None,
        warnings: std::mem::take(warnings),
        crossed: Vec::new(),
        kept: Vec::new(),
        timeline: observed.outcome.seconds,
        samples: observed.samples,
    };
    summary.judge(observed.run.thresholds);
    summary
}

impl Summary {
    /// Compares it with thresholds.
    pub fn judge(&mut self, thresholds: &[crate::scenario::Threshold]) {
        self.crossed = thresholds.iter().filter_map(|threshold| threshold.crossed(self)).collect();
        let is_crossed = |name: &str| self.crossed.iter().any(|crossed| crossed.measure == name);
        self.kept = thresholds.iter().map(|threshold| threshold.name()).filter(|name| !is_crossed(name)).collect();
    }

    /// Whether nothing was broken, by the bare loop neither, and no threshold crossed.
    pub fn is_kept(&self) -> bool {
        self.violations.total == 0 && self.crossed.is_empty() && self.floor.as_ref().is_none_or(FloorSummary::is_sound)
    }
}

fn streams(observed: &Observed<'_>) -> StreamsSummary {
    let measures = &observed.outcome.measures;
    let groups: Vec<GroupSummary> = observed
        .run
        .streams
        .groups
        .iter()
        .enumerate()
        .map(|(place, of)| group(of, measures.ended.get(place)))
        .collect();
    let failed = groups.iter().flat_map(|group| &group.ended).filter(|(how, _)| how.has_failed());
    StreamsSummary {
        asked: groups.iter().map(|group| group.asked).sum(),
        opened: measures.opened,
        resumed: measures.resumed,
        failed: failed.map(|(_, count)| count).sum(),
        lost: groups.iter().map(|group| group.lost).sum(),
        ticks: measures.ticks,
        named: measures.named,
        bytes: measures.bytes,
        holes: measures.holes,
        groups,
        refusal: observed.outcome.refusal.clone(),
    }
}

fn group(of: &Group, ended: Option<&BTreeMap<Ended, u64>>) -> GroupSummary {
    let ended = ended.cloned().unwrap_or_default();
    let lost = ended.iter().filter(|(how, _)| how.is_lost() && of.reads != Reads::Never).map(|(_, count)| count).sum();
    GroupSummary { name: of.name.clone(), asked: u64::from(of.count), lost, ended }
}

fn told(violations: &Violations) -> ViolationsSummary {
    let by_rule = Rule::ALL.into_iter().map(|rule| (rule.name(), violations.of(rule)));
    ViolationsSummary {
        total: violations.total(),
        by_rule: by_rule.filter(|(_, count)| *count > 0).collect(),
        evidence: violations.kept().to_vec(),
    }
}

fn gateway(observed: &Observed<'_>) -> Option<GatewaySummary> {
    let server = &observed.run.server;
    if server.admin.is_none() && server.process.is_none() {
        return None;
    }
    let cpu = observed.start.cpu.zip(observed.end.cpu).map(|(start, end)| end.saturating_sub(start));
    let seconds = (observed.end.at - observed.start.at).as_secs_f64();
    let ticks = observed.end.ticks - observed.start.ticks;
    let taken = observed.end.taken - observed.start.taken;
    let memory = |sample: &Sample| sample.gateway_memory;
    let memory_max = observed.samples.iter().filter_map(memory).max();
    let load_begin = (observed.start.at - observed.begun).as_secs_f64();
    let at_third = third(&observed.samples, load_begin, seconds);
    let difference = |name: &str| {
        let (before, after) = observed.counters.as_ref()?;
        Some((after.sum(name, "")? - before.sum(name, "").unwrap_or(0.0)) as u64)
    };
    let by_label = |name: &str| {
        let Some((before, after)) = &observed.counters else { return Default::default() };
        let before: BTreeMap<_, _> = before.by_label(name).into_iter().collect();
        let since = |(label, count): (String, u64)| {
            let count = count - before.get(&label).copied().unwrap_or(0).min(count);
            (label, count)
        };
        after.by_label(name).into_iter().map(since).collect()
    };
    Some(GatewaySummary {
        cpu_cores: cpu.map(|cpu| cpu.as_secs_f64() / seconds),
        cpu_micros_per_tick: cpu.and_then(|cpu| micros_per(cpu, ticks)),
        cpu_micros_per_update: cpu.and_then(|cpu| micros_per(cpu, taken)),
        memory_per_stream: observed
            .start
            .memory
            .zip(observed.before)
            .map(|(open, before)| open.saturating_sub(before) / observed.outcome.measures.opened.max(1)),
        memory_max,
        memory_growth: memory_max.zip(at_third).map(|(max, third)| max.saturating_sub(third)),
        ticks_sent: difference("tickfan_stream_ticks_sent_total"),
        missed: by_label("tickfan_stream_ticks_missed_total"),
        closed: by_label("tickfan_streams_closed_total"),
    })
}

/// The most memory of the first third of the load, which warms up.
fn third(samples: &[Sample], load_begin: f64, seconds: f64) -> Option<u64> {
    let end = load_begin + seconds / 3.0;
    samples.iter().take_while(|sample| sample.at <= end).filter_map(|sample| sample.gateway_memory).max()
}

/// Holes must be what the gateway says that it left out. Of streams that ended before they had read all, some holes
/// were never observed.
fn judge_holes(outcome: &mut Outcome, missed: u64) {
    let holes = outcome.measures.holes;
    let is_right = if outcome.is_complete { holes == missed } else { holes <= missed };
    if !is_right {
        let what = format!("the streams see {holes} ticks left out, the gateway says {missed}");
        outcome.violations.note(Rule::Holes, None, unix_micros(), what, b"");
    }
}

/// Of each stream that stayed, and of which the gateway tells, they are exactly that.
fn judge_stayed(outcome: &mut Outcome, missed: &HashMap<String, u64>) {
    for Stayed { stream, name, holes } in &outcome.stayed {
        if let Some(missed) = missed.get(&**name).filter(|missed| *missed != holes) {
            let what = format!("it sees {holes} ticks left out, the gateway says {missed} of its stream {name}");
            outcome.violations.note(Rule::Holes, Some(*stream), unix_micros(), what, b"");
        }
    }
}

fn generator(observed: &Observed<'_>) -> GeneratorSummary {
    let seconds = &observed.outcome.seconds;
    let busy: Vec<f64> = observed.samples.iter().filter_map(|sample| sample.machine_busy).collect();
    let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count.max(1) as f64;
    GeneratorSummary {
        thread_cpu_max: seconds.iter().map(|second| second.own_cpu).fold(0.0, f64::max),
        thread_cpu: mean(&mut seconds.iter().map(|second| second.own_cpu), seconds.len()),
        late_turns: observed.outcome.late_turns,
        machine_busy: (!busy.is_empty()).then(|| mean(&mut busy.iter().copied(), busy.len())),
    }
}

fn limits(observed: &Observed<'_>, generator: GeneratorSummary, venue: Option<VenueSummary>) -> Vec<String> {
    let mut warnings = Vec::new();
    let busy = observed.outcome.seconds.iter().filter(|second| second.own_cpu >= THREAD_BUSY).count();
    if busy > 0 {
        warnings.push(format!(
            "the load tester itself is the limit: in {busy} of {} seconds its thread used {:.0} % of a core and more",
            observed.outcome.seconds.len(),
            THREAD_BUSY * 100.0
        ));
    }
    if observed.outcome.late_turns > 0 {
        warnings.push(format!(
            "the load tester was behind in {} turns: what it read then came late by its own fault",
            observed.outcome.late_turns
        ));
    }
    if generator.machine_busy.is_some_and(|busy| busy >= MACHINE_BUSY) {
        warnings.push("all processors are busy: gateway and load tester take them from each other".to_owned());
    }
    if let Some(venue) = venue {
        if u128::from(venue.latest) > SCHEDULE_LATE.as_micros() {
            let latest = crate::report::time(venue.latest as f64);
            warnings.push(format!("the venue was up to {latest} behind its schedule, which latency contains"));
        }
        if venue.lost > 0 {
            warnings.push(format!("the gateway did not take {} batches of updates from the venue in time", venue.lost));
        }
    }
    warnings
}
