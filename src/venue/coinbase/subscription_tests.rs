//! The venue's answers: lists of all that is subscribed, and errors that name nothing.

use super::*;
use crate::venue::kit::Given;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

fn many(count: usize) -> Coinbase {
    let names: Vec<String> = (0..count).map(|number| format!("A{number}-USD")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    Coinbase::new(&Given::symbols(&names).setup()).unwrap()
}

fn texts(requests: &[Request]) -> Vec<&str> {
    requests.iter().filter_map(|request| request.text.as_deref()).collect()
}

/// Reads one answer: the message, and the requests that follow it.
fn answer(venue: &mut Coinbase, frame: &str) -> (Message, Vec<Request>) {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
    assert_eq!((batch.errors.total(), batch.updates.len()), (0, 0));
    (message, batch.requests)
}

fn list(subscriptions: &str) -> String {
    format!(
        r#"{{"channel":"subscriptions","timestamp":"2026-09-27T16:42:07.1Z","events":[{{"subscriptions":{{{subscriptions}}}}}]}}"#
    )
}

const ERROR: &str = r#"{"type":"error","message":"a product does not exist"}"#;

const TRADES: &str = r#""market_trades":["A1-USD","A0-USD"]"#;
const TICKER: &str = r#""candles":["A0-USD"],"ticker":["A0-USD","A1-USD"]"#;
const HEARTBEATS: &str = r#""heartbeats":["heartbeats"]"#;

#[test]
fn one_channel_a_message_and_extras_for_what_is_granted() {
    let mut venue = many(2);
    let requests = venue.open();
    assert_eq!(
        texts(&requests),
        [
            r#"{"channel":"market_trades","product_ids":["A0-USD","A1-USD"],"type":"subscribe"}"#,
            r#"{"channel":"ticker","product_ids":["A0-USD","A1-USD"],"type":"subscribe"}"#,
        ]
    );
    assert_eq!((requests[0].silence, venue.url()), (Silence::Disconnects, "wss://advanced-trade-ws.coinbase.com/"));
    let rules = venue.rules();
    assert_eq!((rules.between_requests, rules.heartbeat_timeout), (BETWEEN_REQUESTS, Some(Duration::from_secs(10))));
    assert_eq!(answer(&mut venue, &list(TRADES)), (Message::Acknowledged(1), vec![]));
    let (message, extras) = answer(&mut venue, &list(&format!("{TRADES},{TICKER}")));
    assert_eq!(message, Message::Acknowledged(2));
    assert_eq!(
        texts(&extras),
        [
            r#"{"channel":"heartbeats","type":"subscribe"}"#,
            r#"{"channel":"status","product_ids":["A0-USD","A1-USD"],"type":"subscribe"}"#,
        ]
    );
    let names = |text: &str| text.matches("-USD").count();
    let counts: Vec<usize> = texts(&many(120).open()).into_iter().map(names).collect();
    assert_eq!(counts, [50, 50, 20, 50, 50, 20], "no more products in a message");
}

#[test]
fn all_is_asked_for_before_the_next_connection_begins_to() {
    let (requests, _) = play(&mut many(SYMBOLS_MAX), |_| false);
    assert!(BETWEEN_REQUESTS * u32::try_from(requests).unwrap() < BETWEEN_CONNECTS);
    assert!(message_bytes(&[]) < message_bytes(&Given::symbols(&[("BTC-USD", None)]).symbols));
}

#[test]
fn a_list_answers_the_request_whose_products_it_has() {
    let mut venue = many(2);
    venue.open();
    let status = r#""status":["A0-USD","A1-USD"]"#;
    for (subscriptions, id) in [
        (TICKER.to_owned(), 2),
        (format!("{TRADES},{TICKER}"), 1),
        (format!("{TRADES},{TICKER},{status}"), 4),
        (format!("{TRADES},{TICKER},{status},{HEARTBEATS}"), 3),
    ] {
        assert_eq!(answer(&mut venue, &list(&subscriptions)).0, Message::Acknowledged(id));
    }
    assert_eq!(answer(&mut venue, &list("")), (Message::Other, vec![]), "an answer to nothing");
    assert_eq!(venue.refused(), []);
}

#[test]
fn a_list_that_lacks_a_product_answers_the_oldest_request_and_the_product_is_asked_for_again() {
    let mut venue = many(2);
    venue.open();
    let lacks = list(r#""market_trades":["A0-USD"],"ticker":null"#);
    let (message, requests) = answer(&mut venue, &lacks);
    assert_eq!(message, Message::Acknowledged(1), "for the product that is listed");
    assert_eq!(texts(&requests), [r#"{"channel":"market_trades","product_ids":["A1-USD"],"type":"subscribe"}"#]);
}

#[test]
fn the_list_may_have_either_name_of_a_book_in_usdc() {
    for name in ["BTC-USD", "BTC-USDC"] {
        let mut venue = Coinbase::new(&Given::symbols(&[("BTC-USDC", None)]).setup()).unwrap();
        venue.open();
        let listed = list(&format!(r#""market_trades":["{name}"]"#));
        assert_eq!(answer(&mut venue, &listed).0, Message::Acknowledged(1), "{name}");
    }
}

/// Plays the venue: it refuses a request for a product that is bad, and lists all that is subscribed.
fn play(venue: &mut Coinbase, is_bad: impl Fn(&str) -> bool) -> (usize, Vec<Message>) {
    let mut asked: VecDeque<Request> = venue.open().into();
    let mut lists: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut messages = Vec::new();
    let mut requests = 0;
    while let Some(request) = asked.pop_front() {
        requests += 1;
        let request: serde_json::Value = serde_json::from_str(&request.text.unwrap()).unwrap();
        let channel = request["channel"].as_str().unwrap();
        let products = request["product_ids"].as_array().cloned().unwrap_or(vec!["heartbeats".into()]);
        let products: Vec<&str> = products.iter().map(|product| product.as_str().unwrap()).collect();
        let (message, more) = if products.iter().any(|product| is_bad(product)) {
            answer(venue, ERROR)
        } else {
            lists.entry(channel.to_owned()).or_default().extend(products.into_iter().map(str::to_owned));
            let all = serde_json::to_string(&lists).unwrap();
            answer(venue, &list(&all[1..all.len() - 1]))
        };
        messages.push(message);
        asked.extend(more);
    }
    (requests, messages)
}

#[test]
fn an_error_refuses_the_oldest_request_and_the_bad_product_alone_is_refused() {
    for bad in [vec![], vec![0], vec![49, 50, 119], (0..120).collect()] {
        let mut venue = many(120);
        let is_bad = |name: &str| bad.iter().any(|number| name == format!("A{number}-USD"));
        let (requests, messages) = play(&mut venue, is_bad);
        let refused: Vec<usize> = venue.refused().iter().map(|(symbol, _)| symbol.index()).collect();
        assert_eq!(refused, bad);
        assert!(requests <= 10 + 2 * 14 * bad.len(), "{requests} requests for {} bad products", bad.len());
        let granted = messages.iter().any(|message| matches!(message, Message::Acknowledged(_)));
        assert_eq!(granted, bad.len() < 120, "heartbeats alone would keep the connection");
    }
}

#[test]
fn refused_heartbeats_and_statuses_refuse_no_product() {
    let mut venue = many(1);
    venue.open();
    let trades = r#""market_trades":["A0-USD"]"#;
    assert_eq!(answer(&mut venue, &list(trades)).0, Message::Acknowledged(1));
    let (message, extras) = answer(&mut venue, &list(&format!(r#"{trades},"ticker":["A0-USD"]"#)));
    assert_eq!((message, extras.len()), (Message::Acknowledged(2), 2));
    for id in [3, 4] {
        assert_eq!(answer(&mut venue, ERROR), (Message::Refused(Some(id)), vec![]));
    }
    assert_eq!(venue.refused(), []);
    assert_eq!(answer(&mut venue, ERROR), (Message::Refused(None), vec![]), "operators see it");
}
