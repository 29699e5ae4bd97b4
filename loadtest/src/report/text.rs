//! The report for a terminal.

use super::{
    BusSummary, ClusterSummary, ConnectionsSummary as Connections, GroupSummary, Summary, ViolationsSummary, Whole,
    number, size, time,
};
use crate::{
    measure::Percentiles,
    scenario::{Judged, Verdict},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// The report as lines.
pub fn text(summary: &Summary, scenario: Whole) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(summary, scenario, &mut out);
    out
}

fn write(of: &Summary, scenario: Whole, out: &mut String) -> std::fmt::Result {
    write_streams(of, out)?;
    write_times(of, out)?;
    if of.cluster.is_none() {
        write_gateway(of, out)?;
    }
    write_venue(of, out)?;
    write_generator(of, out)?;
    for warning in &of.warnings {
        writeln!(out, "  warning     {warning}")?;
    }
    write_verdict(of, out)?;
    of.provenance.as_ref().map_or(Ok(()), |provenance| provenance.write(out, scenario))
}

fn write_streams(of: &Summary, out: &mut String) -> std::fmt::Result {
    let streams = &of.streams;
    writeln!(out, "{}: {}", of.name, of.about)?;
    writeln!(
        out,
        "  streams     {} opened of {}, {} failed, {} lost, {} resumed",
        number(streams.opened),
        number(streams.asked),
        number(streams.failed),
        number(streams.lost),
        number(streams.resumed)
    )?;
    writeln!(
        out,
        "  read        {} ticks, {} ({} bytes a tick), of which {} and {} in the {:.3} s of the load: {} ticks/s and {}/s",
        number(streams.ticks),
        size(streams.bytes as f64),
        number(streams.bytes / streams.ticks.max(1)),
        number(of.ticks_measured),
        size(of.bytes_measured as f64),
        of.seconds_measured,
        number(of.ticks_per_second as u64),
        size(of.bytes_per_second)
    )?;
    for Connections { protocol, tls, count } in &of.connections {
        let tls = tls.as_ref().map_or("without TLS".to_owned(), |tls| format!("over {tls}"));
        writeln!(out, "  protocol    {protocol} {tls}: {} connections", number(*count))?;
    }
    if let Some(dictionary) = &of.dictionary {
        writeln!(out, "  dictionary  of the compressed streams: SHA-256 {dictionary}")?;
    }
    Ok(())
}

/// How long everything took.
fn write_times(of: &Summary, out: &mut String) -> std::fmt::Result {
    line(out, "connect", of.connect)?;
    if of.handshake.is_some() {
        line(out, "handshake", of.handshake)?;
    }
    line(out, "answer", of.answer)?;
    line(out, "first tick", of.first_tick)?;
    line(out, "latency", of.latency)?;
    line(out, "age", of.age)?;
    if of.streams.groups.len() > 1 {
        of.streams.groups.iter().try_for_each(|group| write_group(group, out))?;
    }
    if let Some((stream, symbol)) = of.age_spread.zip(of.symbol_age_spread) {
        writeln!(
            out,
            "  evenness    mean age of the worst stream {stream:.2} times the average, of the worst symbol {symbol:.2} times"
        )?;
    }
    if let Some(cluster) = &of.cluster {
        line(out, "live gap", of.live_gap)?;
        write_cluster(cluster, out)?;
    }
    if of.slow_age.is_some() {
        line(out, "age, slow", of.slow_age)?;
    }
    if let Some(micros) = of.recovery {
        writeln!(out, "  recovery    all streams had caught up {} after the end of the load", time(micros as f64))?;
    }
    Ok(())
}

fn write_venue(of: &Summary, out: &mut String) -> std::fmt::Result {
    let Some(venue) = of.venue else { return Ok(()) };
    let latest = time(venue.latest as f64);
    let updates = number(venue.updates);
    // By now nothing is in flight.
    let taken = match venue.taken {
        taken if taken == venue.updates => String::new(),
        taken => format!(
            "; the gateway took {}, {}/s while all streams were open",
            number(taken),
            number(venue.taken_per_second as u64)
        ),
    };
    writeln!(out, "  venue       {updates} updates, at most {latest} behind its schedule{taken}")?;
    if of.cluster.is_some() {
        let (all, max) = (number(venue.subscriptions), number(venue.connections_max));
        writeln!(out, "  connected   {all} times to the venue, at most {max} at a time")?;
    }
    Ok(())
}

