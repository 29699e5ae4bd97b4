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

#[test]
fn a_name_is_given_up_once_no_stream_has_had_it_for_as_long_as_it_lingers() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut book = Book::new([LIMITS]);
    assert_eq!(book.hold(0, &symbol(1), address(1), 100, start), Ok(true));
    assert_eq!(book.hold(0, &symbol(1), address(2), 100, start), Ok(false));
    book.give_back(0, &symbol(1), address(1), after(1));
    assert!(book.sweep(0, after(99)).is_empty(), "a stream has it");
    book.give_back(0, &symbol(1), address(2), after(100));
    assert!(book.sweep(0, after(109)).is_empty());
    assert_eq!(book.sweep(0, after(110)), [symbol(1)]);
    assert_eq!((book.count(0), book.hold(0, &symbol(1), address(2), 100, after(110))), (0, Ok(true)));
}

#[test]
fn rule_10_a_feed_has_so_many_names_and_an_address_its_share_of_them() {
    let now = Instant::now();
    let mut book = Book::new([LIMITS]);
    for number in 0..8 {
        assert_eq!(book.hold(0, &symbol(number), address(number as u8 / 2), 100, now), Ok(true));
    }
    assert_eq!(book.hold(0, &symbol(8), address(9), 100, now), Err(TurnedAway::Full));
    assert_eq!(book.hold(0, &symbol(5), address(1), 100, now), Err(TurnedAway::Share), "those of others count too");
    assert_eq!(book.hold(0, &symbol(2), address(1), 100, now), Ok(false), "its own do once");
    // What others have asked for first is not theirs once they leave.
    let ours = address(9);
    for number in 0..2 {
        assert_eq!(book.hold(0, &symbol(number), ours, 100, now), Ok(false));
        book.give_back(0, &symbol(number), address(0), now);
    }
    assert_eq!(book.hold(0, &symbol(3), ours, 100, now), Err(TurnedAway::Share));
    assert_eq!(book.hold(0, &symbol(4), address(0), 100, now), Ok(false), "it has its share again");
}

#[test]
fn rule_10_an_address_has_so_many_new_names_in_a_minute() {
    let start = Instant::now();
    let mut book = Book::new([DemandLimits { symbols: 1_000, per_address: 1_000, linger: LINGER }]);
    let mut ask = |number, by, seconds| book.hold(0, &symbol(number), by, 6, start + Duration::from_secs(seconds));
    for number in 0..6 {
        assert_eq!(ask(number, address(1), 0), Ok(true));
    }
    assert_eq!(ask(6, address(1), 0), Err(TurnedAway::Rate));
    assert_eq!(ask(5, address(1), 0), Ok(false), "what is there is not new");
    assert_eq!(ask(6, address(2), 0), Ok(true), "another one has its own");
    assert_eq!(ask(7, address(1), 9), Err(TurnedAway::Rate));
    assert_eq!(ask(7, address(1), 10), Ok(true), "one in ten seconds");
    assert_eq!(ask(8, address(1), 10), Err(TurnedAway::Rate));
    for number in 8..14 {
        assert_eq!(ask(number, address(1), 70), Ok(true), "and all of them after a minute");
    }
    book.sweep(0, start + Duration::from_secs(130));
    assert!(book.rates.is_empty(), "nothing is kept of an address that has all of them again");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A stream of an address asks for a name.
    Ask(u8, usize),
    /// One of the streams leaves.
    Leave(usize),
    Pass(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..5, 0_usize..12).prop_map(|(by, name)| Step::Ask(by, name)),
        3 => (0_usize..8).prop_map(Step::Leave),
        2 => (1_u64..8).prop_map(Step::Pass),
        2 => Just(Step::Sweep),
    ]
}

proptest! {
    #[test]
    fn the_book_keeps_its_limits_and_gives_up_only_what_no_stream_has(
        steps in prop::collection::vec(step(), 1..300),
        per_minute in 1_usize..40,
    ) {
        let mut now = Instant::now();
        let mut book = Book::new([LIMITS]);
        // The streams, each of one name.
        let mut streams: Vec<(u8, usize)> = Vec::new();
        // The names that are subscribed, and when a stream asked for each last, or left.
        let mut used: HashMap<usize, Instant> = HashMap::new();
        for step in steps {
            match step {
                Step::Ask(by, name) => {
                    let mut own: Vec<usize> =
                        streams.iter().filter(|(other, _)| *other == by).map(|(_, name)| *name).collect();
                    own.sort_unstable();
                    own.dedup();
                    let is_known = used.contains_key(&name);
                    match book.hold(0, &symbol(name), address(by), per_minute, now) {
                        Ok(is_new) => {
                            prop_assert_eq!(is_new, !is_known);
                            prop_assert!(own.contains(&name) || own.len() < LIMITS.per_address);
                            prop_assert!(is_known || used.len() < LIMITS.symbols);
                            streams.push((by, name));
                            used.insert(name, now);
                        }
                        Err(TurnedAway::Full) => prop_assert!(!is_known && used.len() == LIMITS.symbols),
                        Err(TurnedAway::Share) => {
                            prop_assert!(!own.contains(&name) && own.len() == LIMITS.per_address);
                        }
                        Err(TurnedAway::Rate) => prop_assert!(!is_known, "what is there costs nothing"),
                    }
                }
                Step::Leave(stream) if stream < streams.len() => {
                    let (by, name) = streams.swap_remove(stream);
                    book.give_back(0, &symbol(name), address(by), now);
                    used.insert(name, now);
                }
                Step::Leave(_) => {}
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
                Step::Sweep => {
                    let is_over = |name: &usize, at: &Instant| {
                        !streams.iter().any(|(_, wanted)| wanted == name) && *at + LINGER <= now
                    };
                    let mut over: Vec<Symbol> =
                        used.iter().filter(|(name, at)| is_over(name, at)).map(|(name, _)| symbol(*name)).collect();
                    used.retain(|name, at| !is_over(name, at));
                    let mut given_up = book.sweep(0, now);
                    over.sort();
                    given_up.sort();
                    prop_assert_eq!(given_up, over);
                }
            }
            prop_assert_eq!(book.count(0), used.len());
            prop_assert!(book.feeds[0].shares.values().all(|share| *share <= LIMITS.per_address && *share > 0));
        }
        for (by, name) in streams {
            book.give_back(0, &symbol(name), address(by), now);
        }
        prop_assert_eq!(book.sweep(0, now + MINUTE).len(), used.len(), "all goes when the streams have gone");
        prop_assert!(book.feeds[0].shares.is_empty() && book.rates.is_empty());
    }
}
