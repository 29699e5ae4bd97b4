//! The metrics: the tables of `docs/metrics.md`, from `telemetry::catalog`.

use super::document::check;
use std::{collections::BTreeSet, fmt::Write as _};
use tickfan::telemetry::{
    Kind, Label, Metric,
    catalog::{PROCESS, SECTIONS},
};

/// A label, with its values where they are a closed set.
fn label(label: &Label) -> String {
    if label.values.is_empty() {
        return format!("`{}`", label.name);
    }
    let values: Vec<_> = label.values.iter().map(|value| format!("`{value}`")).collect();
    format!("`{}`: {}", label.name, values.join(", "))
}

fn row(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(label).collect();
    let measures = format!("{} {}", metric.help, metric.details);
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        metric.name,
        metric.kind.name(),
        labels.join("; "),
        measures.trim_end(),
        metric.excludes
    )
}

#[test]
fn the_documents_tables_follow_from_the_catalog() {
    let mut expected = "\n".to_owned();
    let own = SECTIONS.iter().map(|(title, metrics)| (*title, metrics.to_vec()));
    for (title, metrics) in own.chain([("From the system", PROCESS.iter().collect())]) {
        write!(expected, "## {title}\n\n| metric | type | labels | measures | does not measure |\n").unwrap();
        expected += "|---|---|---|---|---|\n";
        metrics.into_iter().for_each(|metric| expected += &row(metric));
        expected.push('\n');
    }
    check("docs/metrics.md", "<!-- tables -->", "<!-- end of tables -->", &expected);
}

#[test]
fn names_are_unique_and_end_in_their_unit() {
    let metrics: Vec<_> = SECTIONS.iter().flat_map(|(_, metrics)| *metrics).collect();
    let names: BTreeSet<_> = metrics.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metrics.len());
    for metric in metrics {
        let name = metric.name;
        assert!(name.starts_with("tickfan_"), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        let unit = metric.unit.as_str();
        assert!(unit == "count" || name.contains(&format!("_{unit}")), "{name} is in {unit}");
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}: {}", metric.help);
        for forbidden in ["symbol", "stream", "address", "le", "quantile"] {
            assert!(metric.labels.iter().all(|label| label.name != forbidden), "{name} has the label {forbidden}");
        }
    }
}
