//! Several pairs of reports as one comparison: the middle of their ratios, and a verdict on which they agree.

use super::compared::{Compared, Figure, Result, outcome};

/// The comparisons of several pairs as one. There is at least one pair.
pub fn merge(mut pairs: Vec<Compared>) -> Compared {
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
        *figure = middle(figure, &all, pairs.len());
    }
    merged.outcome = outcome(&merged.figures);
    merged
}

fn middle(first: &Figure, all: &[Figure], pairs: usize) -> Figure {
    let (a, b, ratio) = middle_values(all);
    let (result, why) = if all.len() < pairs || all.iter().any(|figure| figure.result == Result::NotCompared) {
        (Result::NotCompared, Some("a pair does not have it, or too few times of it".to_owned()))
    } else if all.iter().all(|figure| figure.result == first.result) {
        (first.result, first.why.clone())
    } else {
        let ratios = all.iter().map(|figure| figure.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
        (Result::Inconclusive, Some(format!("the pairs do not agree: {}", ratios.collect::<Vec<_>>().join(", "))))
    };
    Figure { a, b, ratio, result, why, ..first.clone() }
}

/// The values of the pair in the middle by its ratio, or the geometric means of the two.
fn middle_values(all: &[Figure]) -> (Option<f64>, Option<f64>, Option<f64>) {
    let mut pairs: Vec<(f64, f64, f64)> =
        all.iter().filter_map(|figure| Some((figure.ratio.unwrap_or(f64::INFINITY), figure.a?, figure.b?))).collect();
    pairs.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let Some(upper) = pairs.get(pairs.len() / 2) else { return (None, None, None) };
    let lower = pairs.get((pairs.len() - 1) / 2).unwrap_or(upper);
    let mean = |one: f64, other: f64| if one == other { one } else { (one * other).sqrt() };
    let (a, b) = (mean(lower.1, upper.1), mean(lower.2, upper.2));
    (Some(a), Some(b), if a == b { Some(1.0) } else { (a > 0.0).then(|| b / a) })
}
