//! The list of pairs: when it is asked for, and what symbols are told of it.

use super::{
    tests::{TRADE, feed, venue},
    *,
};
use crate::{
    market::Digits,
    telemetry::labels::Label,
    venue::{NAME_BYTES_MAX, kit::Given},
};

const ANSWER: &str = r#"{"method":"subscribe","result":{"channel":"instrument","snapshot":true},"success":true,"time_in":"2026-06-14T05:36:39.1Z","time_out":"2026-06-14T05:36:39.2Z","req_id":3}"#;

fn pair(name: &str, price: &str, size: &str) -> String {
    format!(
        r#"{{"symbol":"{name}","base":"BTC","quote":"USD","status":"online","qty_precision":{size},"qty_increment":0.00000001,"price_precision":{price},"cost_precision":5,"marginable":true,"has_index":true,"cost_min":0.50,"price_increment":0.1,"qty_min":0.00005000}}"#
    )
}

fn list(kind: &str, pairs: &[String]) -> String {
    let assets = r#"[{"id":"USD","status":"enabled","precision":4,"precision_display":2,"borrowable":true}]"#;
    let pairs = pairs.join(",");
    format!(r#"{{"channel":"instrument","type":"{kind}","data":{{"assets":{assets},"pairs":[{pairs}]}}}}"#)
}

/// Grants both channels of the symbols of `tests::venue`; returns what is asked for then.
fn granted(venue: &mut Kraken) -> Vec<String> {
    let mut batch = Batch::default();
    for (id, channel) in [(1, "trade"), (2, "ticker")] {
        for symbol in ["BTC/USD", "ETH/USD"] {
            assert_eq!(batch.requests, [], "nothing is asked for before the prices are granted");
            let frame = format!(
                r#"{{"method":"subscribe","result":{{"channel":"{channel}","snapshot":true,"symbol":"{symbol}"}},"success":true,"req_id":{id}}}"#
            );
            venue.read(frame.as_bytes(), &mut batch).unwrap();
        }
    }
    batch.requests.into_iter().filter_map(|request| request.text).collect()
}

/// What a symbol is told: the decimals of its prices and of its sizes.
type Decimals = (u32, [Option<u8>; 2]);

/// What a frame tells, and the reasons that were counted.
fn told(venue: &mut Kraken, frame: &str) -> (Result<Message, DecodeError>, Vec<Decimals>, Vec<DecodeError>) {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch);
    let counts = |facts: &Facts| [facts.price_digits, facts.size_digits].map(|digits| digits.map(Digits::count));
    let told = batch.facts.iter().map(|(symbol, facts)| (symbol.0, counts(facts))).collect();
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, told, counted)
}

#[test]
fn the_list_of_pairs_is_asked_for_once_and_a_connection_lives_without_it() {
    let asked = [r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true},"req_id":3}"#];
    let mut venue = venue();
    venue.open();
    assert_eq!(granted(&mut venue), asked);
    assert_eq!(told(&mut venue, ANSWER), (Ok(Message::Acknowledged(3)), vec![], vec![]));
    let added = [(FeedSymbol(2), ListedSymbol::from("SOL-USD".parse::<Symbol>().unwrap()))];
    let Change::Requests(requests) = venue.change(&added, &[]) else { panic!("the list is changed by requests") };
    assert_eq!(requests.len(), 2, "trades and tickers");
    venue.change(&[], &[FeedSymbol(2)]);
    venue.open();
    assert_eq!(granted(&mut venue), asked, "each connection asks for it");
    let without_id = ANSWER.replace(r#","req_id":3"#, "");
    assert_eq!(told(&mut venue, &without_id).0, Ok(Message::Acknowledged(3)));
    venue.open();
    granted(&mut venue);
    let refusal = r#"{"error":"Event(s) not found","method":"subscribe","success":false,"req_id":3}"#;
    assert_eq!(told(&mut venue, refusal).0, Ok(Message::Refused(Some(3))));
    assert_eq!(Venue::refused(&venue), [], "no symbol needs it");
}

#[test]
fn a_symbol_is_told_its_decimals_and_again_when_they_change() {
    let mut venue = venue();
    let pairs = [pair("SOL/USD", "2", "8"), pair("ETH/USD", "2", "8"), pair("BTC/USD", "1", "8")];
    let (message, facts, counted) = told(&mut venue, &list("snapshot", &pairs));
    assert_eq!((message, counted), (Ok(Message::Control), vec![]));
    assert_eq!(facts, [(1, [Some(2), Some(8)]), (0, [Some(1), Some(8)])]);
    let (_, facts, _) = told(&mut venue, &list("update", &[pair("BTC/USD", "2", "5")]));
    assert_eq!(facts, [(0, [Some(2), Some(5)])]);
    let assets = r#"{"channel":"instrument","type":"update","data":{"assets":[{"id":"USD","status":"enabled"}]}}"#;
    assert_eq!(told(&mut venue, assets), (Ok(Message::Control), vec![], vec![]), "an asset is not a pair");
}

