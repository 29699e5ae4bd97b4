//! Several pairs of reports as one comparison: the middle of their ratios, and a verdict on which they agree.

use super::compared::{Compared, Figure, Result, outcome};

/// The comparisons of several pairs as one. There is at least one pair.
pub fn merge(mut pairs: Vec<Compared>, tolerance: f64) -> Compared {
    let Some(mut merged) = pairs.first().cloned() else { return Compared::default() };
    if pairs.len() == 1 {
        return pairs.swap_remove(0);
    }
    merged.reports = pairs.iter().flat_map(|pair| pair.reports.iter().cloned()).collect();
    merged.warnings = pairs.iter().flat_map(|pair| pair.warnings.iter().cloned()).collect();
    merged.warnings.dedup();
    for figure in &mut merged.figures {
        let same = |pair: &Compared| pair.figures.iter().find(|of| of.name == figure.name).cloned();
        let all: Vec<Figure> = pairs.iter().filter_map(same).collect();
        *figure = middle(figure, &all, pairs.len(), tolerance);
    }
    merged.outcome = outcome(&merged.figures);
    merged
}

fn middle(first: &Figure, all: &[Figure], pairs: usize, tolerance: f64) -> Figure {
    let median = |of: fn(&Figure) -> Option<f64>| {
        let mut values: Vec<f64> = all.iter().filter_map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let ratio = median(|figure| figure.ratio);
    let is_same = ratio.is_some_and(|ratio| ratio <= 1.0 + tolerance && ratio >= 1.0 / (1.0 + tolerance));
    let (result, why) = if all.len() < pairs || all.iter().any(|figure| figure.result == Result::NotCompared) {
        (Result::NotCompared, Some("a pair does not have it, or too few times of it".to_owned()))
    } else if all.iter().all(|figure| figure.result == first.result) {
        (first.result, first.why.clone())
    } else if is_same {
        (Result::Same, None)
    } else {
        let ratios = all.iter().map(|figure| figure.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
        (Result::Inconclusive, Some(format!("the pairs do not agree: {}", ratios.collect::<Vec<_>>().join(", "))))
    };
    Figure { a: median(|of| of.a), b: median(|of| of.b), ratio, result, why, ..first.clone() }
}
