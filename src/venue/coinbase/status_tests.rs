//! Which products trade, in the venue's words.

use super::{
    tests::{STATUS, TRADES, at, numbered, read, venue},
    *,
};
use crate::market::{Digits, Field, Guards, Halt, Now, Snapshot, StatusUpdate};

#[test]
fn a_product_that_is_not_online_is_halted_until_it_is() {
    let status = |micros, halted| {
        let status = StatusUpdate { sequence: at(micros), closed: None, halted, resume_is_reported: true };
        Update { symbol: FeedSymbol(0), status: Some(status), ..Update::default() }
    };
    let mut venue = venue();
    let online = STATUS.replace("offline", "online").replace("07.2Z", "07.3Z");
    let read_on = |venue: &mut Coinbase, frame: &str| {
        let mut batch = Batch::default();
        let message = venue.read(frame.as_bytes(), &mut batch);
        assert_eq!(batch.errors.total(), 0);
        (message, batch.updates)
    };
    assert_eq!(read_on(&mut venue, &online), (Ok(Message::Control), vec![]), "no price is renewed by it");
    let halt = vec![status(200_000, Field::Set(Halt::Other))];
    assert_eq!(read_on(&mut venue, &numbered(STATUS, 1)), (Ok(Message::Data), halt.clone()));
    assert_eq!(
        read_on(&mut venue, &numbered(STATUS, 2)),
        (Ok(Message::Data), halt),
        "it may be a lost one's repetition"
    );
    venue.open();
    let resume = vec![status(300_000, Field::Clear)];
    assert_eq!(read_on(&mut venue, &online), (Ok(Message::Data), resume), "the next connection may tell of the end");
    assert_eq!(read_on(&mut venue, &numbered(&online, 1)), (Ok(Message::Control), vec![]));
}

#[test]
fn statuses_of_other_products_are_skipped_and_bad_ones_counted() {
    let (message, updates, counted) = read(STATUS.replace("ETH-USD", "DOGE-USD"));
    assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 1, vec![]));
    let others = STATUS.replace("ETH-USD", "DOGE-USD").replace("BTC-USD", "SOL-USD");
    assert_eq!(read(others), (Err(DecodeError::UnknownSymbol), vec![], vec![]));
    let second = STATUS.replace("\"online\"", "\"delisted\"");
    for (from, to, reason) in [
        (r#""status":"offline""#, r#""status":"""#, DecodeError::Word),
        (r#""status":"offline","#, "", DecodeError::Missing),
        (r#""id":"BTC-USD""#, r#""id":7"#, DecodeError::Shape),
    ] {
        let (message, updates, counted) = read(second.replace(from, to));
        assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 1, vec![reason]), "{to}");
    }
}

#[test]
fn a_book_in_usd_is_not_halted_by_the_status_of_its_name_in_usdc() {
    let in_usdc = STATUS.replace("BTC-USD", "BTC-USDC").replace("ETH-USD", "BTC-USD");
    assert_eq!(read(&in_usdc), (Ok(Message::Control), vec![], vec![]), "BTC-USD is online");
    for name in ["BTC-USD", "BTC-USDC"] {
        let mut batch = Batch::default();
        let frame = STATUS.replace("BTC-USD", name);
        let message = super::tests::of(&[("BTC-USDC", None)]).read(frame.as_bytes(), &mut batch);
        assert_eq!((message, batch.updates.len()), (Ok(Message::Data), 1), "it may have either name: {name}");
    }
}

#[test]
fn a_halt_ends_with_the_venues_word() {
    let mut venue = venue();
    let now = Now::read();
    let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
    let mut guards = Guards::default();
    let online = STATUS.replace("offline", "online").replace("07.2Z", "07.3Z");
    let mut states = Vec::new();
    for frame in [&online, TRADES, STATUS, &TRADES.replace("10000001", "20000001"), &online] {
        let mut batch = Batch::default();
        venue.read(frame.as_bytes(), &mut batch).unwrap();
        for update in batch.updates.iter().filter(|update| update.symbol == FeedSymbol(0)) {
            let _ = snapshot.apply(update, &mut guards, now);
        }
        states.push(snapshot.state().name());
    }
    assert_eq!(states, ["waiting", "live", "halted", "halted", "live"]);
}

#[test]
fn a_status_tells_the_currency_of_a_product_and_the_decimals_of_its_increments() {
    let told = |frame: &str| {
        let mut batch = Batch::default();
        venue().read(frame.as_bytes(), &mut batch).unwrap();
        let told = batch.facts.iter().map(|(symbol, facts)| {
            let digits = [facts.price_digits, facts.size_digits].map(|digits| digits.map(Digits::count));
            (symbol.0, facts.currency.as_ref().map(|currency| currency.as_str().to_owned()), digits)
        });
        (told.collect::<Vec<_>>(), batch.errors.total())
    };
    let usd = || Some("USD".to_owned());
    assert_eq!(told(STATUS), (vec![(0, usd(), [None, None])], 0), "the other product says nothing of these");
    let increments = |price: &str, size: &str| {
        STATUS.replacen(
            r#""base_currency""#,
            &format!(
                r#""base_increment":"{size}","quote_increment":"{price}","display_name":"BTC/USD","base_currency""#
            ),
            1,
        )
    };
    assert_eq!(told(&increments("0.01", "0.00000001")), (vec![(0, usd(), [Some(2), Some(8)])], 0));
    assert_eq!(told(&increments("5", "1e-8")), (vec![(0, usd(), [Some(0), Some(8)])], 0));
    assert_eq!(told(&increments("", "0")), (vec![(0, usd(), [None, None])], 1), "an increment of zero is counted");
    assert_eq!(told(&increments("x", "1e-19")), (vec![(0, usd(), [None, None])], 2));
    let strange = increments("0.01", "1").replace(r#""quote_currency":"USD""#, r#""quote_currency":"U$D""#);
    assert_eq!(told(&strange), (vec![(0, None, [Some(2), Some(0)])], 1));
}
