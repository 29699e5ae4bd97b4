//! "Did you mean": the known word that a misspelt one is most like.

/// How much of a word is compared: no known word is longer.
const WORD_COMPARED_MAX: usize = 64;

/// The word of `known` that `word` is most like, if it is like one at all.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let distance = |candidate: &str| strsim::osa_distance(&word, &plain(candidate));
    let best = known.into_iter().map(|candidate| (distance(candidate), candidate)).min()?;
    // A third of the word wrong is still a slip; more is another word.
    (best.0 <= (best.1.len().min(word.len()) / 3).max(1)).then_some(best.1)
}

/// The question, or an empty string if the word is like none.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or(String::new(), |known| format!("did you mean `{known}`? "))
}

fn plain(word: &str) -> String {
    word.chars().take(WORD_COMPARED_MAX).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// The question after serde's message about an unknown field or variant, which quotes the word and then all known ones.
pub(super) fn after_message(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next().filter(|_| message.contains("unknown field") || message.contains("unknown variant"))?;
    nearest(word, quoted).map(|known| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["latency_p99", "lost", "violations"];
        for (word, expected) in [
            ("latency-p99", Some("latency_p99")),
            ("violation", Some("violations")),
            ("LOST", Some("lost")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(did_you_mean("lots", known), "did you mean `lost`? ");
        assert_eq!(did_you_mean("colour", known), "");
    }

    #[test]
    fn a_message_about_an_unknown_word_is_followed_by_the_known_one() {
        let message = "unknown field `abuot`, expected one of `about`, `venue`";
        assert_eq!(after_message(message).as_deref(), Some("did you mean `about`?"));
        assert_eq!(after_message("unknown field `zzz`, expected `about`"), None);
        assert_eq!(after_message("`10 parsecs` is not a time"), None);
    }
}
