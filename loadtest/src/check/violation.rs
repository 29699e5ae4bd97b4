//! What was against the rules, and the evidence.

use serde::Serialize;

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Every event is as the wire says, of a symbol that was asked for.
    Malformed,
    /// Within a stream a symbol's `seq` only rises, and `trades` never falls.
    Order,
    /// A tick is the same for every client, byte for byte.
    Conflict,
    /// Nothing that others have long replaced is shown as live.
    Old,
    /// What an outage made stale is live only with an update of its own.
    StaleAsLive,
    /// The holes in `seq` are what the gateway says that it left out.
    Holes,
    /// The last state is the venue's.
    LastState,
    /// A tick shows a trade and a quote that the venue sent.
    NotSent,
}

impl Rule {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Order,
        Self::Conflict,
        Self::Old,
        Self::StaleAsLive,
        Self::Holes,
        Self::LastState,
        Self::NotSent,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Order => "order",
            Self::Conflict => "conflict",
            Self::Old => "old",
            Self::StaleAsLive => "stale_as_live",
            Self::Holes => "holes",
            Self::LastState => "last_state",
            Self::NotSent => "not_sent",
        }
    }
}

/// One violation, with what is needed to understand it.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// What was broken.
    pub rule: Rule,
    /// The stream's number; `None` where it is no single one's.
    pub stream: Option<u32>,
    /// When it was read, in µs since 1970.
    pub at: i64,
    /// What is wrong.
    pub what: String,
    /// The bytes that show it, as text, cut to 2,000 characters.
    pub bytes: String,
}

/// Violations of one rule that are kept: the first ones tell, more of them fill memory.
const KEPT_MAX: usize = 10;
/// The most characters of evidence.
const TEXT_MAX: usize = 2_000;

/// All violations: counted, and the first of each rule kept.
#[derive(Debug, Clone, Default)]
pub struct Violations {
    counts: [u64; Rule::ALL.len()],
    kept: Vec<Evidence>,
}

impl Violations {
    /// Notes one.
    pub fn note(&mut self, rule: Rule, stream: Option<u32>, at: i64, what: String, bytes: &[u8]) {
        let count = &mut self.counts[rule as usize];
        *count += 1;
        if *count <= KEPT_MAX as u64 {
            let bytes = String::from_utf8_lossy(bytes).chars().take(TEXT_MAX).collect();
            self.kept.push(Evidence { rule, stream, at, what, bytes });
        }
    }

    /// How many there were of a rule.
    pub fn of(&self, rule: Rule) -> u64 {
        self.counts[rule as usize]
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The first of each rule.
    pub fn kept(&self) -> &[Evidence] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_some_are_kept() {
        let mut violations = Violations::default();
        for stream in 0..1_000 {
            violations.note(Rule::Order, Some(stream), 0, "again".to_owned(), &[b'x'; 5_000]);
        }
        violations.note(Rule::Holes, None, 0, "3 ≠ 4".to_owned(), b"\xff");
        assert_eq!((violations.of(Rule::Order), violations.total(), violations.kept().len()), (1_000, 1_001, 11));
        assert!(violations.kept().iter().all(|evidence| evidence.bytes.len() <= TEXT_MAX));
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, index);
        }
    }
}
