//! A venue's engine that restarts its ids while the connection lives.

use super::*;
use crate::market::StatsUpdate;
use proptest::prelude::*;

/// The id of a busy book.
const HIGH: u64 = 50_093_239_212;
/// An id that no engine of the venue has drawn.
const WILD: u64 = HIGH * 1_000_000;

/// A symbol whose trades go on beside the part that is tried.
struct Symbol {
    snapshot: Snapshot,
    guards: Guards,
    now: Now,
}

impl Symbol {
    fn new() -> Self {
        let snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        Self { snapshot, guards: Guards::default(), now: now() }
    }

    fn apply(&mut self, update: &Update) -> Applied {
        self.snapshot.apply(update, &mut self.guards, self.now)
    }

    /// A quote with this id, which is its bid too; whether it moved the bid.
    fn quote(&mut self, id: u64) -> bool {
        self.apply(&quote(Some(id), number(id as i64)));
        self.bid() == id
    }

    fn bid(&self) -> u64 {
        self.snapshot.quote.bid.unwrap().to_string().parse().unwrap()
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// Quotes so many seconds apart; the places of those that moved the bid.
    fn quotes(&mut self, ids: impl IntoIterator<Item = u64>, apart: u64) -> Vec<usize> {
        let mut moved = Vec::new();
        for (place, id) in ids.into_iter().enumerate() {
            if self.quote(id) {
                moved.push(place);
            }
            self.wait(apart);
        }
        moved
    }

    fn is_stale(&self, part: Part) -> bool {
        self.snapshot.stale().contains(part)
    }
}

#[test]
fn rule_8_a_part_whose_ids_restart_on_a_living_connection_goes_on() {
    let from = |first: u64, step: u64| (0..40).map(move |place| first + place * step).collect::<Vec<_>>();
    let every = |from: usize| (from..40).collect::<Vec<_>>();
    let cases: [(&str, Vec<u64>, u64, Vec<usize>); 11] = [
        ("at 1", from(1, 1), 0, every(31)),
        ("at 0", from(0, 1), 0, every(31)),
        ("with gaps", from(7, 1_000), 0, every(31)),
        ("at half", from(HIGH / 2 - 100, 1), 0, every(31)),
        ("of a slow symbol", from(1, 1), 4, every(3)),
        ("of a rare one", from(1, 1), 3_600, every(2)),
        ("of a wild id", [vec![WILD], from(HIGH + 1, 1)].concat(), 0, [vec![], (32..41).collect()].concat()),
        (
            "with a late id in between",
            [from(1, 1)[..20].to_vec(), vec![19, 20, 15], from(21, 1)].concat(),
            0,
            (34..63).collect(),
        ),
        (
            "with a late id of before in between",
            [from(1, 1)[..20].to_vec(), vec![HIGH - 5], from(21, 1)].concat(),
            0,
            (32..61).collect(),
        ),
        ("above half", from(HIGH / 2 + 1, 1), 60, vec![]),
        ("falling", from(1, 1).into_iter().rev().collect(), 60, vec![]),
    ];
    for (name, ids, apart, expected) in cases {
        let mut symbol = Symbol::new();
        assert!(symbol.quote(HIGH));
        let wild = usize::from(ids[0] == WILD);
        symbol.quotes(ids[..wild].iter().copied(), 0);
        let moved: Vec<usize> = symbol.quotes(ids[wild..].iter().copied(), apart);
        let moved: Vec<usize> = moved.into_iter().map(|place| place + wild).collect();
        assert_eq!(moved, expected, "{name}");
    }
}

#[test]
fn rule_8_the_second_of_two_rising_low_ids_makes_the_part_stale_until_it_goes_on() {
    let mut symbol = Symbol::new();
    symbol.apply(&trade(None, at(0), 1));
    symbol.quote(HIGH);
    symbol.quote(1);
    assert_eq!(symbol.snapshot.stale(), Parts::NONE, "one may be late");
    let second = symbol.apply(&quote(Some(2), number(2)));
    assert_eq!((second.changed, second.late), (Parts::STATUS, Parts::from_iter([Part::Quote])));
    assert_eq!((symbol.snapshot.state(), symbol.snapshot.stale()), (State::Live, Parts::from_iter([Part::Quote])));
    symbol.apply(&trade(None, at(0), 2));
    assert!(symbol.is_stale(Part::Quote), "a trade does not renew the quote");
    assert!(symbol.quotes(3..32, 0).is_empty());
    assert!(symbol.is_stale(Part::Quote) && symbol.quote(32));
    assert_eq!((symbol.snapshot.state(), symbol.snapshot.stale()), (State::Live, Parts::NONE));
}

#[test]
fn rule_8_a_symbol_whose_only_part_restarts_is_stale_and_says_why() {
    let mut symbol = Symbol::new();
    symbol.quotes([HIGH, 1, 2], 0);
    assert_eq!(symbol.snapshot.state(), State::Stale);
    assert_eq!(symbol.snapshot.not_live_since().unwrap().1, Reason::Restart);
    assert!(symbol.quote(HIGH + 1), "an id above the highest ends the suspicion");
    assert_eq!((symbol.snapshot.state(), symbol.snapshot.stale()), (State::Live, Parts::NONE));
    assert!(symbol.quotes([1, HIGH / 2, HIGH - 1], 60).is_empty(), "and the run begins again");
}

#[test]
fn rule_8_low_ids_that_repeat_or_do_not_rise_restart_nothing() {
    let repeat = |ids: &[u64]| ids.iter().copied().cycle().take(200).collect::<Vec<_>>();
    for ids in [repeat(&[1]), repeat(&[0]), repeat(&[2, 1]), repeat(&[3, 2, 1]), repeat(&[9, 9, 8])] {
        let mut symbol = Symbol::new();
        symbol.quote(HIGH);
        assert!(symbol.quotes(ids.iter().copied(), 1).is_empty(), "{:?}", &ids[..4]);
    }
    let mut symbol = Symbol::new();
    symbol.quote(HIGH);
    symbol.quotes([1, 2, 3], 0);
    symbol.wait(60);
    assert!(!symbol.quote(3), "a repeat is not a rise");
    assert!(symbol.quote(4));
}

#[test]
fn rule_8_two_restarts_in_a_row_and_a_restart_after_a_restart_are_each_found() {
    let mut symbol = Symbol::new();
    symbol.quote(HIGH);
    assert!(symbol.quotes(1..=20, 0).is_empty());
    assert_eq!(symbol.quotes(1..=40, 0), (31..40).collect::<Vec<_>>(), "the second begins the run again");
    assert!(symbol.quotes(41..=200, 0).len() == 160);
    assert_eq!(symbol.quotes(1..=40, 0), (31..40).collect::<Vec<_>>());
}

#[test]
fn rule_8_a_restart_is_found_while_halted_and_in_every_part_that_has_ids() {
    let sequence = |id: u64| Sequence { id: Some(id), ..Sequence::default() };
    let message = |part: Part, id: u64| {
        let value = number(id as i64);
        let mut update = Update::default();
        match part {
            Part::Trade => update = trade(Some(id), None, id as i64),
            Part::Quote => update = quote(Some(id), value),
            Part::Stats => {
                update.stats = Some(StatsUpdate { sequence: sequence(id), volume: value, ..StatsUpdate::default() });
            }
            Part::Status => {
                let halted = if id.is_multiple_of(2) { Field::Clear } else { Field::Set(Halt::News) };
                update.status = Some(StatusUpdate { sequence: sequence(id), halted, ..StatusUpdate::default() });
            }
        }
        update
    };
    for part in Part::ALL {
        let mut symbol = Symbol::new();
        symbol.apply(&status(Field::Set(Halt::News), None));
        symbol.apply(&message(part, HIGH));
        let late = (1..=40).filter(|&id| !symbol.apply(&message(part, id)).late.is_empty()).count();
        assert_eq!(late, 31, "{part:?}");
    }
}

#[test]
fn rule_8_ids_with_times_follow_the_times() {
    let trades = |times: fn(u64) -> i64| {
        let mut symbol = Symbol::new();
        symbol.apply(&trade(Some(HIGH), at(-100), 1));
        (1..=40).filter(|&id| symbol.apply(&trade(Some(id), at(times(id)), 1)).late.is_empty()).count()
    };
    assert_eq!(trades(|id| -99 + id as i64), 40, "a newer time restarts at once");
    assert_eq!(trades(|id| -200 + id as i64), 0, "what is older by its time is late, however much of it comes");
    assert_eq!(trades(|_| -100), 9, "equal times say nothing");
}

#[test]
fn rule_8_a_new_connection_ends_a_suspicion() {
    let mut symbol = Symbol::new();
    symbol.quotes([HIGH, 1, 2, 3], 0);
    symbol.snapshot.outage(Reason::ConnectionLost, &mut symbol.guards, now());
    assert!(symbol.quote(1), "ids alone begin with each connection");
    assert_eq!((symbol.snapshot.state(), symbol.snapshot.stale()), (State::Live, Parts::NONE));
}

/// What a venue may send of a part: its next id, a restart and its first id, a late or a low id, a wild one.
fn told() -> impl Strategy<Value = Vec<(u8, u64, u64)>> {
    prop::collection::vec((0_u8..40, 0_u64..1_000, 0_u64..4), 1..200)
}

proptest! {
    /// However a venue repeats, reorders and restarts: a part moves back only after 32 rising low ids, or three over
    /// ten seconds, since the last id above the highest.
    #[test]
    fn rule_8_no_shorter_run_of_low_ids_moves_a_part_back(told in told()) {
        let mut symbol = Symbol::new();
        let (mut highest, mut next) = (1_000, 1_000);
        symbol.quote(highest);
        // The low ids since the last one that moved the part, and when they came.
        let mut low: Vec<(u64, u64)> = Vec::new();
        let mut second = 0;
        for (kind, pick, wait) in told {
            second += wait;
            symbol.wait(wait);
            let id = match kind {
                0 => { next = pick % 10; next }
                1 => pick * 1_000_000,
                2..6 => pick,
                _ => { next += 1 + pick % 3; next }
            };
            if id <= highest / 2 {
                low.push((id, second));
            }
            let moved_back = symbol.quote(id) && id < highest;
            if moved_back {
                prop_assert!(proves_a_restart(&low), "{low:?}");
            } else if id <= highest {
                prop_assert_eq!(symbol.bid(), highest);
                continue;
            }
            prop_assert_eq!(symbol.bid(), id);
            highest = id;
            low.clear();
        }
    }
}

/// Whether a rising run that ends with the last id is long enough.
fn proves_a_restart(low: &[(u64, u64)]) -> bool {
    let (last, now) = low[low.len() - 1];
    // The longest rising run up to each place, from each place on.
    (0..low.len()).any(|first| {
        let mut longest = vec![0_usize; low.len()];
        for place in first..low.len() {
            let before = (first..place).filter(|&before| low[before].0 < low[place].0).map(|before| longest[before]);
            longest[place] = match before.max() {
                _ if place == first => 1,
                Some(count) if count > 0 => count + 1,
                _ => 0,
            };
        }
        let count = longest[low.len() - 1];
        low[first].0 <= last && (count >= 32 || (count >= 3 && now - low[first].1 >= 10))
    })
}
