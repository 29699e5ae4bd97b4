//! The report as one self-contained HTML file, without scripts and without external resources.

use super::{
    Summary, number,
    plot::{Line, Plot},
    size, text, time,
};
use crate::measure::{Percentiles, Second};
use std::fmt::Write as _;

const MIB: f64 = 1024.0 * 1024.0;
const STYLE: &str = include_str!("page.css");

/// The report as HTML.
pub fn page(summary: &Summary) -> String {
    let name = escaped(&summary.name);
    let verdict = if summary.has_passed() { "passed" } else { "failed" };
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}: {verdict}</title><style>{STYLE}</style>\
         <h1>{name} <span class=\"{verdict}\">{verdict}</span></h1><p>{}</p>",
        escaped(&summary.about)
    );
    // Writing to a string cannot fail.
    let _ = findings(summary, &mut out);
    let _ = times(summary, &mut out);
    out.push_str("<div class=\"plots\">");
    plots(summary).iter().for_each(|plot| out.push_str(&plot.figure()));
    out.push_str("</div>");
    let _ = evidence(summary, &mut out);
    let _ = writeln!(out, "<h2>Text report</h2><pre>{}</pre></html>", escaped(&text(summary)));
    out
}

fn findings(of: &Summary, out: &mut String) -> std::fmt::Result {
    let gateway = of.gateway.as_ref();
    let cells = [
        ("streams opened", number(of.streams.opened)),
        ("ticks read", number(of.streams.ticks)),
        ("ticks per second", number(of.ticks_per_second as u64)),
        ("violations", number(of.violations.total)),
        ("latency p99", or_not_measured(of.latency.map(|of| time(of.p99 as f64)))),
        ("gateway CPU", or_not_measured(gateway.and_then(|of| of.cpu_cores).map(|cores| format!("{cores:.2} cores")))),
        ("CPU per tick", or_not_measured(gateway.and_then(|of| of.cpu_micros_per_tick).map(time))),
        ("peak memory", or_not_measured(gateway.and_then(|of| of.memory_max).map(|bytes| size(bytes as f64)))),
    ];
    out.push_str("<dl>");
    for (name, value) in cells {
        write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    out.push_str("</dl>");
    for crossed in &of.crossed {
        let was = escaped(&crossed.was);
        let allowed = escaped(&crossed.allowed);
        write!(out, "<p class=\"bad\"><b>{}</b> is {was}; the threshold is {allowed}.</p>", crossed.measure)?;
    }
    if !of.kept.is_empty() {
        write!(out, "<p>Thresholds met: {}.</p>", of.kept.join(", "))?;
    }
    for warning in &of.warnings {
        write!(out, "<p class=\"warning\">{}</p>", escaped(warning))?;
    }
    Ok(())
}

fn times(of: &Summary, out: &mut String) -> std::fmt::Result {
    out.push_str("<table><tr><th>time<th>count<th>min<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>");
    for (name, row) in [
        ("connect", of.connect),
        ("TLS handshake", of.handshake),
        ("answer", of.answer),
        ("first tick", of.first_tick),
        ("latency from the venue's schedule", of.latency),
        ("age since the gateway's receipt", of.age),
        ("age of slow readers", of.slow_age),
    ] {
        write!(out, "<tr><th>{name}")?;
        match row {
            None => write!(out, "<td colspan=\"7\">not measured")?,
            Some(Percentiles { count, min, p50, p90, p99, p999, max }) => {
                write!(out, "<td>{}", number(count))?;
                for micros in [min, p50, p90, p99, p999, max] {
                    write!(out, "<td>{}", time(micros as f64))?;
                }
            }
        }
    }
    write!(out, "</table>")
}

fn plots(of: &Summary) -> Vec<Plot<'static>> {
    let seconds = |value: fn(&Second) -> Option<f64>| -> Vec<(f64, f64)> {
        of.timeline.iter().filter_map(|second| Some((second.at, value(second)?))).collect()
    };
    let samples = |value: fn(&super::Sample) -> Option<f64>| -> Vec<(f64, f64)> {
        of.samples.iter().filter_map(|sample| Some((sample.at, value(sample)?))).collect()
    };
    let over_time = |title, value, is_logarithmic, lines| Plot {
        title,
        x: "seconds since the start",
        x_step_min: 1.0,
        place: |seconds| format!("{seconds:.0}"),
        value,
        is_logarithmic,
        lines,
    };
    let count: fn(f64) -> String = |value| match value {
        0.0 => "0".to_owned(),
        value if value < 10.0 => format!("{value:.1}"),
        value if value < 1e6 => number(value as u64),
        value => format!("{:.1} M", value / 1e6),
    };
    // In MiB, so that the axis ends on a round number of MiB.
    let mebibytes: fn(f64) -> String = |value| match value {
        value if value < 10.0 => format!("{value:.1} MiB"),
        value => format!("{value:.0} MiB"),
    };
    let percent: fn(f64) -> String = |value| format!("{:.0} %", value * 100.0);
    vec![
        over_time(
            "Latency from the venue's schedule to the read",
            time,
            true,
            vec![
                Line { name: "p50", points: seconds(|of| Some(of.latency?.p50 as f64)) },
                Line { name: "p99", points: seconds(|of| Some(of.latency?.p99 as f64)) },
                Line { name: "max", points: seconds(|of| Some(of.latency?.max as f64)) },
            ],
        ),
        Plot {
            title: "Latency by percentile",
            x: "percentile",
            x_step_min: 1.0,
            place: |nines| format!("{}", (100.0 - 100.0 * 10_f64.powf(-nines)) as f32),
            value: time,
            is_logarithmic: true,
            lines: vec![Line { name: "latency", points: of.latency_curve.clone() }],
        },
        over_time(
            "Ticks per second",
            count,
            false,
            vec![
                Line { name: "read", points: seconds(|of| Some(of.ticks as f64)) },
                Line { name: "missed", points: seconds(|of| Some(of.holes as f64)) },
            ],
        ),
        over_time(
            "Bytes per second",
            mebibytes,
            false,
            vec![Line { name: "read", points: seconds(|of| Some(of.bytes as f64 / MIB)) }],
        ),
        over_time(
            "Age from the gateway's receipt to the read",
            time,
            true,
            vec![
                Line { name: "p50", points: seconds(|of| Some(of.age?.p50 as f64)) },
                Line { name: "p99", points: seconds(|of| Some(of.age?.p99 as f64)) },
            ],
        ),
        over_time(
            "Open streams",
            count,
            false,
            vec![Line { name: "open", points: seconds(|of| Some(of.open as f64)) }],
        ),
        over_time(
            "CPU, share of one core",
            percent,
            false,
            vec![
                Line { name: "gateway", points: samples(|of| of.gateway_cpu) },
                Line { name: "streams' thread", points: seconds(|of| Some(of.own_cpu)) },
                Line { name: "load tester", points: samples(|of| Some(of.own_cpu)) },
            ],
        ),
        over_time(
            "Memory of the gateway",
            mebibytes,
            false,
            vec![Line { name: "resident", points: samples(|of| Some(of.gateway_memory? as f64 / MIB)) }],
        ),
    ]
}

