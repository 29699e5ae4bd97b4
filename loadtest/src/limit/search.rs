//! The search itself: doubling or halving until the limit is between two values, then bisecting. It decides only what
//! to try next.

use std::ops::RangeInclusive;

/// How many runs a search may take.
pub const RUNS: RangeInclusive<u32> = 2..=100;
/// How often a value is tried whose run was inconclusive.
const TRIES: u32 = 2;

/// What a run at a value came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The thresholds were met.
    Yes,
    /// They were not.
    No,
    /// The load tester itself was too late to say.
    Unknown,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A run at this value.
    Try(f64),
    /// Nothing: the search is over.
    Done(Stopped),
}

/// What ended a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The limit is known as exactly as was asked for.
    Found,
    /// As many runs as were allowed are done.
    Runs,
    /// The thresholds still hold at the highest value that is allowed.
    Highest,
    /// They do not hold at the lowest value that there is.
    Lowest,
    /// The load tester itself was the limit.
    LoadTester,
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    range: RangeInclusive<f64>,
    /// How far apart the two sides may be in the end: 0.05 is a twentieth.
    precision: f64,
    runs_max: u32,
    runs: u32,
    next: f64,
    tries: u32,
    holds: Option<f64>,
    fails: Option<f64>,
}

impl Search {
    /// A search within a range that begins at a value.
    pub fn new(begin: f64, range: RangeInclusive<f64>, precision: f64, runs_max: u32) -> Self {
        let next = begin.clamp(*range.start(), *range.end());
        Self { range, precision, runs_max, runs: 0, next, tries: 0, holds: None, fails: None }
    }

    /// The highest value at which the thresholds held.
    pub fn holds(&self) -> Option<f64> {
        self.holds
    }

    /// The lowest value at which they did not.
    pub fn fails(&self) -> Option<f64> {
        self.fails
    }

    /// What comes next.
    pub fn step(&self) -> Step {
        let (least, most) = (*self.range.start(), *self.range.end());
        match (self.holds, self.fails) {
            _ if self.tries >= TRIES => Step::Done(Stopped::LoadTester),
            (Some(holds), None) if holds >= most => Step::Done(Stopped::Highest),
            (None, Some(fails)) if fails <= least => Step::Done(Stopped::Lowest),
            (Some(holds), Some(fails)) if is_near(holds, fails, self.precision) => Step::Done(Stopped::Found),
            _ if self.runs >= self.runs_max => Step::Done(Stopped::Runs),
            _ => Step::Try(self.next),
        }
    }

    /// Notes what a run at the next value came to.
    pub fn note(&mut self, held: Held) {
        self.runs += 1;
        match held {
            Held::Unknown => {
                self.tries += 1;
                return;
            }
            Held::Yes => self.holds = Some(self.next),
            Held::No => self.fails = Some(self.next),
        }
        self.tries = 0;
        self.next = match (self.holds, self.fails) {
            (Some(holds), None) => (holds * 2.0).min(*self.range.end()),
            (None, Some(fails)) => rounded(fails / 2.0).max(*self.range.start()),
            (Some(holds), Some(fails)) => between(holds, fails),
            (None, None) => self.next,
        };
    }
}

fn is_near(holds: f64, fails: f64, precision: f64) -> bool {
    let middle = between(holds, fails);
    fails / holds <= 1.0 + precision || middle <= holds || middle >= fails
}

/// A round value in the middle, by ratio.
fn between(holds: f64, fails: f64) -> f64 {
    rounded((holds * fails).sqrt())
}

/// To three digits, and above ten to whole numbers.
fn rounded(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 2.0);
    let unit = if value >= 10.0 { unit.max(1.0) } else { unit };
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a server that holds up to a limit; returns what was tried and what stopped it.
    fn search(mut search: Search, held: impl Fn(f64) -> Held) -> (Vec<f64>, Stopped, Option<f64>, Option<f64>) {
        let mut tried = Vec::new();
        loop {
            match search.step() {
                Step::Try(value) => {
                    tried.push(value);
                    search.note(held(value));
                }
                Step::Done(stopped) => return (tried, stopped, search.holds(), search.fails()),
            }
        }
    }

    fn up_to(limit: f64) -> impl Fn(f64) -> Held {
        move |value| if value <= limit { Held::Yes } else { Held::No }
    }

    #[test]
    fn the_limit_is_between_what_holds_and_what_fails() {
        for (begin, limit) in [(100.0, 3_333.0), (100_000.0, 3_333.0), (3_333.0, 3_333.0), (5.0, 77.0), (1.0, 1.5)] {
            let (tried, stopped, holds, fails) = search(Search::new(begin, 1.0..=1e6, 0.05, 40), up_to(limit));
            let (holds, fails) = (holds.unwrap(), fails.unwrap());
            assert_eq!(stopped, Stopped::Found, "{tried:?}");
            assert!(holds <= limit && limit < fails && fails / holds <= 1.06, "{holds} {fails}");
            assert!(tried.len() <= 20 && tried.iter().filter(|value| **value == begin).count() == 1, "{tried:?}");
        }
    }

    #[test]
    fn a_search_says_what_stopped_it() {
        let new = |runs| Search::new(100.0, 10.0..=1_000.0, 0.05, runs);
        assert_eq!(
            search(new(20), |_| Held::Yes),
            (vec![100.0, 200.0, 400.0, 800.0, 1_000.0], Stopped::Highest, Some(1_000.0), None)
        );
        let (tried, stopped, holds, fails) = search(new(20), |_| Held::No);
        assert_eq!((tried.last(), stopped, holds, fails), (Some(&10.0), Stopped::Lowest, None, Some(10.0)));
        let (tried, stopped, holds, _) = search(new(3), up_to(333.0));
        assert_eq!((tried, stopped, holds), (vec![100.0, 200.0, 400.0], Stopped::Runs, Some(200.0)));
        let (tried, stopped, ..) = search(new(20), |value| if value < 400.0 { Held::Yes } else { Held::Unknown });
        assert_eq!((tried, stopped), (vec![100.0, 200.0, 400.0, 400.0], Stopped::LoadTester));
    }

    #[test]
    fn streams_are_found_to_the_last_one() {
        let (_, stopped, holds, fails) = search(Search::new(4.0, 1.0..=1_000.0, 0.0, 60), up_to(37.0));
        assert_eq!((stopped, holds, fails), (Stopped::Found, Some(37.0), Some(38.0)));
    }
}
