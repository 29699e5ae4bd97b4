//! What a run has shown, out of all that was seen.

use super::{Moment, Run};
use crate::{
    check::{Rule, Violations},
    measure::{Counters, Ended, micros_per, unix_micros},
    report::{
        FloorTold, GatewayTold, GeneratorTold, GroupTold, Sample, StreamsTold, Summary, VenueTold, ViolationsTold,
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

/// All that was seen of a run.
pub(super) struct Seen<'a> {
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

pub(super) fn assess(mut seen: Seen<'_>, warnings: &mut Vec<String>) -> Summary {
    let seconds = (seen.end.at - seen.start.at).as_secs_f64();
    let gateway = gateway(&seen);
    // Where the load goes on, both counts do, and are never of the same moment.
    if seen.run.venue.is_some() && seen.run.streams.wire == Wire::Tickfan {
        match gateway.as_ref().filter(|gateway| !gateway.missed.is_empty()) {
            Some(gateway) => judge_holes(&mut seen.outcome, gateway.missed.values().sum()),
            None => {
                warnings.push("the gateway does not tell how many ticks it missed: holes are not judged".to_owned())
            }
        }
        judge_stayed(&mut seen.outcome, &seen.missed.take().unwrap_or_default());
    }
    let generator = generator(&seen);
    let per_second = |from: u64, to: u64| (to - from) as f64 / seconds.max(f64::MIN_POSITIVE);
    let venue = seen.run.venue.map(|venue| venue.sent()).map(|sent| VenueTold {
        updates: sent.updates,
        taken: sent.taken,
        taken_per_second: per_second(seen.start.taken, seen.end.taken),
        lost: sent.lost,
        latest: u64::try_from(sent.latest.as_micros()).unwrap_or(u64::MAX),
    });
    warnings.extend(limits(&seen, generator, venue));
    let measures = &seen.outcome.measures;
    // Times in whole milliseconds say nothing of what lies below: such a latency would be a guess. Our own venue's are exact.
    let has_exact_times = seen.run.venue.is_some() || measures.exact_times > 0;
    if !has_exact_times && measures.latency.percentiles().is_some() {
        warnings.push("the venue's times are whole milliseconds: latency is not measured".to_owned());
    }
    let mut summary = Summary {
        name: seen.run.name.to_owned(),
        about: seen.run.about.to_owned(),
        began: seen.began,
        seconds_measured: seconds,
        stopped: seen.is_stopped,
        streams: streams(&seen),
        ticks_per_second: per_second(seen.start.ticks, seen.end.ticks),
        bytes_per_second: per_second(seen.start.bytes, seen.end.bytes),
        connect: measures.connect.percentiles(),
        answer: measures.answer.percentiles(),
        first_tick: measures.first_tick.percentiles(),
        latency: measures.latency.percentiles().filter(|_| has_exact_times),
        latency_curve: if has_exact_times { measures.latency.curve() } else { Vec::new() },
        age: measures.age.percentiles(),
        age_spread: measures.age_spread,
        symbol_age_spread: measures.symbol_age_spread,
        slow_age: measures.slow_age.percentiles(),
        recovery: seen.recovery,
        violations: told(&seen.outcome.violations),
        gateway,
        generator,
        venue,
        floor: None,
        cpu_to_floor: None,
        warnings: std::mem::take(warnings),
        crossed: Vec::new(),
        kept: Vec::new(),
        timeline: seen.outcome.seconds,
        samples: seen.samples,
    };
    summary.judge(seen.run.thresholds);
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
        self.violations.total == 0 && self.crossed.is_empty() && self.floor.as_ref().is_none_or(FloorTold::is_sound)
    }
}

fn streams(seen: &Seen<'_>) -> StreamsTold {
    let measures = &seen.outcome.measures;
    let groups: Vec<GroupTold> =
        seen.run.streams.groups.iter().enumerate().map(|(place, of)| group(of, measures.ended.get(place))).collect();
    let failed = groups.iter().flat_map(|group| &group.ended).filter(|(how, _)| how.has_failed());
    StreamsTold {
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
        refusal: seen.outcome.refusal.clone(),
    }
}

fn group(of: &Group, ended: Option<&BTreeMap<Ended, u64>>) -> GroupTold {
    let ended = ended.cloned().unwrap_or_default();
    let lost = ended.iter().filter(|(how, _)| how.is_lost() && of.reads != Reads::Never).map(|(_, count)| count).sum();
    GroupTold { name: of.name.clone(), asked: u64::from(of.count), lost, ended }
}

fn told(violations: &Violations) -> ViolationsTold {
    let by_rule = Rule::ALL.into_iter().map(|rule| (rule.name(), violations.of(rule)));
    ViolationsTold {
        total: violations.total(),
        by_rule: by_rule.filter(|(_, count)| *count > 0).collect(),
        evidence: violations.kept().to_vec(),
    }
}

fn gateway(seen: &Seen<'_>) -> Option<GatewayTold> {
    let server = &seen.run.server;
    if server.admin.is_none() && server.process.is_none() {
        return None;
    }
    let cpu = seen.start.cpu.zip(seen.end.cpu).map(|(start, end)| end.saturating_sub(start));
    let seconds = (seen.end.at - seen.start.at).as_secs_f64();
    let ticks = seen.end.ticks - seen.start.ticks;
    let taken = seen.end.taken - seen.start.taken;
    let memory = |sample: &Sample| sample.gateway_memory;
    let memory_max = seen.samples.iter().filter_map(memory).max();
    let load_begin = (seen.start.at - seen.begun).as_secs_f64();
    let at_third = third(&seen.samples, load_begin, seconds);
    let difference = |name: &str| {
        let (before, after) = seen.counters.as_ref()?;
        Some((after.sum(name, "")? - before.sum(name, "").unwrap_or(0.0)) as u64)
    };
    let by_label = |name: &str| {
        let Some((before, after)) = &seen.counters else { return Default::default() };
        let before: BTreeMap<_, _> = before.by_label(name).into_iter().collect();
        let since = |(label, count): (String, u64)| {
            let count = count - before.get(&label).copied().unwrap_or(0).min(count);
            (label, count)
        };
        after.by_label(name).into_iter().map(since).collect()
    };
    Some(GatewayTold {
        cpu_cores: cpu.map(|cpu| cpu.as_secs_f64() / seconds),
        cpu_micros_per_tick: cpu.and_then(|cpu| micros_per(cpu, ticks)),
        cpu_micros_per_update: cpu.and_then(|cpu| micros_per(cpu, taken)),
        memory_per_stream: seen
            .start
            .memory
            .zip(seen.before)
            .map(|(open, before)| open.saturating_sub(before) / seen.outcome.measures.opened.max(1)),
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
/// were never seen.
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

fn generator(seen: &Seen<'_>) -> GeneratorTold {
    let seconds = &seen.outcome.seconds;
    let busy: Vec<f64> = seen.samples.iter().filter_map(|sample| sample.machine_busy).collect();
    let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count.max(1) as f64;
    GeneratorTold {
        thread_cpu_max: seconds.iter().map(|second| second.own_cpu).fold(0.0, f64::max),
        thread_cpu: mean(&mut seconds.iter().map(|second| second.own_cpu), seconds.len()),
        late_turns: seen.outcome.late_turns,
        machine_busy: (!busy.is_empty()).then(|| mean(&mut busy.iter().copied(), busy.len())),
    }
}

fn limits(seen: &Seen<'_>, generator: GeneratorTold, venue: Option<VenueTold>) -> Vec<String> {
    let mut warnings = Vec::new();
    let busy = seen.outcome.seconds.iter().filter(|second| second.own_cpu >= THREAD_BUSY).count();
    if busy > 0 {
        warnings.push(format!(
            "the load tester itself is the limit: in {busy} of {} seconds its thread used {:.0} % of a core and more",
            seen.outcome.seconds.len(),
            THREAD_BUSY * 100.0
        ));
    }
    if seen.outcome.late_turns > 0 {
        warnings.push(format!(
            "the load tester was behind in {} turns: what it read then came late by its own fault",
            seen.outcome.late_turns
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
