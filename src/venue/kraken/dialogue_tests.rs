//! Requests, their answers in any order, and a venue that stops and goes on.

use super::{
    tests::{TICKER, TRADE, feed, venue},
    *,
};
use crate::{
    market::{Field, Halt, StatusUpdate, Update},
    venue::kit::Given,
};
use proptest::prelude::*;

fn granted(id: u64, channel: &str, symbol: &str) -> String {
    format!(
        r#"{{"method":"subscribe","result":{{"channel":"{channel}","snapshot":true,"symbol":"{symbol}","warnings":["deprecated"]}},"success":true,"time_in":"2026-06-14T05:36:39.1Z","time_out":"2026-06-14T05:36:39.2Z","req_id":{id}}}"#
    )
}

/// With the request's id, or as it has been seen: without.
fn refused(id: Option<u64>, symbol: &str) -> String {
    let id = id.map(|id| format!(",\"req_id\":{id}")).unwrap_or_default();
    format!(
        r#"{{"error":"Currency pair not supported {symbol}","method":"subscribe","success":false,"symbol":"{symbol}","time_in":"2026-06-14T05:36:39.1Z","time_out":"2026-06-14T05:36:39.2Z"{id}}}"#
    )
}

fn status(system: &str) -> String {
    format!(
        r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{system}","api_version":"v2","connection_id":16201843374511870021,"upcoming_maintenance":[],"emergency":[]}}]}}"#
    )
}

/// A frame's answers, oldest first.
fn answers(venue: &mut Kraken, frame: &str) -> Vec<Message> {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
    batch.answers.push(message);
    batch.answers
}

fn symbols(refusals: &[(FeedSymbol, Reason)]) -> Vec<u32> {
    refusals.iter().map(|(symbol, _)| symbol.0).collect()
}

