//! Histograms of times in µs, with three significant digits.

use super::{Asked, Percentiles};

/// The longest time of a histogram: an hour.
const MICROS_MAX: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// A histogram of times.
#[derive(Debug, Clone)]
pub struct Histogram {
    times: hdrhistogram::Histogram<u64>,
    /// How many of them were negative.
    negative: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let times = hdrhistogram::Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("the bounds are valid");
        Self { times, negative: 0 }
    }
}

impl Histogram {
    /// Records a time in µs. A negative time, from clocks that differ, counts as the lowest, one above an hour as an
    /// hour.
    pub fn record(&mut self, micros: i64) {
        self.negative += u64::from(micros < 0);
        self.times.saturating_record(u64::try_from(micros).unwrap_or(0));
    }

    /// Adds another histogram.
    pub fn add(&mut self, other: &Self) {
        self.negative += other.negative;
        self.times.add(&other.times).expect("all have the same bounds");
    }

    /// Removes all times.
    pub fn reset(&mut self) {
        self.times.reset();
        self.negative = 0;
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.times.len()
    }

    /// How many of them were negative.
    pub fn negative(&self) -> u64 {
        self.negative
    }

    /// The percentiles; `None` if it is empty.
    pub fn percentiles(&self, asked: Asked) -> Option<Percentiles> {
        let at = |share| self.times.value_at_quantile(share);
        (!self.times.is_empty())
            .then(|| Percentiles::new(self.times.len(), self.times.min(), self.times.max(), asked, at))
    }

    /// The points of the percentile curve: the number of nines, and the time in µs.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let nines_max = (self.times.len().max(1) as f64).log10();
        let points = (0..=40).map(|step| f64::from(step) / 10.0).take_while(|nines| *nines <= nines_max);
        points.map(|nines| (nines, self.times.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64)).collect()
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
        assert_eq!((percentiles.count, histogram.count(), histogram.negative()), (1_002, 1_002, 1));
        assert!(percentiles.max >= MICROS_MAX);
        assert_eq!(histogram.curve().len(), 31);
    }
}
