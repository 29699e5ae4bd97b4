//! The summary of a run, from its observations.

use super::{clocks, judged, limits, marks, observed::Observed};
use crate::{
    check::Rule,
    measure::{Asked, Counters, Ended, Histogram, Machine, Percentiles, micros_per, unix_micros},
    report::{
        ClusterSummary, ConnectionsSummary, GatewaySummary, GeneratorSummary, GroupSummary, Outcome as RunOutcome,
        StreamsSummary, Summary, Units, VenueSummary,
    },
    streams::{Group, Outcome, Reads, Stayed, Wire},
};
use std::collections::{BTreeMap, HashMap};

/// The least streams among which the growth of memory can be divided.
const STREAMS_MIN: u64 = 100;

/// Summarises a run, with these warnings and those that follow from the observations.
pub(super) fn assess(mut observed: Observed<'_>, warnings: &mut Vec<String>) -> Summary {
    let seconds = observed.seconds();
    let gateway = gateway(&observed);
    check_missed(&mut observed, gateway.as_ref(), warnings);
    let generator = generator(&observed);
    let venue = venue(&observed);
    warnings.extend(limits::warnings(&observed, generator, venue));
    let clocks = clocks::clocks(&observed);
    warnings.extend([&clocks.age, &clocks.latency].into_iter().flatten().cloned());
    let measures = &observed.outcome.measures;
    // With times in whole milliseconds a latency below that would be a guess. Our own venue's times are exact.
    let has_exact_times = observed.run.venue.is_some() || measures.exact_times > 0;
    if !has_exact_times && measures.latency.percentiles(Asked::default()).is_some() {
        warnings.push("latency is not measured, since the venue's times are in whole milliseconds".to_owned());
    }
    let asked = observed.run.streams.percentiles;
    let percentiles = |of: &Histogram| of.percentiles(asked);
    let latency = measures.latency_by_target.iter().map(percentiles).collect();
    let marks = marks::marks(&observed);
    let mut summary = Summary {
        name: observed.run.name.to_owned(),
        about: observed.run.about.to_owned(),
        provenance: None,
        outcome: RunOutcome::default(),
        is_other_server: observed.run.streams.wire != Wire::Tickfan,
        began: observed.began,
        seconds_measured: seconds,
        stopped: observed.is_stopped,
        streams: streams(&observed, has_exact_times),
        ticks_measured: observed.end.ticks - observed.start.ticks,
        bytes_measured: observed.end.bytes - observed.start.bytes,
        ticks_per_second: per_second(observed.start.ticks, observed.end.ticks, seconds),
        bytes_per_second: per_second(observed.start.bytes, observed.end.bytes, seconds),
        connections: connections(&observed.outcome),
        dictionary: observed.outcome.dictionary.clone(),
        connect: percentiles(&measures.connect),
        handshake: percentiles(&measures.handshake),
        answer: percentiles(&measures.answer),
        first_tick: percentiles(&measures.first_tick),
        latency: percentiles(&measures.latency).filter(|_| has_exact_times),
        latency_curve: if has_exact_times { measures.latency.curve() } else { Vec::new() },
        age: percentiles(&measures.age),
        age_spread: measures.age_spread,
        symbol_age_spread: measures.symbol_age_spread,
        slow_age: percentiles(&measures.slow_age),
        live_gap: percentiles(&measures.live_gap),
        clocks,
        recovery: observed.recovery,
        checks: judged::checks(&observed, gateway.as_ref()),
        violations: judged::violations(&observed),
        gateway,
        generator,
        venue,
        cluster: observed.cluster.map(|cluster| ClusterSummary { latency, ..cluster }),
        floor: None,
        cpu_to_floor: None,
        warnings: std::mem::take(warnings),
        thresholds: Vec::new(),
        crossed: Vec::new(),
        kept: Vec::new(),
        units: Units::default(),
        marks,
        timeline: observed.outcome.seconds,
        samples: observed.samples,
    };
    summary.apply_thresholds(observed.run.thresholds);
    summary
}

/// Compares the ticks that the gateway says it left out with the holes that the streams saw.
fn check_missed(observed: &mut Observed<'_>, gateway: Option<&GatewaySummary>, warnings: &mut Vec<String>) {
    // A load that goes on moves both counts between the two reads, so only an ended load can be compared.
    // The counters of a cluster's gateways end with their processes.
    let has_counters = observed.run.venue.is_some() && observed.run.cluster.is_none();
    if !has_counters || observed.run.streams.wire != Wire::Tickfan {
        return;
    }
    match gateway.filter(|gateway| !gateway.missed.is_empty()) {
        Some(gateway) => check_holes(&mut observed.outcome, gateway.missed.values().sum()),
        None => warnings.push("the gateway does not report missed ticks, so holes are not checked".to_owned()),
    }
    check_holes_of_stayed(&mut observed.outcome, &observed.missed.take().unwrap_or_default());
}

