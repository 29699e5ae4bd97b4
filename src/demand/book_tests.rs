use super::*;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const LINGER: Duration = Duration::from_secs(10);
const LIMITS: DemandLimits = DemandLimits { symbols: 8, per_address: 2, linger: LINGER };

fn address(number: u8) -> ClientAddress {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)).into()
}

fn symbol(number: usize) -> Symbol {
    format!("S{number}").parse().unwrap()
}

/// Names that are given up, none of which is wanted.
fn unwanted(book: &mut Book, now: Instant) -> usize {
    book.sweep(0, now, |_| Demand::Never).len()
}

#[test]
fn a_name_is_given_up_once_no_stream_has_wanted_it_for_as_long_as_it_lingers() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut book = Book::new([LIMITS]);
    assert_eq!(book.hold(0, &symbol(1), address(1), 100, start), Ok(()));
    assert!(book.sweep(0, after(99), |_| Demand::Now).is_empty(), "a stream wants it");
    let left = |_: &Symbol| Demand::Until(after(100));
    assert!(book.sweep(0, after(109), left).is_empty());
    assert!(book.touch(0, &symbol(1), after(109)), "another one asks for it");
    assert!(book.sweep(0, after(118), left).is_empty());
    assert_eq!(book.sweep(0, after(119), left), [(symbol(1), address(1))]);
    assert_eq!((book.count(0), book.touch(0, &symbol(1), after(119))), (0, false));
}

#[test]
fn rule_10_a_feed_has_so_many_names_and_an_address_its_share_of_them() {
    let now = Instant::now();
    let mut book = Book::new([LIMITS]);
    for number in 0..8 {
        assert_eq!(book.hold(0, &symbol(number), address(number as u8 / 2), 100, now), Ok(()));
    }
    assert_eq!(book.hold(0, &symbol(8), address(9), 100, now), Err(TurnedAway::Full));
    assert!(!book.hold_again(0, &symbol(8), address(9), now));
    assert_eq!(unwanted(&mut book, now + LINGER), 8);
    for number in 0..2 {
        assert_eq!(book.hold(0, &symbol(number), address(1), 100, now), Ok(()));
    }
    assert_eq!(book.hold(0, &symbol(2), address(1), 100, now), Err(TurnedAway::Share));
    assert_eq!(book.hold(0, &symbol(2), address(2), 100, now), Ok(()));
    assert!(book.hold_again(0, &symbol(3), address(1), now), "streams have it already");
}

#[test]
fn rule_10_an_address_has_so_many_new_names_in_a_minute() {
    let start = Instant::now();
    let mut book = Book::new([DemandLimits { symbols: 1_000, per_address: 1_000, linger: LINGER }]);
    let mut ask = |number, by, seconds| book.hold(0, &symbol(number), by, 6, start + Duration::from_secs(seconds));
    for number in 0..6 {
        assert_eq!(ask(number, address(1), 0), Ok(()));
    }
    assert_eq!(ask(6, address(1), 0), Err(TurnedAway::Rate));
    assert_eq!(ask(6, address(2), 0), Ok(()), "another one has its own");
    assert_eq!(ask(7, address(1), 9), Err(TurnedAway::Rate));
    assert_eq!(ask(7, address(1), 10), Ok(()), "one in ten seconds");
    assert_eq!(ask(8, address(1), 10), Err(TurnedAway::Rate));
    for number in 8..14 {
        assert_eq!(ask(number, address(1), 70), Ok(()), "and all of them after a minute");
    }
    unwanted(&mut book, start + Duration::from_secs(130));
    assert!(book.rates.is_empty(), "nothing is kept of an address that has all of them again");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A stream of an address asks for a name.
    Ask(u8, usize),
    /// Streams of a name leave.
    Leave(usize),
    Pass(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..5, 0_usize..30).prop_map(|(by, name)| Step::Ask(by, name)),
        2 => (0_usize..30).prop_map(Step::Leave),
        2 => (1_u64..8).prop_map(Step::Pass),
        2 => Just(Step::Sweep),
    ]
}

proptest! {
    #[test]
    fn the_book_keeps_its_limits_and_gives_up_only_what_no_stream_wants(
        steps in prop::collection::vec(step(), 1..300),
        per_minute in 1_usize..40,
    ) {
        let mut now = Instant::now();
        let mut book = Book::new([LIMITS]);
        // What streams want, and since when they do not.
        let mut demand: HashMap<Symbol, Demand> = HashMap::new();
        let mut subscribed: HashMap<Symbol, u8> = HashMap::new();
        let mut new_names: Vec<(u8, Instant)> = Vec::new();
        for step in steps {
            match step {
                Step::Ask(by, number) => {
                    let name = symbol(number);
                    let is_held = book.touch(0, &name, now);
                    prop_assert_eq!(is_held, subscribed.contains_key(&name), "wanted names stay, others go");
                    if !is_held {
                        let of_address = subscribed.values().filter(|other| **other == by).count();
                        let recent = new_names.iter().filter(|(other, at)| *other == by && *at + MINUTE > now).count();
                        match book.hold(0, &name, address(by), per_minute, now) {
                            Ok(()) => {
                                prop_assert!(subscribed.len() < LIMITS.symbols && of_address < LIMITS.per_address);
                                // A minute may have the end of what one has saved, and what comes in it.
                                prop_assert!(recent < 2 * per_minute);
                                new_names.push((by, now));
                                subscribed.insert(name.clone(), by);
                            }
                            Err(TurnedAway::Full) => prop_assert_eq!(subscribed.len(), LIMITS.symbols),
                            Err(TurnedAway::Share) => prop_assert_eq!(of_address, LIMITS.per_address),
                            Err(TurnedAway::Rate) => prop_assert!(recent > 0, "others use nothing of it up"),
                        }
                    }
                    if subscribed.contains_key(&name) {
                        demand.insert(name, Demand::Now);
                    }
                }
                Step::Leave(number) => {
                    if let Some(demand) = demand.get_mut(&symbol(number)).filter(|demand| **demand == Demand::Now) {
                        *demand = Demand::Until(now);
                    }
                }
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
                Step::Sweep => {
                    for (name, by) in book.sweep(0, now, |name| demand[name]) {
                        prop_assert_eq!(subscribed.remove(&name).map(address), Some(by));
                        let lingered = matches!(demand.remove(&name), Some(Demand::Until(at)) if now >= at + LINGER);
                        prop_assert!(lingered, "a stream wants {}", name);
                    }
                    let kept = |demand: &Demand| !matches!(demand, Demand::Until(at) if now >= *at + LINGER);
                    prop_assert!(demand.values().all(kept), "what lingered goes");
                }
            }
            prop_assert_eq!(book.count(0), subscribed.len());
            prop_assert_eq!(book.feeds[0].shares.values().sum::<usize>(), subscribed.len());
        }
        let end = now + MINUTE + LINGER;
        prop_assert_eq!(unwanted(&mut book, end), subscribed.len());
        prop_assert!(book.feeds[0].shares.is_empty() && book.rates.is_empty());
    }
}
