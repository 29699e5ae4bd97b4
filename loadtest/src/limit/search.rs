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
    /// The server has nothing by which the thresholds could be judged.
    NotJudged,
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
    /// Nothing could be judged.
    NotJudged,
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
    /// How many runs at the next value held, and how many did not.
    yes: u32,
    no: u32,
    /// The values at which the thresholds held, rising.
    held: Vec<f64>,
    /// Whether the highest of them held twice.
    is_confirmed: bool,
    is_judged: bool,
    fails: Option<f64>,
    /// The values whose runs came to different ends.
    wavered: Vec<f64>,
}

impl Search {
    /// A search within a range that begins at a value.
    pub fn new(begin: f64, range: RangeInclusive<f64>, precision: f64, runs_max: u32) -> Self {
        let next = begin.clamp(*range.start(), *range.end());
        Self {
            range,
            precision,
            runs_max,
            runs: 0,
            next,
            tries: 0,
            yes: 0,
            no: 0,
            held: Vec::new(),
            is_confirmed: false,
            is_judged: true,
            fails: None,
            wavered: Vec::new(),
        }
    }

    /// The highest value at which the thresholds held.
    pub fn holds(&self) -> Option<f64> {
        self.held.last().copied()
    }

    /// The values at which some runs held and others did not.
    pub fn wavered(&self) -> &[f64] {
        &self.wavered
    }

    /// The lowest value at which they did not.
    pub fn fails(&self) -> Option<f64> {
        self.fails
    }

    /// What comes next.
    pub fn step(&self) -> Step {
        let (least, most) = (*self.range.start(), *self.range.end());
        match (self.holds(), self.fails) {
            _ if !self.is_judged => Step::Done(Stopped::NotJudged),
            _ if self.tries >= TRIES => Step::Done(Stopped::LoadTester),
            (Some(holds), None) if holds >= most && self.is_confirmed => Step::Done(Stopped::Highest),
            (None, Some(fails)) if fails <= least => Step::Done(Stopped::Lowest),
            (Some(holds), Some(fails)) if self.is_confirmed && is_near(holds, fails, self.precision) => {
                Step::Done(Stopped::Found)
            }
            _ if self.runs >= self.runs_max => Step::Done(Stopped::Runs),
            _ => Step::Try(self.next),
        }
    }

    /// Notes what a run at the next value came to. One failure may be the machine's: a second run has to confirm it, as
    /// it has to confirm the highest value that held. Where two differ, a third decides.
    pub fn note(&mut self, held: Held) {
        self.runs += 1;
        match held {
            Held::NotJudged => self.is_judged = false,
            Held::Unknown => self.tries += 1,
            Held::Yes | Held::No => {
                self.tries = 0;
                self.count(held == Held::Yes);
            }
        }
    }

    fn count(&mut self, holds: bool) {
        if holds {
            self.yes += 1;
        } else {
            self.no += 1;
        }
        let value = self.next;
        if self.yes > 0 && self.no > 0 && self.wavered.last() != Some(&value) {
            self.wavered.push(value);
        }
        if self.yes > self.no {
            if self.holds() != Some(value) {
                self.held.push(value);
            }
            self.is_confirmed = self.yes >= 2;
        } else if self.no >= 2 && self.no > self.yes {
            self.fails = Some(value);
            self.held.retain(|held| *held < value);
            self.is_confirmed = false;
        } else {
            return;
        }
        self.choose_next();
    }

    fn choose_next(&mut self) {
        let (least, most) = (*self.range.start(), *self.range.end());
        let is_last = match (self.holds(), self.fails) {
            (Some(holds), Some(fails)) => is_near(holds, fails, self.precision),
            (Some(holds), None) => holds >= most,
            (None, _) => false,
        };
        if let Some(holds) = self.holds().filter(|_| is_last && !self.is_confirmed) {
            // It held once.
            (self.next, self.yes, self.no) = (holds, 1, 0);
            return;
        }
        (self.yes, self.no) = (0, 0);
        self.next = match (self.holds(), self.fails) {
            (Some(holds), None) => (holds * 2.0).min(most),
            (None, Some(fails)) => rounded(fails / 2.0).max(least),
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
            assert!(tried.len() <= 30, "{tried:?}");
            let runs_at = |value| tried.iter().filter(|tried| **tried == value).count();
            assert_eq!((runs_at(holds), runs_at(fails)), (2, 2), "both ends are confirmed: {tried:?}");
        }
    }

    #[test]
    fn a_search_says_what_stopped_it() {
        let new = |runs| Search::new(100.0, 10.0..=1_000.0, 0.05, runs);
        assert_eq!(
            search(new(20), |_| Held::Yes),
            (vec![100.0, 200.0, 400.0, 800.0, 1_000.0, 1_000.0], Stopped::Highest, Some(1_000.0), None)
        );
        let (tried, stopped, holds, fails) = search(new(20), |_| Held::No);
        assert_eq!((tried.last(), stopped, holds, fails), (Some(&10.0), Stopped::Lowest, None, Some(10.0)));
        let (tried, stopped, holds, _) = search(new(3), up_to(333.0));
        assert_eq!((tried, stopped, holds), (vec![100.0, 200.0, 400.0], Stopped::Runs, Some(200.0)));
        let (tried, stopped, ..) = search(new(20), |value| if value < 400.0 { Held::Yes } else { Held::Unknown });
        assert_eq!((tried, stopped), (vec![100.0, 200.0, 400.0, 400.0], Stopped::LoadTester));
    }

    #[test]
    fn one_failure_does_not_decide_and_a_third_run_does_where_two_differ() {
        let mut runs = 0;
        // The host pauses in the first run.
        let mut noisy = Search::new(10_000.0, 1.0..=1e6, 0.05, 60);
        while let Step::Try(value) = noisy.step() {
            runs += 1;
            noisy.note(if runs == 1 || value > 80_000.0 { Held::No } else { Held::Yes });
        }
        assert!(noisy.holds().is_some_and(|holds| (76_000.0..=80_000.0).contains(&holds)), "{:?}", noisy.holds());
        assert_eq!(noisy.wavered(), [10_000.0]);
        // What held once by luck does not hold.
        let mut lucky = Search::new(100.0, 10.0..=1_000.0, 0.05, 60);
        let mut at_400 = 0;
        while let Step::Try(value) = lucky.step() {
            at_400 += u32::from(value == 400.0);
            lucky.note(if value < 390.0 || (value == 400.0 && at_400 == 1) { Held::Yes } else { Held::No });
        }
        assert!(lucky.holds().is_some_and(|holds| holds < 390.0), "{lucky:?}");
        assert_eq!(search(Search::new(9.0, 1.0..=99.0, 0.05, 9), |_| Held::NotJudged).1, Stopped::NotJudged);
    }

    #[test]
    fn streams_are_found_to_the_last_one() {
        let (_, stopped, holds, fails) = search(Search::new(4.0, 1.0..=1_000.0, 0.0, 60), up_to(37.0));
        assert_eq!((stopped, holds, fails), (Stopped::Found, Some(37.0), Some(38.0)));
    }
}
