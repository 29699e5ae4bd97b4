//! A histogram in plain integers, for paths where each sample must cost a few nanoseconds.

use std::{fmt::Write, time::Duration};

/// The upper bounds of the buckets, in seconds.
pub const SECONDS_BUCKETS: [f64; 16] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The upper bounds in nanoseconds.
const BOUNDS_NANOS: [u64; 16] = {
    let mut bounds = [0; 16];
    let mut index = 0;
    while index < bounds.len() {
        bounds[index] = (SECONDS_BUCKETS[index] * 1e9 + 0.5) as u64;
        index += 1;
    }
    bounds
};

/// Durations, counted in the buckets of [`SECONDS_BUCKETS`] and one above them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; SECONDS_BUCKETS.len() + 1],
    sum_nanos: u128,
}

impl Histogram {
    /// Counts one sample.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[BOUNDS_NANOS.partition_point(|&bound| bound < nanos)] += 1;
        self.sum_nanos += u128::from(nanos);
    }

    /// Adds all samples of another.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
        self.sum_nanos += other.sum_nanos;
    }

    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Appends its series; `labels` is `name="value"` of each label, and may be empty.
    pub(super) fn render(&self, name: &str, labels: &str, out: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, count) in SECONDS_BUCKETS.iter().zip(self.counts) {
            below += count;
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
        }
        let all = self.count();
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {all}");
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}_sum{labels} {}\n{name}_count{labels} {all}", self.sum_nanos as f64 / 1e9);
    }
}

/// Appends what Prometheus' text format wants before a histogram's series.
pub(super) fn render_head(name: &str, help: &str, out: &mut String) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for micros in [1, 50, 51, 5_000_000, 5_000_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let mut text = String::new();
        render_head("x_seconds", "How long.", &mut text);
        histogram.render("x_seconds", "", &mut text);
        assert!(text.starts_with("# HELP x_seconds How long.\n# TYPE x_seconds histogram\n"), "{text}");
        for line in [
            "{le=\"0.00005\"} 2",
            "{le=\"0.0001\"} 3",
            "{le=\"2.5\"} 3",
            "{le=\"5\"} 4",
            "{le=\"+Inf\"} 5",
            "x_seconds_sum 10.000103",
            "x_seconds_count 5",
        ] {
            assert!(text.lines().any(|found| found.ends_with(line)), "{line} in {text}");
        }
        text.clear();
        histogram.render("x_seconds", "a=\"b\"", &mut text);
        for line in ["x_seconds_bucket{a=\"b\",le=\"5\"} 4", "x_seconds_count{a=\"b\"} 5"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
