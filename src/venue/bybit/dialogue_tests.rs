//! Requests, and the venue's answers to them.

use super::{tests::venue, *};
use crate::venue::kit::Given;
use std::collections::VecDeque;

fn read(venue: &mut Bybit, frame: &str) -> (Message, Vec<Request>) {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
    assert_eq!((batch.updates.len(), batch.errors.total()), (0, 0), "{frame}");
    (message, batch.requests)
}

fn topics(request: &Request) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(request.text.as_ref().unwrap()).unwrap();
    assert_eq!((&json["op"], &json["req_id"]), (&"subscribe".into(), &request.id.to_string().into()));
    json["args"].as_array().unwrap().iter().map(|topic| topic.as_str().unwrap().to_owned()).collect()
}

fn large(category: Category, count: usize) -> Bybit {
    let ending = match category {
        Category::Spot => "USDT",
        Category::Linear => "USDT-PERP",
        Category::Inverse => "USD-PERP",
    };
    let names: Vec<String> = (0..count).map(|number| format!("A{number}-{ending}")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    Bybit::new(category, &Given::symbols(&names).setup()).unwrap()
}

#[test]
fn each_category_asks_for_its_topics_in_requests_that_the_venue_takes() {
    let asked = |category| venue(category).open().iter().map(topics).collect::<Vec<_>>();
    let both = |prefix: &str, name: &str| vec![format!("{prefix}.BTC{name}"), format!("{prefix}.ETH{name}")];
    assert_eq!(
        asked(Category::Spot),
        [both("publicTrade", "USDT"), both("orderbook.1", "USDT"), both("tickers", "USDT")]
    );
    assert_eq!(asked(Category::Linear), [both("publicTrade", "USDT"), both("tickers", "USDT")]);
    assert_eq!(asked(Category::Inverse), [both("publicTrade", "USD"), both("tickers", "USD")]);
    let first = venue(Category::Spot).open().remove(0).text.unwrap();
    assert_eq!(first, r#"{"args":["publicTrade.BTCUSDT","publicTrade.ETHUSDT"],"op":"subscribe","req_id":"1"}"#);
}

#[test]
fn rule_10_a_full_connection_keeps_to_the_venues_limits_on_topics() {
    for (category, spec, per_request) in
        [(Category::Spot, &SPOT, 10), (Category::Linear, &LINEAR, 100), (Category::Inverse, &INVERSE, 100)]
    {
        let all: Vec<Vec<String>> = large(category, spec.symbols_per_connection).open().iter().map(topics).collect();
        assert!(all.iter().all(|topics| topics.len() <= per_request));
        let topics: Vec<String> = all.into_iter().flatten().collect();
        assert_eq!(topics.len(), spec.symbols_per_connection * category.channels().len());
        // As the venue may count them: in quotes, with commas.
        let characters: usize = topics.iter().map(|topic| topic.len() + 3).sum();
        assert!(characters <= TOPIC_CHARACTERS_MAX, "{characters}");
    }
    assert_eq!([&SPOT, &LINEAR, &INVERSE].map(|spec| spec.symbols_per_connection), [295, 456, 456]);
}

#[test]
fn answers_are_told_apart_in_all_their_shapes() {
    for (frame, message) in [
        (
            r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"2","op":"subscribe"}"#,
            Message::Acknowledged(2),
        ),
        (r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"1","op":"subscribe"}"#, Message::Acknowledged(1)),
        (r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","op":"subscribe"}"#, Message::Acknowledged(1)),
        (r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"","op":"subscribe"}"#, Message::Acknowledged(1)),
        (r#"{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}"#, Message::Control),
        (r#"{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}"#, Message::Control),
        (r#"{"op":"pong","args":["1781415763125"],"conn_id":"c"}"#, Message::Control),
        (r#"{"req_id":"7","op":"pong","args":["1781415763125"],"conn_id":"c"}"#, Message::Control),
        (r#"{"success":false,"ret_msg":"x","conn_id":"c","op":"ping"}"#, Message::Control),
        (r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"9","op":"unsubscribe"}"#, Message::Acknowledged(9)),
        (r#"{"topic":"kline.1.BTCUSDT","type":"snapshot","data":[{"start":1,"open":"1.5"}]}"#, Message::Other),
        (r#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","data":{}}"#, Message::Other),
        (r#"{"retCode":0,"data":[1.5]}"#, Message::Other),
        ("{}", Message::Other),
    ] {
        let mut venue = venue(Category::Spot);
        venue.open();
        assert_eq!(read(&mut venue, frame), (message, vec![]), "{frame}");
    }
    let late = r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","op":"subscribe"}"#;
    assert_eq!(read(&mut venue(Category::Spot), late).0, Message::Control, "nothing was asked for");
}

/// Answers every request as the venue does, until nothing is asked for again. Returns the granted topics, and how many
/// requests it took.
fn answer(venue: &mut Bybit, is_known: impl Fn(&str) -> bool, held: &[&str]) -> (Vec<String>, usize) {
    let mut asked: VecDeque<Request> = venue.open().into();
    let mut granted: Vec<String> = Vec::new();
    let mut requests = 0;
    while let Some(request) = asked.pop_front() {
        requests += 1;
        let topics = topics(&request);
        let refusal = topics.iter().find_map(|topic| match topic {
            topic if held.contains(&topic.as_str()) || granted.contains(topic) => {
                Some(format!("error:already subscribed,topic:{topic}"))
            }
            topic if !is_known(topic) => Some("error:handler not found".to_owned()),
            _ => None,
        });
        let success = refusal.is_none();
        if success {
            granted.extend(topics);
        }
        let answer = serde_json::json!({
            "success": success, "ret_msg": refusal.unwrap_or_default(), "conn_id": "c",
            "req_id": request.id.to_string(), "op": "subscribe",
        });
        asked.extend(read(venue, &answer.to_string()).1);
    }
    (granted, requests)
}

#[test]
fn unknown_names_are_found_in_parts_and_do_not_cost_the_others() {
    for (category, unknown) in [
        (Category::Spot, vec![0]),
        (Category::Spot, vec![3, 4, 39]),
        (Category::Linear, vec![17, 119]),
        (Category::Inverse, (0..120).collect()),
    ] {
        let count = if category == Category::Spot { 40 } else { 120 };
        let mut venue = large(category, count);
        let is_known = |topic: &str| !unknown.iter().any(|number| topic.contains(&format!(".A{number}USD")));
        let (granted, requests) = answer(&mut venue, is_known, &[]);
        let refused: Vec<usize> = venue.refused().iter().map(|(symbol, _)| symbol.index()).collect();
        assert_eq!(refused, unknown);
        assert_eq!(granted.len(), (count - unknown.len()) * category.channels().len());
        assert!(requests <= 12 + 45 * unknown.len(), "{requests} requests for {} names", unknown.len());
    }
}

#[test]
fn a_topic_that_the_connection_holds_is_not_asked_for_again() {
    let mut venue = large(Category::Spot, 20);
    let held = ["publicTrade.A0USDT", "publicTrade.A7USDT", "tickers.A19USDT"];
    let (granted, requests) = answer(&mut venue, |_| true, &held);
    assert_eq!(venue.refused(), vec![]);
    assert_eq!((granted.len() + held.len(), requests), (60, 9));
}

#[test]
fn a_symbol_without_statistics_keeps_its_prices_on_the_spot_market_alone() {
    let mut spot = large(Category::Spot, 20);
    answer(&mut spot, |topic| topic != "tickers.A3USDT", &[]);
    assert_eq!(spot.refused(), vec![]);
    let mut linear = large(Category::Linear, 20);
    answer(&mut linear, |topic| topic != "tickers.A3USDT", &[]);
    assert_eq!(linear.refused(), [(FeedSymbol(3), Reason::NotGranted)], "it would have no quote");
}

#[test]
fn names_follow_from_symbols_of_the_category_alone() {
    for (category, symbol, name) in [
        (Category::Spot, "BTC-USDT", Some("BTCUSDT")),
        (Category::Spot, "BTCUSDT", Some("BTCUSDT")),
        (Category::Spot, "BTC-USDT-PERP", None),
        (Category::Spot, "BRK.B", None),
        (Category::Linear, "BTC-USDT-PERP", Some("BTCUSDT")),
        (Category::Linear, "BTC-USDC-PERP", None),
        (Category::Linear, "BTC-USD-PERP", None),
        (Category::Linear, "BTC-USDT", None),
        (Category::Linear, "A-B-USDT-PERP", None),
        (Category::Inverse, "BTC-USD-PERP", Some("BTCUSD")),
        (Category::Inverse, "BTC-USDT-PERP", None),
        (Category::Inverse, "BTC_USD-PERP", None),
    ] {
        assert_eq!(category.derive(&symbol.parse().unwrap()).as_deref(), name, "{category:?} {symbol}");
    }
}

#[test]
fn the_address_has_the_categorys_path_and_the_connection_is_pinged() {
    assert_eq!(venue(Category::Spot).url(), "wss://stream.bybit.com/v5/public/spot");
    assert_eq!(venue(Category::Linear).url(), "wss://stream.bybit.com/v5/public/linear");
    let url = Some("ws://127.0.0.1:9".to_owned());
    let local = Given { url, ..Given::symbols(&[("BTC-USD-PERP", None)]) };
    assert_eq!(Bybit::new(Category::Inverse, &local.setup()).unwrap().url(), "ws://127.0.0.1:9/v5/public/inverse");
    let rules = venue(Category::Spot).rules();
    assert_eq!(rules.ping, Some(Ping { every: Duration::from_secs(20), text: r#"{"op":"ping"}"# }));
    assert!(rules.heartbeat_timeout.unwrap() >= 2 * PING.every, "one lost answer is not the end");
}
