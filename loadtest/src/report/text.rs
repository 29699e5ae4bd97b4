//! The report for a terminal.

use super::{Summary, ViolationsSummary, number, size, time};
use crate::measure::Percentiles;
use std::fmt::Write as _;

/// The report, in lines.
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write(summary, &mut out);
    out
}

fn write(of: &Summary, out: &mut String) -> std::fmt::Result {
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
        "  read        {} ticks, {}; {} ticks/s and {}/s over {:.1} s",
        number(streams.ticks),
        size(streams.bytes as f64),
        number(of.ticks_per_second as u64),
        size(of.bytes_per_second),
        of.seconds_measured
    )?;
    line(out, "connect", of.connect)?;
    line(out, "answer", of.answer)?;
    line(out, "first tick", of.first_tick)?;
    line(out, "latency", of.latency)?;
    line(out, "age", of.age)?;
    if let Some((stream, symbol)) = of.age_spread.zip(of.symbol_age_spread) {
        writeln!(
            out,
            "  evenness    the worst stream's mean age is {stream:.2} times that of all, a symbol's {symbol:.2} times"
        )?;
    }
    if of.slow_age.is_some() {
        line(out, "age, slow", of.slow_age)?;
    }
    if let Some(micros) = of.recovery {
        writeln!(out, "  recovery    all had all {} after the load's end", time(micros as f64))?;
    }
    write_gateway(of, out)?;
    if let Some(venue) = of.venue {
        let latest = time(venue.latest as f64);
        let updates = number(venue.updates);
        // What was on its way has come by now.
        let taken = match venue.taken {
            taken if taken == venue.updates => String::new(),
            taken => format!(
                "; {} were taken, {}/s while all streams were there",
                number(taken),
                number(venue.taken_per_second as u64)
            ),
        };
        writeln!(out, "  venue       {updates} updates, at most {latest} behind its schedule{taken}")?;
    }
    writeln!(
        out,
        "  generator   {:.0} % of a core on average, {:.0} % at most",
        of.generator.thread_cpu * 100.0,
        of.generator.thread_cpu_max * 100.0
    )?;
    for warning in &of.warnings {
        writeln!(out, "  warning     {warning}")?;
    }
    violations(out, "violations", &of.violations)?;
    for crossed in &of.crossed {
        writeln!(out, "  CROSSED     {}: {}, but {} is allowed", crossed.measure, crossed.was, crossed.allowed)?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, percentiles: Option<Percentiles>) -> std::fmt::Result {
    let Some(of) = percentiles else { return writeln!(out, "  {name:<11} not measured") };
    let [p50, p90, p99, p999, max] = [of.p50, of.p90, of.p99, of.p999, of.max].map(|micros| time(micros as f64));
    writeln!(out, "  {name:<11} p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max}")
}

fn violations(out: &mut String, name: &str, of: &ViolationsSummary) -> std::fmt::Result {
    writeln!(out, "  {name:<11} {}", number(of.total))?;
    of.evidence.iter().try_for_each(|evidence| {
        let stream = evidence.stream.map_or(String::new(), |stream| format!("stream {stream}: "));
        writeln!(out, "    {}: {stream}{}", evidence.rule.name(), evidence.what)
    })
}

fn write_gateway(of: &Summary, out: &mut String) -> std::fmt::Result {
    let Some(gateway) = &of.gateway else { return writeln!(out, "  gateway     not measured: give --pid or --admin") };
    let cpu = gateway.cpu_cores.map_or("processor not measured".to_owned(), |cores| format!("{cores:.2} cores"));
    let per_tick = |micros: Option<f64>| micros.map_or("not measured".to_owned(), time) + " per tick";
    let own = per_tick(gateway.cpu_micros_per_tick);
    let per_update =
        gateway.cpu_micros_per_update.map_or(String::new(), |micros| format!(", {} per update", time(micros)));
    let memory = gateway.memory_max.map_or(String::new(), |bytes| format!(", {} at most", size(bytes as f64)));
    let each = gateway.memory_per_stream.map_or(String::new(), |bytes| format!(", {} per stream", size(bytes as f64)));
    writeln!(out, "  gateway     {cpu}, {own}{per_update}{memory}{each}")?;
    let listed = |counts: &std::collections::BTreeMap<String, u64>| {
        let all: Vec<String> = counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| format!("{name} {}", number(*count)))
            .collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    };
    writeln!(out, "  missed      {}; {} by the holes in seq", listed(&gateway.missed), number(of.streams.holes))?;
    writeln!(out, "  closed      {}", listed(&gateway.closed))?;
    if let Some(floor) = &of.floor {
        let ratio = of.cpu_to_floor.map_or(String::new(), |ratio| format!(": the gateway's is {ratio:.2} times that"));
        writeln!(out, "  floor       {} ticks, {}{ratio}", number(floor.ticks), per_tick(floor.cpu_micros_per_tick))?;
        line(out, "its latency", floor.latency)?;
        if !floor.is_sound() {
            writeln!(out, "  UNSOUND     the bare loop: {} streams failed, {} lost", floor.failed, floor.lost)?;
            violations(out, "its faults", &floor.violations)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FloorSummary, GatewaySummary, VenueSummary};

    #[test]
    fn what_a_server_took_of_the_venue_is_told_where_it_is_not_all() {
        let with = |taken, taken_per_second| {
            let venue = VenueSummary { updates: 5_000, taken, taken_per_second, lost: 1, latest: 7 };
            text(&Summary { venue: Some(venue), ..Summary::default() })
        };
        let line = "  venue       5,000 updates, at most 7.0 µs behind its schedule";
        assert!(with(5_000, 500.0).contains(&format!("{line}\n")));
        let taken = "4,000 were taken, 410/s while all streams were there";
        assert!(with(4_000, 410.5).contains(&format!("{line}; {taken}\n")));
    }

    #[test]
    fn a_bare_loop_that_lost_streams_or_broke_a_rule_is_told_and_not_kept() {
        let with =
            |floor| Summary { floor: Some(floor), gateway: Some(GatewaySummary::default()), ..Summary::default() };
        assert!(with(FloorSummary::default()).is_kept());
        let broken = ViolationsSummary { total: 3, ..ViolationsSummary::default() };
        for (floor, told) in [
            (
                FloorSummary { lost: 2, ..FloorSummary::default() },
                "UNSOUND     the bare loop: 0 streams failed, 2 lost",
            ),
            (FloorSummary { violations: broken, ..FloorSummary::default() }, "its faults  3"),
        ] {
            let summary = with(floor);
            assert!(!summary.is_kept() && text(&summary).contains(told), "{}", text(&summary));
        }
    }
}