fn per_second(from: u64, to: u64, seconds: f64) -> f64 {
    (to - from) as f64 / seconds.max(f64::MIN_POSITIVE)
}

fn venue(observed: &Observed<'_>) -> Option<VenueSummary> {
    let sent = observed.run.venue?.sent();
    Some(VenueSummary {
        updates: sent.updates,
        taken: sent.taken,
        taken_per_second: per_second(observed.start.taken, observed.end.taken, observed.seconds()),
        lost: sent.lost,
        dropped: sent.dropped,
        late: observed.run.venue?.late().load.percentiles(observed.run.streams.percentiles),
        latest: u64::try_from(sent.latest.as_micros()).unwrap_or(u64::MAX),
        subscriptions: sent.subscriptions,
        connections_max: sent.connections_max,
    })
}

fn streams(observed: &Observed<'_>, has_exact_times: bool) -> StreamsSummary {
    let measures = &observed.outcome.measures;
    let groups: Vec<GroupSummary> = observed
        .run
        .streams
        .groups
        .iter()
        .enumerate()
        .map(|(index, settings)| GroupSummary {
            latency: latency_of_group(observed, index).filter(|_| has_exact_times),
            latency_curve: curve_of_group(observed, index).filter(|_| has_exact_times).unwrap_or_default(),
            ..group(observed, settings, index)
        })
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
        holes: (observed.run.streams.wire == Wire::Tickfan).then_some(measures.holes),
        holes_of_whole: measures.holes_of_whole,
        groups,
        refusal: observed.outcome.refusal.clone(),
    }
}

fn latency_of_group(observed: &Observed<'_>, index: usize) -> Option<Percentiles> {
    let measures = &observed.outcome.measures;
    let latency = measures.groups.get(index).map_or(&measures.latency, |group| &group.latency);
    latency.percentiles(observed.run.streams.percentiles)
}

/// The percentile curve of a group's latency, where there are several groups.
fn curve_of_group(observed: &Observed<'_>, index: usize) -> Option<Vec<(f64, f64)>> {
    let group = observed.outcome.measures.groups.get(index)?;
    group.latency.percentiles(Asked::default()).map(|_| group.latency.curve())
}

fn group(observed: &Observed<'_>, group: &Group, index: usize) -> GroupSummary {
    let measures = &observed.outcome.measures;
    let ended = measures.ended.get(index).cloned().unwrap_or_default();
    // With one group the whole is measured once.
    let own = measures.groups.get(index);
    let percentiles = |of: &Histogram| of.percentiles(observed.run.streams.percentiles);
    let is_lost = |how: Ended| how.is_lost() && !group.reads.may_be_closed();
    let lost = ended.iter().filter(|(how, _)| is_lost(**how)).map(|(_, count)| count).sum();
    GroupSummary {
        name: group.name.clone(),
        protocol: group.protocol.to_string(),
        streams_per_connection: group.streams_per_connection,
        asked: u64::from(group.count),
        opened: own.map_or(measures.opened, |own| own.opened),
        ticks: own.map_or(measures.ticks, |own| own.ticks),
        holes: own.map_or(measures.holes, |own| own.holes),
        bytes: own.map_or(measures.bytes, |own| own.bytes),
        answer: percentiles(own.map_or(&measures.answer, |own| &own.answer)),
        first_tick: percentiles(own.map_or(&measures.first_tick, |own| &own.first_tick)),
        latency: None,
        latency_curve: Vec::new(),
        age: percentiles(match own {
            Some(own) => &own.age,
            None if group.reads == Reads::AtOnce => &measures.age,
            None => &measures.slow_age,
        }),
        lost,
        ended,
    }
}

fn connections(outcome: &Outcome) -> Vec<ConnectionsSummary> {
    let spoken = outcome.connections.iter().map(|((protocol, tls), count)| ConnectionsSummary {
        protocol: protocol.to_string(),
        tls: tls.clone(),
        count: *count,
    });
    spoken.collect()
}

