//! How evenly streams and symbols are served.

/// The least ages of which a mean is meaningful.
const COUNT_MIN: u64 = 20;

/// The sum of some ages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ages {
    sum: i64,
    count: u64,
}

impl Ages {
    /// Adds an age in µs.
    pub fn add(&mut self, micros: i64) {
        self.sum += micros;
        self.count += 1;
    }

    fn mean(self) -> f64 {
        self.sum as f64 / self.count as f64
    }
}

/// The worst mean divided by the mean of all; `None` if none of them has enough ages.
pub fn spread<'a>(all: impl Iterator<Item = &'a Ages> + Clone) -> Option<f64> {
    let with_enough = all.filter(|ages| ages.count >= COUNT_MIN);
    let worst = with_enough.clone().map(|ages| ages.mean()).reduce(f64::max)?;
    let mut total = Ages::default();
    for ages in with_enough {
        total.sum += ages.sum;
        total.count += ages.count;
    }
    (total.sum > 0).then(|| worst / total.mean())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(of: i64, count: u64) -> Ages {
        let mut ages = Ages::default();
        (0..count).for_each(|_| ages.add(of));
        ages
    }

    #[test]
    fn the_worst_mean_is_divided_by_the_mean_of_all_unless_it_has_too_few_ages() {
        assert_eq!(spread([].iter()), None);
        assert_eq!(spread([ages(10, 100), ages(10, 20)].iter()), Some(1.0));
        assert_eq!(spread([ages(10, 30), ages(50, 30), ages(900, 3)].iter()), Some(50.0 / 30.0));
    }
}