fn write_generator(of: &Summary, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "  generator   {:.0} % of a core on average, {:.0} % at peak",
        of.generator.thread_cpu * 100.0,
        of.generator.thread_cpu_max * 100.0
    )?;
    if let Some(late) = of.venue.and_then(|venue| venue.late) {
        line(out, "venue late", Some(late))?;
    }
    if of.generator.late.is_some() {
        line(out, "reads late", of.generator.late)?;
    }
    Ok(())
}

/// What was judged, and how.
fn write_verdict(of: &Summary, out: &mut String) -> std::fmt::Result {
    violations(out, "violations", &of.violations)?;
    for (reason, rules) in of.not_judged() {
        writeln!(out, "  not judged  {}: {reason}", rules.join(", "))?;
    }
    for Judged { measure, verdict, was, allowed, why, .. } in &of.thresholds {
        let why = why.as_deref().unwrap_or_default();
        match verdict {
            Verdict::Met => {}
            Verdict::Crossed => writeln!(out, "  CROSSED     {measure}: {was}, must be {allowed}")?,
            Verdict::Inconclusive => writeln!(out, "  INCONCLUSIVE {measure}: {was}, must be {allowed}; {why}")?,
            Verdict::NotJudged => writeln!(out, "  not judged  {measure}: {why}")?,
        }
    }
    let kept = if of.kept.is_empty() { String::new() } else { format!("; thresholds met: {}", of.kept.join(", ")) };
    writeln!(out, "  verdict     {}{kept}", of.outcome().shown())
}

fn write_group(of: &GroupSummary, out: &mut String) -> std::fmt::Result {
    let GroupSummary { name, asked, lost, opened, ticks, bytes, .. } = of;
    let [asked, lost, opened, ticks] = [asked, lost, opened, ticks].map(|count| number(*count));
    let bytes = size(*bytes as f64);
    writeln!(out, "  group       {name}: {opened} opened of {asked}, {lost} lost; {ticks} ticks, {bytes}")?;
    let times =
        [("  answer", of.answer), ("  first tick", of.first_tick), ("  latency", of.latency), ("  age", of.age)];
    for (name, percentiles) in times {
        if percentiles.is_some() {
            line(out, name, percentiles)?;
        }
    }
    Ok(())
}

fn line(out: &mut String, name: &str, percentiles: Option<Percentiles>) -> std::fmt::Result {
    let Some(of) = percentiles else { return writeln!(out, "  {name:<11} not measured") };
    let few = |percent| if of.has_few_beyond(percent) { " (few)" } else { "" };
    let all =
        of.list().into_iter().map(|(percent, micros)| format!("{percent} {}{}, ", time(micros as f64), few(percent)));
    writeln!(out, "  {name:<11} {}max {}", all.collect::<String>(), time(of.max as f64))
}

fn violations(out: &mut String, name: &str, of: &ViolationsSummary) -> std::fmt::Result {
    let total = of.total.map_or("not judged".to_owned(), number);
    writeln!(out, "  {name:<11} {total}")?;
    for evidence in &of.evidence {
        let stream = evidence.stream.map_or(String::new(), |stream| format!("stream {stream}: "));
        writeln!(out, "    {}: {stream}{}", evidence.rule.name(), evidence.what)?;
    }
    Ok(())
}

fn write_gateway(of: &Summary, out: &mut String) -> std::fmt::Result {
    let what = if of.is_other_server { "server" } else { "gateway" };
    let Some(gateway) = &of.gateway else { return writeln!(out, "  {what:<11} not measured: needs --pid or --admin") };
    let cpu = gateway.cpu_cores.map_or("CPU not measured".to_owned(), |cores| format!("{cores:.2} cores"));
    let own = per_tick(gateway.cpu_micros_per_tick);
    let per_update =
        gateway.cpu_micros_per_update.map_or(String::new(), |micros| format!(", {} per update", time(micros)));
    let memory = gateway.memory_max.map_or(String::new(), |bytes| format!(", peak {}", size(bytes as f64)));
    let each = gateway.memory_per_stream.map_or(String::new(), |bytes| format!(", {} per stream", size(bytes as f64)));
    let per_connect =
        gateway.cpu_micros_per_connect.map_or(String::new(), |micros| format!(", {} per connect", time(micros)));
    writeln!(out, "  {what:<11} {cpu}, {own}{per_update}{per_connect}{memory}{each}")?;
    if let Some(holes) = of.streams.holes {
        writeln!(out, "  missed      {}; {} by the holes in seq", listed(&gateway.missed), number(holes))?;
        writeln!(out, "  closed      {}", listed(&gateway.closed))?;
    }
    if let Some(floor) = &of.floor {
        let ratio = of.cpu_to_floor.map_or(String::new(), |ratio| format!(": the gateway needs {ratio:.2} times that"));
        writeln!(out, "  floor       {} ticks, {}{ratio}", number(floor.ticks), per_tick(floor.cpu_micros_per_tick))?;
        line(out, "its latency", floor.latency)?;
        if !floor.is_sound() {
            writeln!(out, "  UNSOUND     the bare loop: {} streams failed, {} lost", floor.failed, floor.lost)?;
            violations(out, "violations", &floor.violations)?;
        }
    }
    Ok(())
}

