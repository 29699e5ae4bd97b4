//! Which plots a report has.

use super::{
    MarkKind, Sample, Summary,
    escaped::escaped,
    number,
    plot::{Band, Limit, Line, Plot},
    time,
};
use crate::{
    measure::{Percent, Percentiles, Second},
    scenario::Judged,
};

const MIB: f64 = 1024.0 * 1024.0;
/// The most groups whose lines can be told from each other.
const GROUPS_MAX: usize = 8;

type OfGroups = fn(&Second) -> &[Option<Percentiles>];
/// The times that are plotted by group.
const OF_GROUPS: [(&str, &str, OfGroups); 2] = [
    ("Latency p99 by group", "latency", |of| &of.latency_by_group),
    ("Age p99 by group", "age", |of| &of.age_by_group),
];

/// The plots of a report.
pub(super) fn plots(of: &Summary) -> Vec<Plot> {
    let mut plots = vec![
        over_time(
            of,
            "Latency from the venue's schedule to the read",
            time,
            percentiles(of, "latency", |of| of.latency),
        )
        .logarithmic()
        .with_limits(of, |name| is_percentile_of(name, "latency")),
    ];
    if of.streams.groups.len() > 1 {
        for (title, times, read) in OF_GROUPS {
            let groups = over_time(of, title, time, by_group(of, times, read)).logarithmic();
            let is_of = |name: &str| name.starts_with(times) && name.ends_with(']');
            plots.push(groups.with_limits(of, is_of));
        }
    }
    plots.push(by_percentile(of));
    let read = |name: &str, value: fn(&Second) -> f64| line(name, of, move |second| Some(value(second)));
    let ticks = vec![read("read", |of| of.ticks as f64), read("missed", |of| of.holes as f64)];
    plots.push(over_time(of, "Ticks per second", count, ticks).with_limits(of, |name| name == "ticks_per_second"));
    plots.push(over_time(of, "Bytes per second", mebibytes_per_second, vec![read("read", |of| of.bytes as f64 / MIB)]));
    plots.push(
        over_time(of, "Age from the gateway's receipt to the read", time, percentiles(of, "age", |of| of.age))
            .logarithmic()
            .with_limits(of, |name| is_percentile_of(name, "age")),
    );
    plots.push(over_time(of, "Open streams", count, vec![read("open", |of| of.open as f64)]));
    let cpu = vec![
        sampled("gateway", of, |of| of.gateway_cpu),
        read("streams' thread", |of| of.own_cpu),
        sampled("load tester", of, |of| Some(of.own_cpu)),
    ];
    plots.push(over_time(of, "CPU, share of one core", percent, cpu));
    let memory = vec![sampled("resident", of, |of| Some(of.gateway_memory? as f64 / MIB))];
    let mut memory = over_time(of, "Memory of the gateway", mebibytes, memory).with_limits(of, |name| name == "memory");
    memory.limits.iter_mut().for_each(|limit| limit.value /= MIB);
    plots.push(memory);
    plots
}

impl Plot {
    fn logarithmic(self) -> Self {
        Self { is_logarithmic: true, ..self }
    }

    /// With the thresholds of these names.
    fn with_limits(self, of: &Summary, is_of: impl Fn(&str) -> bool) -> Self {
        let thresholds = of.thresholds.iter().filter(|judged| is_of(&judged.measure));
        let limit = |Judged { measure, limit, .. }: &Judged| Limit { name: escaped(measure), value: *limit };
        Self { limits: thresholds.map(limit).collect(), ..self }
    }
}

fn over_time(of: &Summary, title: &str, value: fn(f64) -> String, lines: Vec<Line>) -> Plot {
    let bands = of.marks.iter().flat_map(|mark| {
        let kind = match mark.kind {
            MarkKind::Outage => "outage",
            MarkKind::Burst => "burst",
            MarkKind::Stage => "stage",
            MarkKind::Load => "load",
        };
        let at = |from, to| Band { kind, what: escaped(&mark.what), from, to };
        match mark.kind {
            // Both its ends: percentiles count in between.
            MarkKind::Load => vec![at(mark.from, mark.from), at(mark.to, mark.to)],
            MarkKind::Stage => vec![at(mark.from, mark.from)],
            MarkKind::Outage | MarkKind::Burst => vec![at(mark.from, mark.to)],
        }
    });
    Plot {
        title: title.to_owned(),
        x: "seconds since the start",
        x_step_min: 1.0,
        apart: 0.5,
        place: |seconds| format!("{seconds:.0} s"),
        value,
        is_logarithmic: false,
        lines,
        bands: bands.collect(),
        limits: Vec::new(),
    }
}

fn by_percentile(of: &Summary) -> Plot {
    let line = |name: String, curve: &[(f64, f64)]| Line {
        name,
        points: curve.iter().map(|(nines, micros)| (*nines, Some(*micros))).collect(),
    };
    let groups = of.streams.groups.iter().filter(|group| !group.latency_curve.is_empty()).take(GROUPS_MAX - 1);
    let mut lines = vec![line("all".to_owned(), &of.latency_curve)];
    lines.extend(groups.map(|group| line(escaped(&group.name), &group.latency_curve)));
    let plot = over_time(of, "Latency by percentile", time, lines).logarithmic();
    Plot {
        x: "percentile",
        apart: 0.0,
        place: |nines| format!("{}", (100.0 - 100.0 * 10_f64.powf(-nines)) as f32),
        bands: Vec::new(),
        ..plot
    }
}

