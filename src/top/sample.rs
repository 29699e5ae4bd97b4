//! What the admin listener answered at one time.

use serde_json::Value;
use std::collections::BTreeMap;

/// All responses of one poll.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) metrics: Metrics,
    pub(super) feeds: Value,
    pub(super) streams: Value,
    pub(super) symbols: Value,
    pub(super) cluster: Value,
}

/// The values of a scrape, by series: name and labels as Prometheus' text format writes them.
#[derive(Debug, Default)]
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(parse_line).collect())
    }

    /// The sum of a metric's series whose labels contain `with`.
    pub(super) fn sum(&self, name: &str, with: &str) -> f64 {
        let mut sum = 0.0;
        for (series, value) in self.0.range(name.to_owned()..) {
            let Some(labels) = series.strip_prefix(name) else { break };
            // Another metric may begin with the same name.
            if (labels.is_empty() || labels.starts_with('{')) && labels.contains(with) {
                sum += value;
            }
        }
        sum
    }

    /// A quantile of a histogram's samples since `before`, over all series whose labels contain `with`, as the upper
    /// bound of its bucket; `None` where there were no samples.
    pub(super) fn quantile(&self, name: &str, with: &str, quantile: f64, before: &Self) -> Option<f64> {
        let prefix = format!("{name}_bucket{{");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (series, value) in self.0.range(prefix.clone()..).take_while(|(series, _)| series.starts_with(&prefix)) {
            let Some(bound) = bucket_bound(series) else { continue };
            if !series.contains(with) {
                continue;
            }
            let since = value - before.0.get(series).copied().unwrap_or(0.0);
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += since,
                None => buckets.push((bound, since)),
            }
        }
        buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (_, all) = *buckets.last()?;
        if all <= 0.0 {
            return None;
        }
        buckets.into_iter().find(|(_, below)| *below >= quantile * all).map(|(bound, _)| bound)
    }
}

/// The series and the value of a line.
fn parse_line(line: &str) -> Option<(String, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    Some((series.to_owned(), value.parse().ok()?))
}

/// The upper bound of a bucket's series, in which `le` is the last label.
fn bucket_bound(series: &str) -> Option<f64> {
    let (_, bound) = series.rsplit_once("le=\"")?;
    bound.trim_end_matches("\"}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_name_and_label_and_quantiles_are_of_the_samples_since_the_last_poll() {
        let before = Metrics::parse("# HELP a\na_total{x=\"1\"} 3\na_total{x=\"2\"} 4\na_total_more 9\nplain 5\n");
        assert_eq!(
            (before.sum("a_total", ""), before.sum("a_total", "x=\"2\""), before.sum("plain", "")),
            (7.0, 4.0, 5.0)
        );
        let before = Metrics::parse("h_bucket{le=\"0.1\"} 100\nh_bucket{le=\"1\"} 100\nh_bucket{le=\"+Inf\"} 100\n");
        let now = Metrics::parse("h_bucket{le=\"0.1\"} 101\nh_bucket{le=\"1\"} 104\nh_bucket{le=\"+Inf\"} 104\n");
        assert_eq!(now.quantile("h", "", 0.25, &before), Some(0.1));
        assert_eq!(now.quantile("h", "", 0.99, &before), Some(1.0));
        assert_eq!(now.quantile("h", "", 0.99, &now), None);
        let labelled = Metrics::parse(
            "h_bucket{a=\"x\",le=\"1\"} 1\nh_bucket{a=\"x\",le=\"+Inf\"} 1\n\
             h_bucket{a=\"y\",le=\"1\"} 0\nh_bucket{a=\"y\",le=\"+Inf\"} 3\n",
        );
        let none = Metrics::default();
        assert_eq!(
            [0.25, 0.5].map(|quantile| labelled.quantile("h", "", quantile, &none)),
            [Some(1.0), Some(f64::INFINITY)],
            "the labels are one distribution"
        );
        assert_eq!(labelled.quantile("h", "a=\"x\"", 0.99, &none), Some(1.0));
    }
}
