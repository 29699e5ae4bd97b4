//! What the catalog declares metrics with: a description for operators, and a type that only hands out fitting handles.

use super::{Histogram, histogram};
use metrics::{SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use std::fmt::Write as _;

/// A metric, as operators need to know it.
#[derive(Debug)]
pub struct Metric {
    /// Its name, with the unit and, for a counter, `_total` at the end.
    pub name: &'static str,
    /// How its values move.
    pub kind: Kind,
    /// What its values count.
    pub unit: Unit,
    /// Its labels, in the order in which a handle takes their values.
    pub labels: &'static [Label],
    /// One sentence, which Prometheus shows.
    pub help: &'static str,
    /// More for the documentation, in Markdown; may be empty.
    pub details: &'static str,
    /// What it does not measure, for the documentation, in Markdown; may be empty.
    pub excludes: &'static str,
}

/// How a metric's values move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They only rise.
    Counter,
    /// They rise and fall.
    Gauge,
    /// Samples, counted in buckets.
    Histogram,
}

/// A label of a metric. No symbol, stream or address is ever a label: the number of series has a limit.
#[derive(Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// The closed set of its values; empty where the configuration or the protocol sets them.
    pub values: &'static [&'static str],
}

/// A counter with so many labels.
#[derive(Debug, Clone, Copy)]
pub struct Counter<const LABELS: usize>(pub(super) &'static Metric);

/// A gauge with so many labels.
#[derive(Debug, Clone, Copy)]
pub struct Gauge<const LABELS: usize>(pub(super) &'static Metric);

/// A histogram with so many labels.
#[derive(Debug, Clone, Copy)]
pub struct Samples<const LABELS: usize>(pub(super) &'static Metric);

impl Kind {
    /// Its name in Prometheus' text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Metric {
    /// Gives the installed recorder the help text; `promtool check metrics` wants one for each metric.
    pub(super) fn describe(&self) {
        match self.kind {
            Kind::Counter => describe_counter!(self.name, self.unit, self.help),
            Kind::Gauge => describe_gauge!(self.name, self.unit, self.help),
            Kind::Histogram => describe_histogram!(self.name, self.unit, self.help),
        }
    }

    /// The labels of a series with these values, as Prometheus' text format has them between braces.
    fn label_text(&self, values: &[&str]) -> String {
        let labels = self.labels.iter().zip(values).map(|(label, value)| format!("{}=\"{value}\"", label.name));
        labels.collect::<Vec<_>>().join(",")
    }

    /// Appends series that the recorder does not hold, each with its label values, in Prometheus' text format.
    fn render<const LABELS: usize>(&self, series: &[([&str; LABELS], f64)], out: &mut String) {
        let Self { name, help, kind, .. } = self;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        for (values, value) in series {
            let _ = writeln!(out, "{name}{{{}}} {value}", self.label_text(values));
        }
    }

    fn labels<const LABELS: usize>(&self, values: [SharedString; LABELS]) -> Vec<metrics::Label> {
        self.labels.iter().zip(values).map(|(label, value)| metrics::Label::new(label.name, value)).collect()
    }
}

impl<const LABELS: usize> Counter<LABELS> {
    /// The metric's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The series with these label values, registered with the installed recorder.
    pub fn handle(&self, values: [SharedString; LABELS]) -> metrics::Counter {
        counter!(self.0.name, self.0.labels(values))
    }

    /// Appends series with fractions, which the recorder's counters do not have.
    pub fn render(&self, series: &[([&str; LABELS], f64)], out: &mut String) {
        self.0.render(series, out);
    }
}

impl Counter<1> {
    /// Registers a series for each value of the label, at zero, so that the first count shows in a rate.
    pub fn register_all(&self) {
        for value in self.0.labels[0].values {
            self.handle([(*value).into()]).increment(0);
        }
    }
}

impl<const LABELS: usize> Gauge<LABELS> {
    /// The metric's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The series with these label values, registered with the installed recorder.
    pub fn handle(&self, values: [SharedString; LABELS]) -> metrics::Gauge {
        gauge!(self.0.name, self.0.labels(values))
    }

    /// Appends series that are there only for now, which the recorder would keep.
    pub fn render(&self, series: &[([&str; LABELS], f64)], out: &mut String) {
        self.0.render(series, out);
    }
}

impl<const LABELS: usize> Samples<LABELS> {
    /// The series with these label values, registered with the installed recorder.
    pub fn handle(&self, values: [SharedString; LABELS]) -> metrics::Histogram {
        metrics::histogram!(self.0.name, self.0.labels(values))
    }

    /// Appends series that were counted in plain integers, each with its label values, in Prometheus' text format.
    pub fn render(&self, series: &[([&str; LABELS], &Histogram)], out: &mut String) {
        histogram::render_head(self.0.name, self.0.help, out);
        for (values, samples) in series {
            samples.render(self.0.name, &self.0.label_text(values), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog;

    #[test]
    fn series_that_the_recorder_does_not_hold_are_rendered_with_their_labels() {
        let mut text = String::new();
        catalog::CLUSTER_SUSPENDED.render(&[(["x.0"], 0.25), (["y.0"], 3.0)], &mut text);
        let series = "tickfan_cluster_suspended_seconds_total{shard=\"x.0\"} 0.25\n\
                      tickfan_cluster_suspended_seconds_total{shard=\"y.0\"} 3\n";
        let help = catalog::CLUSTER_SUSPENDED.0.help;
        let name = "tickfan_cluster_suspended_seconds_total";
        assert_eq!(text, format!("# HELP {name} {help}\n# TYPE {name} counter\n{series}"));
        text.clear();
        catalog::CLUSTER_CLOCK_OFFSET.render(&[], &mut text);
        assert!(text.ends_with("# TYPE tickfan_cluster_clock_offset_seconds gauge\n"), "{text}");
    }
}
