//! How late something was, by the phase of the run in which it was due.

use super::Histogram;

/// How late something was against its schedule, by the phase in which it was due: while the streams opened, or within
/// the load. What was due after the load is not counted.
#[derive(Debug, Clone, Default)]
pub struct Lateness {
    /// Due before the load.
    pub opening: Histogram,
    /// Due within the load.
    pub load: Histogram,
    /// In µs since 1970.
    load_begun: Option<i64>,
    load_ended: Option<i64>,
}

impl Lateness {
    /// The load begins at this time, in µs since 1970.
    pub fn begin_load(&mut self, at: i64) {
        self.load_begun.get_or_insert(at);
    }

    /// The load ended at this time, in µs since 1970.
    pub fn end_load(&mut self, at: i64) {
        self.load_ended.get_or_insert(at);
    }

    /// Records how late something was, in µs, that was due at a time, in µs since 1970.
    pub fn record(&mut self, due: i64, late: i64) {
        if self.load_begun.is_none_or(|begun| due < begun) {
            self.opening.record(late);
        } else if self.load_ended.is_none_or(|ended| due <= ended) {
            self.load.record(late);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Asked;

    #[test]
    fn lateness_counts_in_the_phase_in_which_something_was_due() {
        let mut late = Lateness::default();
        late.record(10, 1);
        late.begin_load(100);
        for (due, micros) in [(99, 2), (100, 30), (200, 40), (250, 50)] {
            late.record(due, micros);
        }
        late.end_load(200);
        for (due, micros) in [(200, 60), (201, 700)] {
            late.record(due, micros);
        }
        let of = |histogram: &Histogram| histogram.percentiles(Asked::default()).map(|of| (of.count, of.max));
        assert_eq!((of(&late.opening), of(&late.load)), (Some((2, 2)), Some((4, 60))));
    }
}
