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

/// A book, and the streams that have names of it.
struct Fixture {
    book: Book,
    start: Instant,
}

impl Fixture {
    fn new(limits: DemandLimits) -> Self {
        Self { book: Book::new([limits]), start: Instant::now() }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// Whether the name is new for the feed.
    fn hold(&mut self, number: usize, by: u8, per_minute: usize, seconds: u64) -> Result<bool, TurnedAway> {
        let at = self.at(seconds);
        let granted = self.book.hold(0, &symbol(number), address(by), per_minute, at)?;
        Ok(granted.is_new)
    }

    /// In the current term of the name.
    fn give_back(&mut self, number: usize, by: u8, seconds: u64) {
        let at = self.at(seconds);
        let term = self.book.feeds[0].names[&symbol(number)].term;
        self.book.give_back(0, &symbol(number), term, address(by), at);
    }

    fn sweep(&mut self, seconds: u64) -> Vec<Symbol> {
        let at = self.at(seconds);
        self.book.sweep(0, at)
    }
}

#[test]
fn a_name_is_given_up_once_no_stream_has_had_it_for_as_long_as_it_lingers() {
    let mut book = Fixture::new(LIMITS);
    assert_eq!(book.hold(1, 1, 100, 0), Ok(true));
    assert_eq!(book.hold(1, 2, 100, 0), Ok(false));
    book.give_back(1, 1, 1);
    assert!(book.sweep(99).is_empty(), "a stream has it");
    book.give_back(1, 2, 100);
    assert!(book.sweep(109).is_empty());
    assert_eq!(book.sweep(110), [symbol(1)]);
    assert_eq!((book.book.count(0), book.hold(1, 2, 100, 110)), (0, Ok(true)));
}

#[test]
fn rule_10_a_feed_has_so_many_names_and_an_address_its_share_of_them() {
    let mut book = Fixture::new(LIMITS);
    for number in 0..8 {
        assert_eq!(book.hold(number, number as u8 / 2, 100, 0), Ok(true));
    }
    assert_eq!(book.hold(8, 9, 100, 0), Err(TurnedAway::Full));
    assert_eq!(book.hold(5, 1, 100, 0), Err(TurnedAway::Share), "those of others count too");
    assert_eq!(book.hold(2, 1, 100, 0), Ok(false), "its own do once");
    // What others have asked for first is not theirs once they leave.
    for number in 0..2 {
        assert_eq!(book.hold(number, 9, 100, 0), Ok(false));
        book.give_back(number, 0, 0);
    }
    assert_eq!(book.hold(3, 9, 100, 0), Err(TurnedAway::Share));
    assert_eq!(book.hold(4, 0, 100, 0), Ok(false), "it has its share again");
}

#[test]
fn rule_10_names_that_no_stream_has_leave_room_for_those_that_one_wants() {
    let mut book = Fixture::new(LIMITS);
    // One address takes and leaves its share, over and over.
    for round in 0..20 {
        for number in [2 * round, 2 * round + 1] {
            assert_eq!(book.hold(number, 1, 1_000, round as u64), Ok(true), "round {round}");
        }
        for number in [2 * round, 2 * round + 1] {
            book.give_back(number, 1, round as u64);
        }
        assert!(book.book.count(0) <= LIMITS.symbols);
    }
    assert_eq!(book.book.count(0), LIMITS.symbols, "they linger");
    assert_eq!([100, 101].map(|number| book.hold(number, 2, 100, 20)), [Ok(true); 2]);
    assert_eq!(book.hold(39, 1, 1_000, 20), Ok(false), "the newest are there");
    assert_eq!(book.hold(32, 3, 100, 20), Ok(true), "the oldest have gone");
    // A request that is refused for another reason takes no name away.
    let count = book.book.feeds[0].lingering.len();
    assert_eq!(book.hold(102, 2, 100, 20), Err(TurnedAway::Share));
    assert_eq!(book.hold(103, 4, 0, 20), Err(TurnedAway::Rate));
    assert_eq!(book.book.feeds[0].lingering.len(), count);
}

#[test]
fn rule_10_an_address_has_so_many_new_names_in_any_minute() {
    let mut book = Fixture::new(DemandLimits { symbols: 1_000, per_address: 1_000, linger: LINGER });
    for number in 0..4 {
        assert_eq!(book.hold(number, 1, 6, 0), Ok(true), "all at once, as a page asks for its list");
    }
    assert_eq!([4, 5].map(|number| book.hold(number, 1, 6, 30)), [Ok(true); 2]);
    assert_eq!(book.hold(6, 1, 6, 30), Err(TurnedAway::Rate));
    assert_eq!(book.hold(5, 1, 6, 30), Ok(false), "what is there is not new");
    assert_eq!(book.hold(6, 2, 6, 30), Ok(true), "another one has its own");
    assert_eq!(book.hold(7, 1, 6, 59), Err(TurnedAway::Rate), "a name that was refused does not count");
    for number in 7..11 {
        assert_eq!(book.hold(number, 1, 6, 60), Ok(true), "a minute after the first four");
    }
    assert_eq!(book.hold(11, 1, 6, 89), Err(TurnedAway::Rate));
    assert_eq!(book.hold(11, 1, 6, 90), Ok(true), "a minute after the next two");
    book.sweep(149);
    assert_eq!(book.book.rates.len(), 1);
    book.sweep(150);
    assert!(book.book.rates.is_empty(), "nothing is kept of an address that has all of them again");
}

#[test]
fn a_name_that_another_feed_lists_is_no_streams_any_longer() {
    let mut book = Fixture::new(LIMITS);
    for by in [1, 2] {
        assert!(book.hold(1, by, 100, 0).is_ok());
    }
    assert_eq!(book.hold(2, 1, 100, 0), Ok(true));
    let term = book.book.feeds[0].names[&symbol(1)].term;
    assert!(book.book.give_way(0, &symbol(1)) && !book.book.give_way(0, &symbol(1)));
    assert_eq!((book.book.count(0), book.book.feeds[0].shares.len()), (1, 1), "their shares are free");
    // It comes back, and a stream that had it before ends.
    assert_eq!(book.hold(1, 1, 100, 1), Ok(true));
    let now = book.at(2);
    book.book.give_back(0, &symbol(1), term, address(1), now);
    assert!(book.sweep(100).is_empty(), "another stream of its address has it since");
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
        // The streams, each of one name, with its term.
        let mut streams: Vec<(u8, usize, u64)> = Vec::new();
        // When each address got a new name.
        let mut new: Vec<(u8, Instant)> = Vec::new();
        // The names that are subscribed, and when a stream asked for each last, or left.
        let mut used: HashMap<usize, Instant> = HashMap::new();
        for step in steps {
            match step {
                Step::Ask(by, name) => {
                    let mut own: Vec<usize> =
                        streams.iter().filter(|(other, ..)| *other == by).map(|(_, name, _)| *name).collect();
                    own.sort_unstable();
                    own.dedup();
                    let is_known = used.contains_key(&name);
                    match book.hold(0, &symbol(name), address(by), per_minute, now) {
                        Ok(Granted { is_new, term, evicted }) => {
                            prop_assert_eq!(is_new, !is_known);
                            prop_assert!(own.contains(&name) || own.len() < LIMITS.per_address);
                            let is_full = !is_known && used.len() == LIMITS.symbols;
                            prop_assert_eq!(evicted.is_some(), is_full, "a name leaves early only for another one");
                            let is_held = |name: &usize| streams.iter().any(|(_, wanted, _)| wanted == name);
                            let oldest = used.iter().filter(|(name, _)| !is_held(name)).map(|(_, at)| *at).min();
                            if let Some(evicted) = evicted {
                                let gone = used.extract_if(|name, _| symbol(*name) == evicted).next().unwrap();
                                prop_assert!(!is_held(&gone.0) && Some(gone.1) == oldest, "the oldest without a stream");
                            }
                            streams.push((by, name, term));
                            used.insert(name, now);
                            new.extend(is_new.then_some((by, now)));
                            let in_minute = |(other, at): &&(u8, Instant)| *other == by && *at + MINUTE > now;
                            prop_assert!(new.iter().filter(in_minute).count() <= per_minute);
                        }
                        Err(TurnedAway::Full) => {
                            let is_held = |name: &usize| streams.iter().any(|(_, wanted, _)| wanted == name);
                            prop_assert!(!is_known && used.len() == LIMITS.symbols && used.keys().all(is_held));
                        }
                        Err(TurnedAway::Share) => {
                            prop_assert!(!own.contains(&name) && own.len() == LIMITS.per_address);
                        }
                        Err(TurnedAway::Rate) => prop_assert!(!is_known, "what is there costs nothing"),
                    }
                }
                Step::Leave(stream) if stream < streams.len() => {
                    let (by, name, term) = streams.swap_remove(stream);
                    book.give_back(0, &symbol(name), term, address(by), now);
                    used.insert(name, now);
                }
                Step::Leave(_) => {}
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
                Step::Sweep => {
                    let is_over = |name: &usize, at: &Instant| {
                        !streams.iter().any(|(_, wanted, _)| wanted == name) && *at + LINGER <= now
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
            let unused = book.feeds[0].names.values().filter(|held| held.holders.is_empty()).count();
            prop_assert_eq!(book.feeds[0].lingering.len(), unused);
            prop_assert!(book.feeds[0].shares.values().all(|share| *share <= LIMITS.per_address && *share > 0));
        }
        for (by, name, term) in streams {
            book.give_back(0, &symbol(name), term, address(by), now);
        }
        prop_assert_eq!(book.sweep(0, now + MINUTE).len(), used.len(), "all goes when the streams have gone");
        prop_assert!(book.feeds[0].shares.is_empty() && book.rates.is_empty());
    }
}