/// A line for each percentile but the inner usual ones without a threshold, and for the longest.
fn percentiles(of: &Summary, times: &str, read: fn(&Second) -> Option<Percentiles>) -> Vec<Line> {
    const LEFT_OUT: [&str; 2] = ["p90", "p999"];
    let has_threshold = |percent: &Percent| {
        let name = format!("{times}_{percent}");
        of.thresholds.iter().any(|judged| judged.measure == name)
    };
    let Some(all) = of.timeline.iter().find_map(read) else { return Vec::new() };
    let percents = all.list().into_iter().map(|(percent, _)| percent);
    let percents = percents.filter(|percent| !LEFT_OUT.contains(&percent.key().as_str()) || has_threshold(percent));
    let at = |percent: Percent| line(&percent.to_string(), of, move |second| Some(read(second)?.at(percent)? as f64));
    let mut lines: Vec<Line> = percents.map(at).collect();
    lines.push(line("max", of, move |second| Some(read(second)?.max as f64)));
    lines
}

/// A line for the 99th percentile of each group, and for each other place of a group's times that has a threshold.
fn by_group(of: &Summary, times: &str, read: OfGroups) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, group) in of.streams.groups.iter().enumerate() {
        let name = escaped(&group.name);
        let at_group = move |second: &Second| *read(second).get(index)?;
        if index < GROUPS_MAX {
            lines.push(line(&name, of, move |second| Some(at_group(second)?.p99 as f64)));
        }
        for judged in &of.thresholds {
            let place = judged.measure.strip_prefix(times).and_then(|rest| rest.strip_prefix('_'));
            let place = place.and_then(|rest| rest.strip_suffix(&format!("[{}]", group.name)));
            match place {
                Some("max") => {
                    lines.push(line(&format!("{name} max"), of, move |second| Some(at_group(second)?.max as f64)))
                }
                Some(place) if place != "p99" || index >= GROUPS_MAX => {
                    let percent: Option<Percent> = place.strip_prefix('p').and_then(|percent| percent.parse().ok());
                    lines.push(line(&format!("{name} {place}"), of, move |second| {
                        Some(at_group(second)?.at(percent?)? as f64)
                    }));
                }
                _ => {}
            }
        }
    }
    lines
}

fn line(name: &str, of: &Summary, value: impl Fn(&Second) -> Option<f64>) -> Line {
    let points = of.timeline.iter().map(|second| (second.at, value(second))).collect();
    Line { name: name.to_owned(), points }
}

fn sampled(name: &str, of: &Summary, value: fn(&Sample) -> Option<f64>) -> Line {
    let points = of.samples.iter().map(|sample| (sample.at, value(sample))).collect();
    Line { name: name.to_owned(), points }
}

/// Whether a threshold is on a percentile of these times, of all groups together.
fn is_percentile_of(name: &str, times: &str) -> bool {
    let rest = name.strip_prefix(times).and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|at| at.starts_with(['p', 'm']) && !at.ends_with(']'))
}

fn count(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 10.0 => format!("{value:.1}"),
        value if value < 1e6 => number(value as u64),
        value => format!("{:.1} M", value / 1e6),
    }
}

/// In MiB, so that the axis ends on a round number of MiB.
fn mebibytes(value: f64) -> String {
    if value < 10.0 { format!("{value:.1} MiB") } else { format!("{value:.0} MiB") }
}

fn mebibytes_per_second(value: f64) -> String {
    mebibytes(value) + "/s"
}

fn percent(value: f64) -> String {
    format!("{:.0} %", value * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::{Asked, Histogram},
        report::{GroupSummary, Mark},
        scenario::Threshold,
    };

    #[test]
    fn outages_thresholds_groups_and_asked_percentiles_are_drawn() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|micros| histogram.record(micros));
        let mut asked = Asked::default();
        asked.add("75".parse().unwrap()).unwrap();
        let latency = histogram.percentiles(asked);
        let second = |at| Second { at, latency, latency_by_group: vec![latency, None], ..Second::default() };
        let mut summary = Summary { timeline: vec![second(1.0), second(2.0)], ..Summary::default() };
        summary.marks.push(Mark { kind: MarkKind::Load, from: 0.5, to: 2.5, what: String::new() });
        summary.marks.push(Mark { kind: MarkKind::Outage, from: 1.2, to: 1.5, what: String::new() });
        summary.streams.groups =
            ["a<b", "c"].map(|name| GroupSummary { name: name.into(), ..GroupSummary::default() }).into();
        let thresholds = ["latency_p75=2ms", "latency_p99.9=9ms", "latency_p99[c]=3ms", "latency_p50[c]=1ms"]
            .map(|text| Threshold::from_argument(text).unwrap());
        summary.apply_thresholds(&thresholds);
        let plots = plots(&summary);
        let names = |plot: &Plot| plot.lines.iter().map(|line| line.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&plots[0]), ["p50", "p75", "p99", "p99.9", "max"]);
        assert_eq!(names(&plots[1]), ["a&lt;b", "c", "c p50"]);
        assert_eq!(names(&plots[2]), ["a&lt;b", "c"]);
        let limits =
            |plot: &Plot| plot.limits.iter().map(|limit| (limit.name.clone(), limit.value)).collect::<Vec<_>>();
        assert_eq!(limits(&plots[0]), [("latency_p75".to_owned(), 2_000.0), ("latency_p99.9".to_owned(), 9_000.0)]);
        assert_eq!(limits(&plots[1]), [("latency_p99[c]".to_owned(), 3_000.0), ("latency_p50[c]".to_owned(), 1_000.0)]);
        assert!(plots[0].bands.iter().map(|band| (band.kind, band.from, band.to)).eq([
            ("load", 0.5, 0.5),
            ("load", 2.5, 2.5),
            ("outage", 1.2, 1.5)
        ]));
    }
}
