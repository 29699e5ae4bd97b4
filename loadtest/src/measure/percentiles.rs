//! Percentiles: the usual ones, and those that a user asks for.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::{fmt, str::FromStr};

/// The most percentiles beside the usual ones.
pub const ASKED_MAX: usize = 8;
/// How many times must be beyond a percentile for it to say anything: else a single one decides it.
pub const BEYOND_MIN: f64 = 10.0;
/// The usual ones, with their keys in the JSON.
const USUAL: [(Percent, &str); 4] =
    [(Percent(50_000), "p50"), (Percent(90_000), "p90"), (Percent(99_000), "p99"), (Percent(99_900), "p999")];

/// A percentile, in thousandths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Percent(u32);

impl Percent {
    /// The median.
    pub const P50: Self = Self(50_000);
    /// The 99th.
    pub const P99: Self = Self(99_000);

    /// As a share, from 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }

    /// Its key in the JSON: p999 for 99.9, as it has always been, else p and the number.
    pub fn key(self) -> String {
        USUAL.iter().find(|(usual, _)| *usual == self).map_or_else(|| self.to_string(), |(_, key)| (*key).to_owned())
    }
}

impl fmt::Display for Percent {
    /// `p99.9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", f64::from(self.0) / 1_000.0)
    }
}

impl FromStr for Percent {
    type Err = String;

    /// Reads `99.9`.
    fn from_str(percent: &str) -> Result<Self, String> {
        let value: Option<f64> = percent.parse().ok();
        let thousandths = value.map(|value| value * 1_000.0).filter(|of| (1.0..=99_999.0).contains(of));
        thousandths.filter(|of| (of - of.round()).abs() < 1e-6).map(|of| Self(of.round() as u32)).ok_or_else(|| {
            format!("`{percent}` is not a percentile: write a number from 0.001 to 99.999, such as 99.9")
        })
    }
}

/// The percentiles that are reported beside the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked([Percent; ASKED_MAX]);

/// More percentiles than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {ASKED_MAX} percentiles beside p50, p90, p99 and p99.9, in thresholds and --percentiles together")]
pub struct TooManyPercentiles;

impl Asked {
    /// Adds a percentile, unless it is usual or there already.
    ///
    /// # Errors
    /// [`TooManyPercentiles`].
    pub fn add(&mut self, percent: Percent) -> Result<(), TooManyPercentiles> {
        if self.0.contains(&percent) || USUAL.iter().any(|(usual, _)| *usual == percent) {
            return Ok(());
        }
        let room = self.0.iter_mut().find(|of| **of == Percent::default()).ok_or(TooManyPercentiles)?;
        *room = percent;
        Ok(())
    }

    fn iter(self) -> impl Iterator<Item = Percent> {
        self.0.into_iter().take_while(|of| *of != Percent::default())
    }
}

/// The percentiles of a histogram, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percentiles {
    /// The number of recorded times.
    pub count: u64,
    /// The lowest.
    pub min: u64,
    /// The median.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p999: u64,
    /// The highest.
    pub max: u64,
    /// Those that were asked for.
    asked: [(Percent, u64); ASKED_MAX],
}

impl Percentiles {
    pub(super) fn new(count: u64, min: u64, max: u64, asked: Asked, at: impl Fn(f64) -> u64) -> Self {
        let mut all =
            Self { count, min, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max, ..Self::default() };
        for (place, percent) in asked.iter().enumerate() {
            all.asked[place] = (percent, at(percent.share()));
        }
        all
    }

    /// All of them in order.
    pub fn list(&self) -> Vec<(Percent, u64)> {
        let usual =
            USUAL.iter().zip([self.p50, self.p90, self.p99, self.p999]).map(|((percent, _), value)| (*percent, value));
        let asked = self.asked.into_iter().take_while(|(percent, _)| *percent != Percent::default());
        let mut all: Vec<_> = usual.chain(asked).collect();
        all.sort_unstable();
        all
    }

    /// Whether so few times are beyond a percentile that a single one decides it.
    pub fn has_few_beyond(&self, percent: Percent) -> bool {
        self.count as f64 * (1.0 - percent.share()) + 1e-6 < BEYOND_MIN
    }

    /// One of them; `None` if it was not asked for.
    pub fn at(&self, percent: Percent) -> Option<u64> {
        self.list().into_iter().find(|(of, _)| *of == percent).map(|(_, value)| value)
    }
}

impl Serialize for Percentiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &self.count)?;
        map.serialize_entry("min", &self.min)?;
        for (percent, value) in self.list() {
            map.serialize_entry(&percent.key(), &value)?;
        }
        map.serialize_entry("max", &self.max)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_number_between_0_and_100() {
        for (text, shown, key) in [("99.9", "p99.9", "p999"), ("95", "p95", "p95"), ("99.999", "p99.999", "p99.999")] {
            let percent: Percent = text.parse().unwrap();
            assert_eq!((percent.to_string().as_str(), percent.key().as_str()), (shown, key));
        }
        for wrong in ["0", "100", "-1", "NaN", "99.9999", "p99", ""] {
            assert!(wrong.parse::<Percent>().unwrap_err().contains("such as 99.9"), "{wrong}");
        }
    }

    #[test]
    fn those_that_are_asked_for_stand_among_the_usual_ones() {
        let mut asked = Asked::default();
        for percent in ["99.99", "99", "75", "75"] {
            asked.add(percent.parse().unwrap()).unwrap();
        }
        let all = Percentiles::new(9, 1, 10_000, asked, |share| (share * 10_000.0).round() as u64);
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(
            json,
            r#"{"count":9,"min":1,"p50":5000,"p75":7500,"p90":9000,"p99":9900,"p999":9990,"p99.99":9999,"max":10000}"#
        );
        let few = Percentiles { count: 1_000, ..all };
        assert!(!few.has_few_beyond(Percent::P99) && few.has_few_beyond("99.9".parse().unwrap()));
        assert_eq!((all.at("75".parse().unwrap()), all.at("76".parse().unwrap())), (Some(7_500), None));
    }

    #[test]
    fn there_is_room_for_so_many_and_not_for_one_more() {
        let mut asked = Asked::default();
        for percent in 1..=ASKED_MAX {
            assert_eq!(asked.add(percent.to_string().parse().unwrap()), Ok(()));
        }
        assert_eq!(asked.add("60".parse().unwrap()), Err(TooManyPercentiles));
    }
}
