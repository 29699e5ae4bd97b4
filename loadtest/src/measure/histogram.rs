//! Histograms of times in µs, with three significant digits.

use super::{Asked, Percentiles};

/// The longest time of a histogram: a minute.
const MICROS_MAX: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// A histogram of times.
#[derive(Debug, Clone)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self(hdrhistogram::Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("the bounds are valid"))
    }
}

impl Histogram {
    /// Records a time in µs. A negative time, from clocks that differ, counts as the lowest, one above a minute as a
    /// minute.
    pub fn record(&mut self, micros: i64) {
        self.0.saturating_record(u64::try_from(micros).unwrap_or(0));
    }

    /// Adds another histogram.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// Removes all times.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// Records a time in µs, and as many more as an operation would have seen that is repeated at this interval while
    /// the first one waits.
    pub fn record_paused(&mut self, micros: u64, interval: u64) {
        let mut left = micros.min(MICROS_MAX);
        self.0.saturating_record(left);
        while left > interval {
            left -= interval;
            self.0.saturating_record(left);
        }
    }

    /// The percentiles; `None` if it is empty.
    pub fn percentiles(&self, asked: Asked) -> Option<Percentiles> {
        let at = |share| self.0.value_at_quantile(share);
        (!self.0.is_empty()).then(|| Percentiles::new(self.0.len(), self.0.min(), self.0.max(), asked, at))
    }

    /// The points of the percentile curve: the number of nines, and the time in µs.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let nines_max = (self.0.len().max(1) as f64).log10();
        let points = (0..=40).map(|step| f64::from(step) / 10.0).take_while(|nines| *nines <= nines_max);
        points.map(|nines| (nines, self.0.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_recorded_times() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentiles(Asked::default()), None);
        (1..=1_000).for_each(|micros| histogram.record(micros));
        let percentiles = histogram.percentiles(Asked::default()).unwrap();
        assert_eq!(
            (percentiles.count, percentiles.min, percentiles.p50, percentiles.p99, percentiles.max),
            (1_000, 1, 500, 990, 1_000)
        );
        histogram.record(-5);
        histogram.record(i64::MAX);
        let percentiles = histogram.percentiles(Asked::default()).unwrap();
        assert_eq!(percentiles.count, 1_002);
        assert!(percentiles.max >= MICROS_MAX);
        assert_eq!(histogram.curve().len(), 31);
    }

    #[test]
    fn a_pause_counts_for_all_that_would_have_waited() {
        let mut histogram = Histogram::default();
        histogram.record_paused(25, 10);
        let percentiles = histogram.percentiles(Asked::default()).unwrap();
        assert_eq!((percentiles.count, percentiles.min, percentiles.p50, percentiles.max), (3, 5, 15, 25));
    }
}
