//! What was seen of a gateway at one moment.

use serde_json::Value;
use std::collections::BTreeMap;

/// All answers of one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) metrics: Metrics,
    pub(super) feeds: Value,
    pub(super) streams: Value,
    pub(super) symbols: Value,
}

/// The samples of Prometheus' text, by name and labels as they stand there.
#[derive(Debug, Default)]
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(super) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        };
        Self(samples.filter_map(sample).collect())
    }

    /// The sum of a metric's series whose labels hold `with`.
    pub(super) fn sum(&self, name: &str, with: &str) -> f64 {
        let of_name = self.0.range(name.to_owned()..).take_while(|(series, _)| series.starts_with(name));
        let fits = |series: &str| {
            let labels = &series[name.len()..];
            (labels.is_empty() || labels.starts_with('{')) && labels.contains(with)
        };
        of_name.filter(|(series, _)| fits(series)).map(|(_, value)| value).sum()
    }

    /// A histogram's quantile over what came since `before`, of all series whose labels hold `with` together, as the upper bound
    /// of its bucket; nothing where nothing came.
    pub(super) fn quantile(&self, name: &str, with: &str, quantile: f64, before: &Self) -> Option<f64> {
        let prefix = format!("{name}_bucket{{");
        let buckets = self.0.range(prefix.clone()..).take_while(|(series, _)| series.starts_with(&prefix));
        let buckets = buckets.filter(|(series, _)| series.contains(with));
        let since = |(series, value): (&String, &f64)| {
            let bound = series.rsplit_once("le=\"")?.1.trim_end_matches("\"}").parse::<f64>().ok()?;
            Some((bound, value - before.0.get(series).copied().unwrap_or(0.0)))
        };
        let mut buckets: Vec<_> = buckets.filter_map(since).collect();
        buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        buckets.dedup_by(|same, sum| {
            same.0 == sum.0 && {
                sum.1 += same.1;
                true
            }
        });
        let all = buckets.last()?.1;
        (all > 0.0).then(|| buckets.iter().find(|(_, below)| *below >= quantile * all).map(|(bound, _)| *bound))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_name_and_label_and_quantiles_are_of_what_came_since() {
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
