//! Violations of the rules, with evidence.

use serde::Serialize;

/// A rule that must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Every event follows the wire format, and is of a symbol that the stream asked for.
    Malformed,
    /// Within a stream a symbol's `seq` only rises, and `trades` never falls.
    Order,
    /// A tick is the same for every client, byte for byte.
    Conflict,
    /// A tick that other streams have long replaced is not shown as live.
    Old,
    /// A symbol that an outage made stale is live again only with an update of its own.
    StaleAsLive,
    /// The holes in `seq` are the ticks that the gateway counts as missed.
    Holes,
    /// A stream ends on the venue's last state.
    LastState,
    /// Every tick shows a trade and a quote that the venue sent.
    NotSent,
}

impl Rule {
    /// All rules in the order of their numbers.
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

/// A violation, with the evidence.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// The violated rule.
    pub rule: Rule,
    /// The stream's number; `None` if it concerns all streams.
    pub stream: Option<u32>,
    /// When the event was read, in µs since 1970.
    pub at: i64,
    /// What is wrong.
    pub what: String,
    /// The bytes that show it, truncated to 2,000 characters.
    pub bytes: String,
}

/// The most violations of a rule that are kept. The first ones are enough to understand a fault.
const KEPT_MAX: usize = 10;
/// The most characters of evidence.
const CHARACTERS_MAX: usize = 2_000;

/// Counts all violations and keeps the first ones of each rule.
#[derive(Debug, Clone, Default)]
pub struct Violations {
    counts: [u64; Rule::ALL.len()],
    kept: Vec<Evidence>,
}

impl Violations {
    /// Notes a violation.
    pub fn note(&mut self, rule: Rule, stream: Option<u32>, at: i64, what: String, bytes: &[u8]) {
        let count = &mut self.counts[rule as usize];
        *count += 1;
        if *count <= KEPT_MAX as u64 {
            let bytes = String::from_utf8_lossy(bytes).chars().take(CHARACTERS_MAX).collect();
            self.kept.push(Evidence { rule, stream, at, what, bytes });
        }
    }

    /// The number of violations of a rule.
    pub fn of(&self, rule: Rule) -> u64 {
        self.counts[rule as usize]
    }

    /// The number of all violations.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The first ones of each rule.
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
        assert!(violations.kept().iter().all(|evidence| evidence.bytes.len() <= CHARACTERS_MAX));
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, index);
        }
    }
}