fn evidence(of: &Summary, out: &mut String) -> std::fmt::Result {
    if of.violations.total == 0 {
        return Ok(());
    }
    write!(out, "<h2>Violations</h2>")?;
    for evidence in &of.violations.evidence {
        let stream = evidence.stream.map_or(String::new(), |stream| format!("stream {stream}: "));
        let what = escaped(&evidence.what);
        let bytes = escaped(&evidence.bytes);
        let rule = evidence.rule.name();
        write!(out, "<details><summary><b>{rule}</b> {stream}{what}</summary><pre>{bytes}</pre></details>")?;
    }
    Ok(())
}

/// Escapes markup, since servers choose some of the strings.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn or_not_measured(value: Option<String>) -> String {
    value.unwrap_or_else(|| "not measured".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Evidence, Rule};

    #[test]
    fn a_servers_strings_are_escaped_and_the_page_loads_nothing() {
        let mut summary = Summary { name: "<x>".into(), ..Summary::default() };
        summary.violations.total = 1;
        summary.violations.evidence.push(Evidence {
            rule: Rule::Order,
            stream: Some(1),
            at: 0,
            what: "<script>".to_owned(),
            bytes: "data: <img src=x>".to_owned(),
        });
        let page = page(&summary);
        assert!(page.contains("&lt;script&gt;") && page.contains("&lt;img"));
        for markup in ["<script", "<img", "<x>", "http:", "https:", "url(", "@import"] {
            assert!(!page.contains(markup), "{markup}");
        }
    }
}
