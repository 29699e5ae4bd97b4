//! The report as one self-contained HTML file, without scripts and without external resources.

use super::{Summary, Whole, escaped::escaped, number, plots::plots, size, text, time};
use crate::{
    measure::Percent,
    scenario::{Judged, Verdict},
};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");

/// The report as HTML.
pub fn page(summary: &Summary) -> String {
    let name = escaped(&summary.name);
    let verdict = summary.outcome().shown();
    let class = verdict.replace(' ', "-");
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}: {verdict}</title><style>{STYLE}</style>\
         <h1>{name} <span class=\"verdict {class}\">{verdict}</span></h1><p>{}</p>",
        escaped(&summary.about)
    );
    // Writing to a string cannot fail.
    let _ = findings(summary, &mut out);
    let _ = times(summary, &mut out);
    out.push_str("<div class=\"plots\">");
    plots(summary).iter().for_each(|plot| out.push_str(&plot.figure()));
    out.push_str("</div>");
    let _ = evidence(summary, &mut out);
    let _ = writeln!(out, "<h2>Text report</h2><pre>{}</pre>", escaped(&text(summary, Whole::Yes)));
    if let Some(config) = summary.provenance.as_ref().and_then(|provenance| provenance.server_config.as_ref()) {
        let config = escaped(config);
        let _ = writeln!(
            out,
            "<details><summary>The gateway's configuration in force</summary><pre>{config}</pre></details>"
        );
    }
    out.push_str("</html>\n");
    out
}

fn findings(of: &Summary, out: &mut String) -> std::fmt::Result {
    let gateway = of.gateway.as_ref();
    let cells = [
        ("streams opened", number(of.streams.opened)),
        ("ticks read", number(of.streams.ticks)),
        ("ticks per second", number(of.ticks_per_second as u64)),
        ("violations", of.violations.total.map_or("not judged".to_owned(), number)),
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
    for Judged { measure, verdict, was, allowed, why, .. } in &of.thresholds {
        let [measure, was, allowed] = [measure, was, allowed].map(|text| escaped(text));
        let why = escaped(why.as_deref().unwrap_or_default());
        match verdict {
            Verdict::Met => {}
            Verdict::Crossed => {
                write!(out, "<p class=\"bad\"><b>{measure}</b> is {was}; the threshold is {allowed}.</p>")?;
            }
            Verdict::Inconclusive => write!(
                out,
                "<p class=\"warning\"><b>{measure}</b> is {was}; the threshold is {allowed}. Inconclusive: {why}.</p>"
            )?,
            Verdict::NotJudged => write!(out, "<p><b>{measure}</b> is not judged: {why}.</p>")?,
        }
    }
    for (reason, rules) in of.not_judged() {
        write!(out, "<p>Not judged: {}: {}.</p>", rules.join(", "), escaped(reason))?;
    }
    if !of.kept.is_empty() {
        write!(out, "<p>Thresholds met: {}.</p>", escaped(&of.kept.join(", ")))?;
    }
    for warning in &of.warnings {
        write!(out, "<p class=\"warning\">{}</p>", escaped(warning))?;
    }
    Ok(())
}

fn times(of: &Summary, out: &mut String) -> std::fmt::Result {
    let mut rows = vec![
        ("connect".to_owned(), of.connect),
        ("TLS handshake".to_owned(), of.handshake),
        ("answer".to_owned(), of.answer),
        ("first tick".to_owned(), of.first_tick),
        ("latency from the venue's schedule".to_owned(), of.latency),
        ("age since the gateway's receipt".to_owned(), of.age),
        ("age of slow readers".to_owned(), of.slow_age),
    ];
    for group in of.streams.groups.iter().filter(|_| of.streams.groups.len() > 1) {
        let name = escaped(&group.name);
        rows.push((format!("answer of {name}"), group.answer));
        rows.push((format!("latency of {name}"), group.latency));
        rows.push((format!("age of {name}"), group.age));
        rows.push((format!("first tick of {name}"), group.first_tick));
    }
    rows.push(("how late the venue was".to_owned(), of.venue.and_then(|venue| venue.late)));
    rows.push(("how late the streams' thread was".to_owned(), of.generator.late));
    rows.push(("the same while streams opened".to_owned(), of.generator.late_opening));
    rows.push(("how late streams began to connect".to_owned(), of.generator.late_connects));
    let percents: Vec<Percent> = rows
        .iter()
        .find_map(|(_, row)| *row)
        .map_or(Vec::new(), |row| row.list().into_iter().map(|(percent, _)| percent).collect());
    let heads: String = percents.iter().map(|percent| format!("<th>{percent}")).collect();
    write!(out, "<table><tr><th>time<th>count<th>min{heads}<th>max</tr>")?;
    for (name, row) in rows {
        write!(out, "<tr><th>{name}")?;
        match row {
            None => write!(out, "<td colspan=\"{}\">not measured", percents.len() + 3)?,
            Some(row) => {
                write!(out, "<td>{}", number(row.count))?;
                let times = row.list().into_iter().map(|(percent, micros)| (micros, row.has_few_beyond(percent)));
                for (micros, is_of_few) in [(row.min, false)].into_iter().chain(times).chain([(row.max, false)]) {
                    let few = if is_of_few { " (few)" } else { "" };
                    write!(out, "<td>{}{few}", time(micros as f64))?;
                }
            }
        }
    }
    write!(out, "</table><p>(few): fewer than ten times are beyond it, so that a single one decides it.</p>")
}

fn evidence(of: &Summary, out: &mut String) -> std::fmt::Result {
    if of.violations.total.unwrap_or(0) == 0 {
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

fn or_not_measured(value: Option<String>) -> String {
    value.unwrap_or_else(|| "not measured".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::{Evidence, Rule},
        report::Provenance,
    };

    #[test]
    fn a_servers_strings_are_escaped_and_the_page_loads_nothing() {
        let provenance = Provenance { server_config: Some("<config>".to_owned()), ..Provenance::default() };
        let mut summary = Summary { name: "<x>".into(), provenance: Some(provenance), ..Summary::default() };
        summary.violations.total = Some(1);
        summary.violations.evidence.push(Evidence {
            rule: Rule::Order,
            stream: Some(1),
            at: 0,
            what: "<script>".to_owned(),
            bytes: "data: <img src=x>".to_owned(),
        });
        let page = page(&summary);
        assert!(page.contains("&lt;script&gt;") && page.contains("&lt;img") && page.contains("&lt;config&gt;"));
        for markup in ["<script", "<img", "<x>", "http:", "https:", "url(", "@import"] {
            assert!(!page.contains(markup), "{markup}");
        }
    }
}