fn write_cluster(cluster: &ClusterSummary, out: &mut String) -> std::fmt::Result {
    let ClusterSummary { nodes, brokers, restarts, handed_over, restart_longest, .. } = cluster;
    writeln!(
        out,
        "  cluster     {nodes} gateways, brokers: {brokers}; {} restarts, {} of them of an owner that handed over, the longest in {}",
        number(*restarts),
        number(*handed_over),
        time(*restart_longest as f64)
    )?;
    for process in &cluster.processes {
        let memory = size(process.memory as f64);
        let bus = process.bus.map_or(String::new(), |bus| {
            let BusSummary { ticks_per_second, ticks_per_message, bytes_per_tick } = bus;
            let ticks = number(ticks_per_second as u64);
            format!("; publishes {ticks} ticks/s, {ticks_per_message:.1} a message, {bytes_per_tick:.1} bytes each")
        });
        let delay = process.delay.map_or(String::new(), |delay| {
            format!("; its owner's messages took p50 {}, p99 {}", time(delay.p50), time(delay.p99))
        });
        writeln!(out, "  process     {}: {:.3} cores, {memory}{bus}{delay}", process.name, process.cpu_cores)?;
    }
    if let Some(longest) = cluster.synced_longest {
        writeln!(out, "  fresh nodes had the state within {} of their owner's first message", time(longest as f64))?;
    }
    for (number, latency) in cluster.latency.iter().enumerate() {
        line(out, &format!("on gw-{}", number + 1), *latency)?;
    }
    Ok(())
}

fn per_tick(micros: Option<f64>) -> String {
    micros.map_or("not measured".to_owned(), time) + " per tick"
}

/// The counts above zero, with their names. Without any count the gateway did not tell them.
fn listed(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "not known, --admin tells it".to_owned();
    }
    let above_zero = counts.iter().filter(|(_, count)| **count > 0);
    let all: Vec<String> = above_zero.map(|(name, count)| format!("{name} {}", number(*count))).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FloorSummary, GatewaySummary, Outcome, VenueSummary};

    #[test]
    fn the_updates_that_the_gateway_took_are_reported_unless_it_took_all() {
        let with = |taken, taken_per_second| {
            let venue =
                VenueSummary { updates: 5_000, taken, taken_per_second, lost: 1, latest: 7, ..VenueSummary::default() };
            text(&Summary { venue: Some(venue), ..Summary::default() }, Whole::Yes)
        };
        let line = "  venue       5,000 updates, at most 7.0 µs behind its schedule";
        assert!(with(5_000, 500.0).contains(&format!("{line}\n")));
        let taken = "the gateway took 4,000, 410/s while all streams were open";
        assert!(with(4_000, 410.5).contains(&format!("{line}; {taken}\n")));
    }

    #[test]
    fn an_unsound_bare_loop_is_reported_and_does_not_pass() {
        let with =
            |floor| Summary { floor: Some(floor), gateway: Some(GatewaySummary::default()), ..Summary::default() };
        assert_ne!(with(FloorSummary::default()).outcome(), Outcome::Failed);
        let broken = ViolationsSummary { total: Some(3), ..ViolationsSummary::default() };
        for (floor, expected) in [
            (
                FloorSummary { lost: 2, ..FloorSummary::default() },
                "UNSOUND     the bare loop: 0 streams failed, 2 lost",
            ),
            (FloorSummary { violations: broken, ..FloorSummary::default() }, "violations  3"),
        ] {
            let summary = with(floor);
            assert!(
                summary.outcome() == Outcome::Failed && text(&summary, Whole::Yes).contains(expected),
                "{}",
                text(&summary, Whole::Yes)
            );
        }
    }
}