#[test]
fn each_channel_is_asked_for_in_batches_of_fifty_symbols() {
    let texts: Vec<_> = venue().open().into_iter().filter_map(|request| request.text).collect();
    assert_eq!(
        texts,
        [
            r#"{"method":"subscribe","params":{"channel":"trade","snapshot":true,"symbol":["BTC/USD","ETH/USD"]},"req_id":1}"#,
            r#"{"method":"subscribe","params":{"channel":"ticker","event_trigger":"bbo","snapshot":true,"symbol":["BTC/USD","ETH/USD"]},"req_id":2}"#,
        ]
    );
    let names: Vec<_> = (0..101).map(|number| format!("A{number}-USD")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    let requests = Kraken::new(&feed(&names).setup()).unwrap().open();
    let counts: Vec<_> =
        requests.iter().map(|request| request.text.as_ref().unwrap().matches("/USD").count()).collect();
    assert_eq!(counts, [50, 50, 1, 50, 50, 1]);
    assert_eq!(requests.iter().map(|request| request.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(requests.iter().all(|request| request.silence == Silence::Disconnects));
}

#[test]
fn a_request_is_answered_when_each_of_its_symbols_is_in_whatever_order() {
    let mut venue = venue();
    venue.open();
    for (frame, expected) in [
        (granted(2, "ticker", "ETH/USD"), Message::Control),
        (TICKER.to_owned(), Message::Data),
        (granted(1, "trade", "ETH/USD"), Message::Control),
        (granted(2, "ticker", "BTC/USD"), Message::Acknowledged(2)),
        (granted(2, "ticker", "BTC/USD"), Message::Control),
        (TRADE.to_owned(), Message::Data),
        (granted(1, "trade", "BTC/USD").replace(",\"req_id\":1", ""), Message::Acknowledged(1)),
        (granted(7, "trade", "BTC/USD"), Message::Control),
    ] {
        assert_eq!(answers(&mut venue, &frame), [expected], "{frame}");
    }
    assert_eq!(Venue::refused(&venue), []);
}

#[test]
fn a_refused_symbol_does_not_cost_the_others() {
    for id in [None, Some(1)] {
        let names = [("BTC-USD", None), ("NOPE-USD", None)];
        let mut venue = Kraken::new(&feed(&names).setup()).unwrap();
        venue.open();
        let mut batch = Batch::default();
        let refusal = refused(id, "NOPE/USD");
        assert_eq!(venue.read(refusal.as_bytes(), &mut batch), Ok(Message::Control));
        assert!(batch.refuses_symbol, "operators see the venue's words");
        assert_eq!(answers(&mut venue, &granted(1, "trade", "BTC/USD")), [Message::Acknowledged(1)]);
        let second = refused(id.map(|id| id + 1), "NOPE/USD");
        assert_eq!(answers(&mut venue, &second), [Message::Control]);
        assert_eq!(answers(&mut venue, &granted(2, "ticker", "BTC/USD")), [Message::Acknowledged(2)]);
        assert_eq!(symbols(&Venue::refused(&venue)), [1]);
        venue.open();
        assert_eq!(Venue::refused(&venue), [], "each connection begins afresh");
    }
}

#[test]
fn a_refusal_without_an_id_is_for_the_oldest_request() {
    let mut venue = Kraken::new(&feed(&[("NOPE-USD", None)]).setup()).unwrap();
    venue.open();
    for message in [Message::Refused(Some(1)), Message::Refused(Some(2)), Message::Control] {
        assert_eq!(answers(&mut venue, &refused(None, "NOPE/USD")), [message]);
    }
}

#[test]
fn an_error_without_a_symbol_is_for_the_whole_request() {
    let error = |id: &str| format!(r#"{{"error":"Event(s) not found","method":"subscribe","success":false{id}}}"#);
    let mut venue = venue();
    venue.open();
    assert_eq!(answers(&mut venue, &error(",\"req_id\":2")), [Message::Refused(Some(2))]);
    assert_eq!(answers(&mut venue, &error("")), [Message::Refused(Some(1))], "the oldest");
    assert_eq!(symbols(&Venue::refused(&venue)), [0, 1]);
}

/// What a frame tells of each symbol: its halt, or its end.
#[test]
fn too_many_requests_pass_however_the_venue_says_so() {
    for frame in [
        r#"{"Error":"Exceeded msg rate"}"#,
        r#"{"error":"Exceeded msg rate","method":"subscribe","success":false,"req_id":1}"#,
        r#"{"error":"Exceeded msg rate","success":false,"symbol":"BTC/USD"}"#,
    ] {
        let mut venue = venue();
        venue.open();
        let passes = Message::Failed(crate::venue::Failure::Passing { retry_after: None });
        assert_eq!(answers(&mut venue, frame), [passes], "{frame}");
        assert_eq!(venue.refused(), [], "{frame}");
    }
}

fn told(venue: &mut Kraken, frame: &str) -> (Message, Vec<(u32, Field<Halt>)>) {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
    let of = |update: &Update| update.status.map(|StatusUpdate { halted, .. }| (update.symbol.0, halted));
    (message, batch.updates.iter().filter_map(of).collect())
}

#[test]
fn rule_7_every_symbol_is_halted_while_nothing_matches_and_resumes_with_the_venue() {
    for system in ["maintenance", "cancel_only", "post_only"] {
        let mut venue = venue();
        venue.open();
        let halt = Field::Set(Halt::Other);
        assert_eq!(told(&mut venue, &status("online")), (Message::Control, vec![]), "no symbol was told otherwise");
        for frame in [TRADE, TICKER] {
            told(&mut venue, frame);
        }
        assert_eq!(told(&mut venue, &status(system)), (Message::Data, vec![(0, halt), (1, halt)]));
        assert_eq!(told(&mut venue, &status("maintenance")), (Message::Control, vec![]), "it is told once");
        let resumed = vec![(0, Field::Clear), (1, Field::Clear)];
        assert_eq!(told(&mut venue, &status("online")), (Message::Data, resumed));
        assert_eq!(told(&mut venue, TRADE), (Message::Data, vec![]));
    }
}

#[test]
fn rule_7_after_a_reconnect_a_halted_symbol_resumes_with_its_own_next_update() {
    let mut venue = venue();
    venue.open();
    told(&mut venue, TRADE);
    told(&mut venue, &status("maintenance"));
    venue.open();
    assert_eq!(told(&mut venue, &status("online")).1, [], "its price is from before");
    venue.open();
    assert_eq!(told(&mut venue, TRADE).1, [(0, Field::Clear)]);
    assert_eq!(told(&mut venue, TRADE).1, []);
    assert_eq!(told(&mut venue, TICKER).1, [(1, Field::Clear)]);
    told(&mut venue, &status("maintenance"));
    venue.open();
    told(&mut venue, TRADE);
    assert_eq!(told(&mut venue, &status("online")).1, [(0, Field::Clear)], "one has spoken, the other has not");
    assert_eq!(told(&mut venue, TICKER).1, [(1, Field::Clear)]);
}

#[test]
fn rule_10_more_symbols_than_fit_into_a_batch_are_halted_in_slices() {
    const COUNT: usize = Batch::UPDATES_MAX + 10;
    let names: Vec<_> = (0..COUNT).map(|number| format!("A{number}-USD")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    let mut venue = Kraken::new(&feed(&names).setup()).unwrap();
    venue.open();
    let mut batch = Batch::default();
    let frame = status("maintenance");
    let mut halted = Vec::new();
    loop {
        assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        assert!(batch.updates.len() <= Batch::UPDATES_MAX);
        halted.extend(batch.updates.drain(..).map(|update| update.symbol.index()));
        if batch.read_on == 0 {
            break;
        }
    }
    assert_eq!(halted, (0..COUNT).collect::<Vec<_>>());
}

#[test]
fn a_feed_that_a_connection_cannot_carry_is_an_error() {
    let error = |names: &[(&str, Option<&str>)]| crate::venue::new(&SPEC, &feed(names).setup()).err().unwrap();
    for no_pair in ["BTCUSD", "BTC-USDT-PERP", "BTCUSD-PERP", "BTC_USD", "-USD", "XBT-USD", "XDG-USD", "ETH-XBT"] {
        let Ok(symbol) = no_pair.parse::<Symbol>() else { continue };
        assert_eq!(derive(&symbol), None, "{no_pair}");
    }
    assert!(matches!(error(&[("BTCUSD", None)]), VenueError::NotDerivable { .. }));
    assert!(matches!(error(&[("A", Some("X/USD")), ("X-USD", None)]), VenueError::NamesMeet { .. }));
    let names: Vec<_> = (0..=SYMBOLS_MAX).map(|number| format!("A{number}-USD")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    assert!(crate::venue::new(&SPEC, &feed(&names[..SYMBOLS_MAX]).setup()).is_ok());
    assert!(matches!(error(&names), VenueError::TooManySymbols { .. }));
}

#[test]
fn the_address_is_that_of_version_2_and_the_rules_are_the_venues() {
    assert_eq!(venue().url(), "wss://ws.kraken.com/v2");
    let local = Given { url: Some("ws://127.0.0.1:9".to_owned()), ..feed(&[("BTC-USD", None)]) };
    assert_eq!(Kraken::new(&local.setup()).unwrap().url(), "ws://127.0.0.1:9/v2");
    let rules = venue().rules();
    assert_eq!((rules.heartbeat_timeout, rules.lifetime, rules.ping), (Some(Duration::from_secs(10)), None, None));
    assert_eq!(rules.between_requests, Duration::from_millis(100));
}

proptest! {
    /// Whatever the order of the answers, each request is answered once, and the symbols that are refused are.
    #[test]
    fn answers_in_any_order_answer_each_request_once(
        refused_ones in prop::collection::vec(any::<bool>(), 60), order in Just((0..120_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let names: Vec<_> = (0..60).map(|number| format!("A{number}-USD")).collect();
        let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
        let mut venue = Kraken::new(&feed(&names).setup()).unwrap();
        prop_assert_eq!(venue.open().len(), 4);
        let mut done = Vec::new();
        for place in order {
            let (symbol, is_ticker) = (place % 60, place >= 60);
            let name = format!("A{symbol}/USD");
            let id = if is_ticker { 3 } else { 1 } + u64::from(symbol >= 50);
            let frame = match refused_ones[symbol] {
                true => refused((symbol % 2 == 0).then_some(id), &name),
                false => granted(id, if is_ticker { "ticker" } else { "trade" }, &name),
            };
            for message in answers(&mut venue, &frame) {
                match message {
                    Message::Acknowledged(id) | Message::Refused(Some(id)) => done.push(id),
                    other => prop_assert_eq!(other, Message::Control),
                }
            }
        }
        done.sort_unstable();
        prop_assert_eq!(done, [1, 2, 3, 4]);
        let expected: Vec<u32> = (0..60).filter(|&symbol| refused_ones[symbol as usize]).collect();
        prop_assert_eq!(symbols(&Venue::refused(&venue)), expected);
    }
}
