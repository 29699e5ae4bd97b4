//! "Did you mean": the known word that a misspelt one is most like.

/// How much of a word is compared: no known word is longer.
const WORD_COMPARED_MAX: usize = 64;

/// The word of `known` that `word` is most like, if it is like one at all.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let distance = |candidate: &str| strsim::osa_distance(&word, &plain(candidate));
    let best = known.into_iter().map(|candidate| (distance(candidate), candidate)).min()?;
    // A third of the word wrong is still a slip; more is another word.
    (best.0 <= (best.1.len() / 3).max(1)).then_some(best.1)
}

fn plain(word: &str) -> String {
    word.chars().take(WORD_COMPARED_MAX).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["max_lag", "ring", "ring_age", "workers"];
        for (word, expected) in [
            ("max_lgg", Some("max_lag")),
            ("max-lag", Some("max_lag")),
            ("RING", Some("ring")),
            ("wrokers", Some("workers")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
