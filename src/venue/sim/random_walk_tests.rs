use super::*;
use crate::{
    market::{Field, Side, Update},
    venue::{Batch, Message, Venue, kit::Given, sim::Sim},
};

/// Walks a few thousand steps and reads all of it as the venue does.
fn walked(symbols: &[&str], seed: u64) -> Vec<Update> {
    let symbols: Vec<Symbol> = symbols.iter().map(|symbol| symbol.parse().unwrap()).collect();
    let given = Given { symbols: symbols.iter().cloned().map(Into::into).collect(), ..Given::default() };
    let mut venue = Sim::new(&given.setup()).unwrap();
    let mut batch = Batch::default();
    let mut walk = RandomWalk::new(seed);
    let time = |step: i64| UnixMicros(1_732_283_045_000_000 + step);
    let mut messages: Vec<String> = symbols.iter().flat_map(|symbol| walk.add(symbol.clone(), time(0)).1).collect();
    messages.extend((1..5_000).map(|step| walk.step(time(step), |_| true).unwrap()));
    for message in &messages {
        assert_eq!(venue.read(message.as_bytes(), &mut batch), Ok(Message::Data), "{message}");
    }
    assert_eq!(batch.errors.total(), 0);
    batch.updates
}

fn set(field: Field<Decimal>) -> f64 {
    let Field::Set(number) = field else { panic!("the simulator says every field") };
    number.to_string().parse().unwrap()
}

#[test]
fn every_symbol_begins_with_all_that_can_be_said_of_it() {
    let names: Vec<_> = LISTINGS.iter().map(|listing| listing.symbol).collect();
    let updates = walked(&names, 1);
    for (index, of_symbol) in updates.chunks(3).take(names.len()).enumerate() {
        assert!(of_symbol.iter().all(|update| update.symbol.index() == index));
        let [stats, quote, trade] = of_symbol else { panic!("three messages") };
        let stats = stats.stats.unwrap();
        let quote = quote.quote.unwrap();
        let trade = trade.trade.unwrap();
        for field in [stats.open, stats.high, stats.low, stats.volume, stats.prev_close] {
            assert!(set(field) > 0.0);
        }
        assert!(matches!(stats.window, Field::Set(_)) && stats.sequence.time.is_some());
        assert!(set(quote.bid) < set(quote.ask) && set(quote.bid_size) > 0.0 && set(quote.ask_size) > 0.0);
        let at = if trade.side == Field::Set(Side::Buy) { quote.ask } else { quote.bid };
        assert_eq!((trade.price, trade.sequence.id), (at, Some(1)));
    }
}

#[test]
fn a_walk_stays_a_market() {
    let updates = walked(&["F", "NEW", "DOGE-USDT"], 7);
    for symbol in 0..3 {
        let of_symbol = || updates.iter().filter(move |update| update.symbol.0 == symbol);
        let ids: Vec<_> = of_symbol().filter_map(|update| update.trade?.sequence.id).collect();
        assert!(ids.len() > 100 && ids.iter().enumerate().all(|(before, &id)| id == before as u64 + 1));
        let start = of_symbol().find_map(|update| Some(set(update.stats?.prev_close))).unwrap();
        for quote in of_symbol().filter_map(|update| update.quote) {
            assert!(set(quote.bid) < set(quote.ask));
            assert!((start * 0.49..start * 2.01).contains(&set(quote.bid)));
        }
        for stats in of_symbol().filter_map(|update| update.stats) {
            assert!(set(stats.low) <= set(stats.open) && set(stats.open) <= set(stats.high));
        }
    }
    for symbol in 0..3 {
        let mut range = (f64::NAN, f64::NAN);
        for update in updates.iter().filter(|update| update.symbol.0 == symbol) {
            if let Some(stats) = update.stats {
                range = (set(stats.low), set(stats.high));
            }
            if let Some(trade) = update.trade {
                assert!(range.0 <= set(trade.price) && set(trade.price) <= range.1, "a price outside its day's range");
            }
        }
    }
    let share = |is: fn(&Update) -> bool| updates.iter().filter(|update| is(update)).count() * 100 / updates.len();
    assert!((35..55).contains(&share(|update| update.trade.is_some())));
    assert!((40..65).contains(&share(|update| update.quote.is_some())));
    assert!((2..25).contains(&share(|update| update.stats.is_some())));
}

#[test]
fn the_same_seed_walks_the_same_way() {
    assert_eq!(walked(&["AAPL", "X"], 3), walked(&["AAPL", "X"], 3));
    assert_ne!(walked(&["AAPL", "X"], 3), walked(&["AAPL", "X"], 4));
    assert_eq!(RandomWalk::new(1).step(UnixMicros(0), |_| true), None);
}

#[test]
fn the_listings_are_symbols_each_once() {
    let mut names: Vec<_> = LISTINGS.iter().map(|listing| listing.symbol).collect();
    names.iter().for_each(|name| drop(name.parse::<Symbol>().unwrap()));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), LISTINGS.len());
}
