//! Places that are taken, left and taken again.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn symbol(number: u8) -> ListedSymbol {
    format!("S{number}").parse::<Symbol>().unwrap().into()
}

#[test]
fn a_place_that_was_left_is_taken_again_once_its_requests_are_answered() {
    let mut places = Places::default();
    assert_eq!([1, 2].map(|number| places.add(&symbol(number))), [Some(FeedSymbol(0)), Some(FeedSymbol(1))]);
    assert_eq!(places.add(&symbol(1)), None, "it is listed");
    assert_eq!(places.tell().0.len(), 2);
    assert_eq!(places.remove(&symbol(1).symbol), Some(FeedSymbol(0)));
    assert_eq!(places.remove(&symbol(1).symbol), None);
    assert_eq!(places.tell(), (vec![], vec![FeedSymbol(0)]));
    places.rest(FeedSymbol(0), 7);
    places.wake(|id| id <= 6);
    assert_eq!(places.add(&symbol(1)), Some(FeedSymbol(2)), "the same symbol, too, gets another place meanwhile");
    places.rest_until(8);
    places.wake(|id| id <= 7);
    assert_eq!(places.add(&symbol(3)), Some(FeedSymbol(3)));
    places.wake(|id| id <= 8);
    assert_eq!(places.add(&symbol(4)), Some(FeedSymbol(0)));
    let listed: Vec<_> = places.listed().into_iter().map(|(place, listed)| (place.0, listed)).collect();
    assert_eq!(listed, [(0, symbol(4)), (1, symbol(2)), (2, symbol(1)), (3, symbol(3))]);
    assert_eq!(places.len(), 4);
}

#[test]
fn rule_10_what_the_venue_is_not_told_yet_is_each_place_once() {
    let mut places = Places::default();
    for _ in 0..100 {
        let place = places.add(&symbol(1)).unwrap();
        assert_eq!(places.remove(&symbol(1).symbol), Some(place), "it was never told of it");
    }
    assert!(!places.is_untold() && places.symbols.len() == 1);
    places.add(&symbol(1));
    places.tell();
    for _ in 0..100 {
        places.remove(&symbol(1).symbol);
        places.add(&symbol(1));
    }
    assert_eq!(places.tell(), (vec![(FeedSymbol(1), symbol(1))], vec![FeedSymbol(0)]));
}

proptest! {
    /// Symbols come and go, and requests are answered in order: no two symbols, and no symbol and a place that rests,
    /// ever share a place, and places are not used up.
    #[test]
    fn no_place_has_two_symbols(steps in prop::collection::vec((0_u8..12, any::<bool>()), 1..200)) {
        let mut places = Places::default();
        let mut resting = HashSet::new();
        let mut asked = 0;
        for (number, answers) in steps {
            if answers {
                places.wake(|id| id <= asked);
                resting.clear();
            }
            match places.remove(&symbol(number).symbol) {
                Some(place) => {
                    asked += 1;
                    for left in places.tell().1 {
                        prop_assert_eq!(left, place);
                        places.rest(place, asked);
                        resting.insert(place);
                    }
                }
                None => {
                    let place = places.add(&symbol(number)).unwrap();
                    prop_assert!(!resting.contains(&place));
                }
            }
            let taken: HashSet<_> = places.taken().collect();
            prop_assert_eq!(taken.len(), places.len());
            prop_assert!(taken.is_disjoint(&resting));
            prop_assert_eq!(places.symbols.len(), taken.len() + resting.len() + places.free.len());
        }
    }
}