#[test]
fn a_symbol_that_is_added_is_told_what_the_connection_has_said_before() {
    let mut venue = venue();
    assert_eq!(told(&mut venue, &list("snapshot", &[pair("SOL/USD", "2", "8")])).1, []);
    let listed = |name: &str| ListedSymbol::from(name.parse::<Symbol>().unwrap());
    venue.change(&[(FeedSymbol(2), listed("SOL-USD")), (FeedSymbol(3), listed("XRP-USD"))], &[]);
    let heartbeat = r#"{"channel":"heartbeat"}"#;
    assert_eq!(told(&mut venue, heartbeat).1, [(2, [Some(2), Some(8)])]);
    assert_eq!(told(&mut venue, heartbeat).1, []);
    venue.open();
    venue.change(&[], &[FeedSymbol(2)]);
    venue.change(&[(FeedSymbol(2), listed("SOL-USD"))], &[]);
    assert_eq!(told(&mut venue, TRADE).1, [], "the next connection has said nothing yet");
}

#[test]
fn rule_9_a_pair_that_cannot_be_read_costs_no_other() {
    let good = pair("BTC/USD", "1", "8");
    let full = vec![(0, [Some(1), Some(8)])];
    for (bad, facts, reason) in [
        (pair("ETH/USD", "19", "8"), vec![(1, [None, Some(8)]), (0, [Some(1), Some(8)])], DecodeError::Range),
        (pair("ETH/USD", "\"x\"", "8"), vec![(1, [None, Some(8)]), (0, [Some(1), Some(8)])], DecodeError::Number),
        (pair("ETH/USD", "-1", "2.5"), full.clone(), DecodeError::Number),
        (pair("ETH/USD", "null", "null").replace("\"ETH/USD\"", "7"), full.clone(), DecodeError::Shape),
        (pair(&"x".repeat(NAME_BYTES_MAX + 1), "1", "1"), full.clone(), DecodeError::Shape),
    ] {
        let (message, told, counted) = told(&mut venue(), &list("snapshot", &[bad.clone(), good.clone()]));
        assert_eq!((message, told, counted), (Ok(Message::Control), facts, vec![reason]), "{bad}");
    }
    for (frame, reason) in [
        (r#"{"channel":"instrument","type":"snapshot","data":[]}"#, DecodeError::Shape),
        (r#"{"channel":"instrument","type":"snapshot"}"#, DecodeError::Shape),
        (r#"{"channel":"instrument","type":"snapshot","data":{"pairs":{}}}"#, DecodeError::Shape),
        (r#"{"channel":"instrument","type":"snapshot","data":{"pairs":[1]}}"#, DecodeError::Shape),
        (r#"{"channel":"instrument","type":"snapshot","data":{"pairs":[}}"#, DecodeError::Json),
    ] {
        assert_eq!(told(&mut venue(), frame), (Err(reason), vec![], vec![]), "{frame}");
    }
}

#[test]
fn rule_10_pairs_beyond_the_limit_are_told_and_not_kept() {
    let mut venue = venue();
    let names: Vec<String> = (0..=super::instruments::PAIRS_MAX).map(|number| format!("C{number}/USD")).collect();
    let pairs: Vec<String> = names.iter().map(|name| pair(name, "1", "1")).chain([pair("BTC/USD", "1", "8")]).collect();
    let (_, facts, counted) = told(&mut venue, &list("snapshot", &pairs));
    assert_eq!((facts, counted), (vec![(0, [Some(1), Some(8)])], vec![]));
    let last = FeedSymbol(2);
    for (number, is_kept) in [(super::instruments::PAIRS_MAX - 1, true), (super::instruments::PAIRS_MAX, false)] {
        venue.change(&[(last, ListedSymbol::from(format!("C{number}-USD").parse::<Symbol>().unwrap()))], &[]);
        assert_eq!(!told(&mut venue, TRADE).1.is_empty(), is_kept, "{number}");
        venue.change(&[], &[last]);
    }
}

#[test]
fn the_longest_list_fits_into_a_message() {
    let names: Vec<String> = (0..6_000).map(|number| pair(&format!("C{number}/USD"), "10", "10")).collect();
    let given: Given = feed(&[("BTC-USD", None)]);
    assert!(list("snapshot", &names).len() < SPEC.message_bytes_max(&given.symbols));
}