fn gateway(observed: &Observed<'_>) -> Option<GatewaySummary> {
    let server = &observed.run.server;
    if server.admin.is_none() && server.process.is_none() {
        return None;
    }
    let Observed { start, end, .. } = observed;
    let cpu = start.cpu.zip(end.cpu).map(|(start, end)| end.saturating_sub(start));
    let ticks = end.ticks - start.ticks;
    let taken = end.taken - start.taken;
    let before = observed.before;
    // Those that were open when the load began: with stages, or after they have left, others are opened later.
    let opened = start.open;
    let has_stages = observed.run.streams.groups.iter().any(|group| !group.stages.is_empty());
    let opening = start.cpu.zip(before).map(|(start, before)| start.saturating_sub(before.cpu));
    let grown = start.memory.zip(before).map(|(open, before)| open.saturating_sub(before.memory_bytes));
    let memory_max = observed.samples.iter().filter_map(|sample| sample.gateway_memory).max();
    let counters = observed.counters.as_ref();
    let build = counters.map(|(_, after)| after.build()).unwrap_or_default();
    Some(GatewaySummary {
        version: build.version,
        commit: build.commit,
        cpu_cores: cpu.map(|cpu| cpu.as_secs_f64() / observed.seconds()),
        cpu_micros_per_tick: cpu.and_then(|cpu| micros_per(cpu, ticks)),
        cpu_micros_per_update: cpu.and_then(|cpu| micros_per(cpu, taken)),
        cpu_micros_per_connect: opening.filter(|_| !has_stages).and_then(|cpu| micros_per(cpu, opened)),
        // Of a few streams it would be the growth of the server's own start.
        memory_per_stream: grown.filter(|_| !has_stages && opened >= STREAMS_MIN).map(|bytes| bytes / opened),
        memory_max,
        memory_growth: memory_max.zip(memory_of_first_third(observed)).map(|(max, third)| max.saturating_sub(third)),
        ticks_sent: counters.and_then(|counters| increase(counters, "tickfan_stream_ticks_sent_total")),
        missed: counters
            .map(|counters| increase_by_label(counters, "tickfan_stream_ticks_missed_total"))
            .unwrap_or_default(),
        closed: counters
            .map(|counters| increase_by_label(counters, "tickfan_streams_closed_total"))
            .unwrap_or_default(),
    })
}

/// How much a counter has grown.
fn increase((before, after): &(Counters, Counters), name: &str) -> Option<u64> {
    Some((after.sum(name, "")? - before.sum(name, "").unwrap_or(0.0)) as u64)
}

/// How much a counter has grown, by the value of its one label.
fn increase_by_label((before, after): &(Counters, Counters), name: &str) -> BTreeMap<String, u64> {
    let before: BTreeMap<String, u64> = before.by_label(name).into_iter().collect();
    let mut increases = BTreeMap::new();
    for (label, count) in after.by_label(name) {
        let increase = count.saturating_sub(before.get(&label).copied().unwrap_or(0));
        increases.insert(label, increase);
    }
    increases
}

/// The most memory in the first third of the load, which is the warm-up.
fn memory_of_first_third(observed: &Observed<'_>) -> Option<u64> {
    let load_begin = (observed.start.at - observed.begun).as_secs_f64();
    let end = load_begin + observed.seconds() / 3.0;
    let in_time = observed.samples.iter().take_while(|sample| sample.at <= end);
    in_time.filter_map(|sample| sample.gateway_memory).max()
}

/// Checks that the streams' holes are the gateway's missed ticks. Streams that ended with unread bytes have not seen
/// all their holes, so then the streams may count fewer.
fn check_holes(outcome: &mut Outcome, missed: u64) {
    let holes = outcome.measures.holes;
    let is_right = if outcome.is_complete { holes == missed } else { holes <= missed };
    if !is_right {
        let what = format!("the streams count {holes} missed ticks, the gateway {missed}");
        outcome.violations.note(Rule::Holes, None, unix_micros(), what, b"");
    }
}

/// Checks the holes of each stream that stayed and that the gateway reports.
fn check_holes_of_stayed(outcome: &mut Outcome, missed: &HashMap<String, u64>) {
    for Stayed { stream, name, holes } in &outcome.stayed {
        if let Some(missed) = missed.get(&**name).filter(|missed| *missed != holes) {
            let what = format!("it counts {holes} missed ticks, the gateway {missed} for its stream {name}");
            outcome.violations.note(Rule::Holes, Some(*stream), unix_micros(), what, b"");
        }
    }
}

fn generator(observed: &Observed<'_>) -> GeneratorSummary {
    let seconds = observed.outcome.seconds.iter().filter(|second| observed.is_of_load(second));
    let thread = seconds.map(|second| second.own_cpu);
    let Outcome { late, connects_late, connects_per_second, thread_cpu, late_turns, .. } = &observed.outcome;
    let percentiles = |of: &Histogram| of.percentiles(observed.run.streams.percentiles);
    let comes_and_goes = |group: &Group| group.churn > 0.0 || !group.stages.is_empty();
    let connects_in_load = observed.run.streams.groups.iter().any(comes_and_goes);
    let mut late_connects = connects_late.opening.clone();
    late_connects.add(&connects_late.load);
    GeneratorSummary {
        thread_cpu_max: thread.fold(0.0, f64::max),
        thread_cpu: thread_cpu.unwrap_or(0.0),
        late: percentiles(&late.load),
        late_opening: percentiles(&late.opening),
        late_connects: percentiles(&late_connects),
        connects_in_load,
        connects_per_second: *connects_per_second,
        late_turns: *late_turns,
        machine_busy: observed
            .start
            .machine
            .zip(observed.end.machine)
            .and_then(|(start, end)| Machine::share(start, end)),
    }
}
