//! Frames as the simulator sends them, and what else may come in their place.

use super::*;
use crate::{
    market::{
        Currency, Decimal, Digits, Field, InstrumentKind, Name, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow,
        TradeUpdate, UnixMicros, Update,
    },
    venue::kit::Given,
};
use proptest::prelude::*;

fn venue() -> Sim {
    Sim::new(&Given::symbols(&[("MSFT", None), ("AAPL", None)]).setup()).unwrap()
}

fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Batch) {
    let mut batch = Batch::default();
    (venue().read(frame.as_ref(), &mut batch), batch)
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

#[test]
fn every_field_of_a_tick_can_be_said() {
    let sequence = Sequence { id: Some(7), time: Some(UnixMicros(1_732_283_045_123_456)), by_arrival: false };
    let (_, batch) = read(
        r#"{"type":"trade","symbol":"AAPL","id":7,"time":1732283045123456,"price":"182.34","size":100,"side":"buy"}"#,
    );
    let side = Field::Set(Side::Buy);
    let trade = TradeUpdate { sequence, price: number("182.34"), size: number("100"), side, ..TradeUpdate::default() };
    assert_eq!(batch.updates, [Update { symbol: FeedSymbol(1), trade: Some(trade), ..Update::default() }]);

    let (_, batch) = read(
        r#"{"type":"quote","symbol":"AAPL","id":7,"time":1732283045123456,"bid":182.33,"bid_size":3,"ask":"182.35","ask_size":2}"#,
    );
    let bid = number("182.33");
    let bid_size = number("3");
    let ask = number("182.35");
    let ask_size = number("2");
    let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
    assert_eq!(batch.updates, [Update { symbol: FeedSymbol(1), quote: Some(quote), ..Update::default() }]);

    let (_, batch) = read(
        r#"{"type":"stats","symbol":"AAPL","id":7,"time":1732283045123456,"window":"24h","open":1,"high":4,"low":0.5,"volume":9,"prev_close":2}"#,
    );
    let stats = StatsUpdate {
        sequence,
        window: Field::Set(StatsWindow::Hours24),
        open: number("1"),
        high: number("4"),
        low: number("0.5"),
        volume: number("9"),
        prev_close: number("2"),
    };
    assert_eq!(batch.updates, [Update { symbol: FeedSymbol(1), stats: Some(stats), ..Update::default() }]);
}

#[test]
fn facts_are_told_and_no_data() {
    let facts = r#"{"op":"facts","symbol":"AAPL","name":"Apple \"Inc.\"","currency":"usd","kind":"stock","price_digits":2,"size_digits":0}"#;
    let (message, batch) = read(facts);
    assert_eq!((message, batch.updates.len(), batch.errors.total()), (Ok(Message::Control), 0, 0));
    let expected = Facts {
        name: Name::new("Apple \"Inc.\""),
        currency: Currency::fold("USD"),
        kind: Some(InstrumentKind::Stock),
        price_digits: Digits::new(2),
        size_digits: Digits::new(0),
    };
    assert_eq!(batch.facts, [(FeedSymbol(1), expected)]);
    let (message, batch) = read(r#"{"op":"facts","symbol":"AAPL","name":null,"currency":""}"#);
    assert_eq!((message, batch.facts.len(), batch.errors.total()), (Ok(Message::Control), 0, 0), "nothing is said");
    let strange =
        r#"{"op":"facts","symbol":"AAPL","name":7,"currency":"$","kind":"pet","price_digits":19,"size_digits":-1}"#;
    let (_, batch) = read(strange);
    let counts = [DecodeError::Word, DecodeError::Range, DecodeError::Number].map(|reason| batch.errors.of(reason));
    assert_eq!((batch.facts.len(), counts), (0, [2, 1, 1]), "another kind is one that is not known");
    assert_eq!(read(r#"{"op":"facts","symbol":"IBM"}"#).0, Err(DecodeError::UnknownSymbol));
    assert_eq!(read(r#"{"op":"facts"}"#).0, Err(DecodeError::Shape));
    let mut venue = venue();
    venue.read(facts.as_bytes(), &mut Batch::default()).unwrap();
    let heartbeat = br#"{"op":"heartbeat","sent":0}"#;
    assert_eq!(venue.read(heartbeat, &mut Batch::default()), Ok(Message::Control), "a heartbeat does not count them");
}

#[test]
fn rule_10_a_frame_tells_facts_of_so_many_symbols() {
    let mut batch = Batch::default();
    let facts = || Facts { currency: Currency::fold("USD"), ..Facts::default() };
    (0..=Batch::FACTS_MAX).for_each(|_| batch.tell(FeedSymbol(0), facts()));
    assert_eq!((batch.facts.len(), batch.errors.of(DecodeError::Shape)), (Batch::FACTS_MAX, 1));
}

#[test]
fn absent_keeps_and_null_clears() {
    let (_, batch) = read(r#"{"type":"quote","symbol":"AAPL","bid":null,"ask":"1"}"#);
    let quote = batch.updates[0].quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Keep, number("1")));
    assert_eq!(batch.errors.total(), 0);
}

#[test]
fn rule_9_messages_are_told_apart_and_bad_ones_counted() {
    for (frame, message) in [
        (r#"{"op":"ack","id":3}"#, Ok(Message::Acknowledged(3))),
        (r#"{"op":"refuse","id":3}"#, Ok(Message::Refused(Some(3)))),
        (r#"{"op":"refuse"}"#, Ok(Message::Refused(None))),
        (r#"{"op":"closing"}"#, Ok(Message::Closing)),
        ("pong", Ok(Message::Control)),
        (r#"{"op":"heartbeat"}"#, Ok(Message::Control)),
        (r#"{"op":"heartbeat","sent":0}"#, Ok(Message::Control)),
        (r#"{"op":"heartbeat","sent":1}"#, Ok(Message::Gap)),
        (r#"{"op":"ack","id":3,"symbol":"IBM"}"#, Err(DecodeError::UnknownSymbol)),
        (r#"{"op":"ack"}"#, Ok(Message::Other)),
        (r#"{"type":"news","symbol":5}"#, Ok(Message::Other)),
        (r#"{"type":"trade","symbol":"IBM"}"#, Err(DecodeError::UnknownSymbol)),
        (r#"{"type":"trade"}"#, Err(DecodeError::Shape)),
        ("{}", Err(DecodeError::Shape)),
        ("[[[[", Err(DecodeError::Json)),
        ("", Err(DecodeError::Json)),
    ] {
        let (got, batch) = read(frame);
        assert_eq!((got, batch.updates.len()), (message, 0), "{frame}");
    }
    let (message, batch) = read(r#"{"type":"trade","symbol":"AAPL","id":"x","time":"y","price":{},"side":"up"}"#);
    assert_eq!((message, batch.updates.len()), (Ok(Message::Data), 1));
    for reason in [DecodeError::Number, DecodeError::Time, DecodeError::Word] {
        assert!(batch.errors.of(reason) > 0, "{reason}");
    }
}

#[test]
fn it_asks_for_its_symbols_in_batches() {
    let text = r#"{"id":1,"op":"subscribe","symbols":["MSFT","AAPL"]}"#.to_owned();
    assert_eq!(venue().open(), [Request::send(1, text)]);
}

/// A venue that has asked for these symbols.
fn opened(symbols: &[&str]) -> Sim {
    let symbols: Vec<_> = symbols.iter().map(|symbol| (*symbol, None)).collect();
    let mut sim = Sim::new(&Given::symbols(&symbols).setup()).unwrap();
    assert_eq!(sim.open().len(), 1);
    sim
}

#[test]
fn a_request_is_acknowledged_when_every_symbol_has_its_answer() {
    let mut sim = opened(&["A", "B", "C"]);
    let mut batch = Batch::default();
    let mut says = |frame: &str| sim.read(frame.as_bytes(), &mut batch).unwrap();
    assert_eq!(says(r#"{"op":"ack","id":1,"symbol":"C"}"#), Message::Control);
    assert_eq!(says(r#"{"op":"ack","id":1,"symbol":"C"}"#), Message::Control, "the same answer twice is one");
    assert_eq!(says(r#"{"op":"refuse","id":1,"symbol":"B"}"#), Message::Control);
    assert_eq!(says(r#"{"op":"ack","symbol":"A"}"#), Message::Acknowledged(1), "the symbol tells the request");
    assert_eq!(sim.refused(), [(FeedSymbol(1), Reason::NotGranted)]);

    let mut sim = opened(&["A", "B"]);
    for (symbol, message) in [("A", Message::Control), ("B", Message::Refused(Some(1)))] {
        let frame = format!(r#"{{"op":"refuse","id":1,"symbol":"{symbol}"}}"#);
        assert_eq!(sim.read(frame.as_bytes(), &mut batch), Ok(message), "all are refused, so the request is");
    }
}

#[test]
fn a_batch_that_is_refused_for_one_symbol_is_asked_for_in_halves() {
    let mut sim = opened(&["A", "B", "C", "D"]);
    let mut batch = Batch::default();
    let mut asked = vec![vec!["A", "B", "C", "D"]];
    let mut id = 0;
    while let Some(symbols) = asked.first().cloned() {
        asked.remove(0);
        id += 1;
        let op = if symbols.contains(&"C") { "split" } else { "ack" };
        let message = sim.read(format!(r#"{{"op":"{op}","id":{id}}}"#).as_bytes(), &mut batch).unwrap();
        let expected = match (op, symbols.len()) {
            ("split", 1) => Message::Refused(Some(id)),
            ("split", _) => Message::Superseded(id),
            _ => Message::Acknowledged(id),
        };
        assert_eq!(message, expected);
        for request in batch.requests.drain(..) {
            let text = request.text.unwrap();
            asked.push(["A", "B", "C", "D"].into_iter().filter(|name| text.contains(&format!("{name:?}"))).collect());
        }
    }
    assert_eq!((id, sim.refused()), (5, vec![(FeedSymbol(2), Reason::NotGranted)]));
}

#[test]
fn rule_7_a_frame_that_did_not_arrive_is_a_gap_until_the_next_connection() {
    let mut sim = opened(&["A"]);
    let mut batch = Batch::default();
    let mut says = |sim: &mut Sim, frame: &str| sim.read(frame.as_bytes(), &mut batch).unwrap();
    assert_eq!(says(&mut sim, r#"{"type":"quote","symbol":"A","bid":"1"}"#), Message::Data);
    assert_eq!(says(&mut sim, r#"{"op":"heartbeat","sent":1}"#), Message::Control);
    assert_eq!(says(&mut sim, r#"{"op":"heartbeat","sent":2}"#), Message::Gap);
    sim.open();
    assert_eq!(says(&mut sim, r#"{"op":"heartbeat","sent":0}"#), Message::Control);
}

#[test]
fn rule_10_more_symbols_than_a_simulator_takes_are_an_error() {
    let names: Vec<_> = (0..=SYMBOLS_MAX).map(|number| format!("S{number}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    let sim = |count: usize| crate::venue::new(&SPEC, &Given::symbols(&entries[..count]).setup());
    let requests = sim(SYMBOLS_MAX).unwrap().open();
    assert_eq!(requests.len(), SYMBOLS_MAX / SYMBOLS_PER_REQUEST);
    assert!(matches!(sim(SYMBOLS_MAX + 1), Err(VenueError::TooManySymbols { .. })));
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }
}
