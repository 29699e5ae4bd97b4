//! The venue's answers, one for each channel of a symbol.

use super::*;
use crate::venue::kit::Given;

fn venue() -> Okx {
    Okx::new(&Given::symbols(&[("BTC-USDT", None), ("NOPE-USDT", None), ("ETH-USDT-PERP", None)]).setup()).unwrap()
}

/// Reads one answer: the message, and the requests that follow it.
fn answer(venue: &mut Okx, frame: &str) -> (Message, Vec<Request>) {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
    assert_eq!((batch.errors.total(), batch.updates.len()), (0, 0));
    (message, batch.requests)
}

fn ack(channel: &str, name: &str) -> String {
    format!(r#"{{"event":"subscribe","arg":{{"channel":"{channel}","instId":"{name}"}},"connId":"a4d3ae55"}}"#)
}

fn refusal(of: &str) -> String {
    format!(
        r#"{{"event":"error","msg":"Subscribe failed, wrong URL or {of} doesn't exist. Please use the correct URL, channel and parameters referring to API document.","code":"60018","connId":"a4d3ae55"}}"#
    )
}

const CHANNELS: [&str; 3] = ["trades", "bbo-tbt", "tickers"];

#[test]
fn a_request_for_each_channel_has_all_symbols() {
    let requests = venue().open();
    let args = |channel: &str| {
        format!(
            r#"{{"args":[{{"channel":"{channel}","instId":"BTC-USDT"}},{{"channel":"{channel}","instId":"NOPE-USDT"}},{{"channel":"{channel}","instId":"ETH-USDT-SWAP"}}],"op":"subscribe"}}"#
        )
    };
    let expected: Vec<Request> = (1..).zip(CHANNELS).map(|(id, channel)| Request::send(id, args(channel))).collect();
    assert_eq!(requests, expected);
    let rules = venue().rules();
    assert_eq!(rules.ping, Some(Ping { every: Duration::from_secs(25), text: "ping" }));
    assert_eq!(rules.heartbeat_timeout, Some(Duration::from_secs(30)), "the venue's own limit");
    assert_eq!(venue().url(), "wss://ws.okx.com:8443/ws/v5/public");
}

#[test]
fn rule_10_the_arguments_of_a_connection_stay_below_the_venues_limit() {
    let names: Vec<String> = (0..SYMBOLS_MAX).map(|number| format!("A{number:026}-USDT")).collect();
    assert_eq!(names[0].len(), Symbol::LENGTH_MAX);
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    let requests = Okx::new(&Given::symbols(&names).setup()).unwrap().open();
    let bytes: usize = requests.iter().map(|request| request.text.as_ref().unwrap().len()).sum();
    assert!(requests.len() == 3 && bytes < 64_000, "{bytes}");
}

#[test]
fn each_channel_of_each_symbol_is_answered_in_any_order() {
    let names = ["BTC-USDT", "NOPE-USDT", "ETH-USDT-SWAP"];
    // Each step of 2, 4, 5 or 7 reaches all nine.
    for step in [2, 4, 5, 7] {
        let mut venue = venue();
        venue.open();
        let mut messages = Vec::new();
        for place in (0..9).map(|turn| turn * step % 9) {
            let (channel, name) = (CHANNELS[place / 3], names[place % 3]);
            let frame = match name {
                "NOPE-USDT" => refusal(&format!("channel:{channel},instId:{name}")),
                _ => ack(channel, name),
            };
            let (message, requests) = answer(&mut venue, &frame);
            assert_eq!(requests, []);
            messages.push(message);
            assert_eq!(answer(&mut venue, &frame), (Message::Control, vec![]), "a repeated answer");
        }
        let mut granted: Vec<u64> = messages
            .iter()
            .filter_map(|message| match message {
                Message::Acknowledged(id) => Some(*id),
                _ => None,
            })
            .collect();
        granted.sort_unstable();
        assert_eq!(granted, [1, 2, 3], "{step}: {messages:?}");
        assert_eq!(venue.refused(), [(FeedSymbol(1), Reason::NotGranted)]);
    }
}

#[test]
fn a_refusal_without_a_channel_is_of_each_that_is_awaited() {
    let mut venue = venue();
    venue.open();
    for (channel, name) in CHANNELS.into_iter().flat_map(|channel| [(channel, "BTC-USDT"), (channel, "ETH-USDT-SWAP")])
    {
        assert_eq!(answer(&mut venue, &ack(channel, name)).0, Message::Control);
    }
    let messages = [1, 2, 3].map(|_| answer(&mut venue, &refusal("instId:NOPE-USDT")).0);
    assert_eq!(messages, [1, 2, 3].map(Message::Acknowledged), "with the others");
    assert_eq!(venue.refused(), [(FeedSymbol(1), Reason::NotGranted)]);
}

#[test]
fn operators_see_a_refusal_of_one_symbol() {
    let mut venue = venue();
    venue.open();
    let mut batch = Batch::default();
    let frame = refusal("channel:tickers,instId:NOPE-USDT");
    assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Control));
    assert!(batch.refuses_symbol);
    assert_eq!(venue.refused(), [], "statistics are an extra");
}

#[test]
fn an_error_without_a_symbol_refuses_the_oldest_request_which_is_asked_for_again_in_parts() {
    for error in [
        r#"{"event":"error","code":"60012","msg":"Invalid request: {\"op\":\"subscribe\"}","connId":"a4d3ae55"}"#,
        &refusal("channel:trades"),
        &refusal("channel:trades,instId:OTHER-USDT"),
    ] {
        let mut venue = venue();
        venue.open();
        let (message, requests) = answer(&mut venue, error);
        let texts: Vec<_> = requests.iter().map(|request| (request.id, request.text.as_deref().unwrap())).collect();
        assert_eq!(message, Message::Superseded(1));
        let second = r#"{"args":[{"channel":"trades","instId":"NOPE-USDT"},{"channel":"trades","instId":"ETH-USDT-SWAP"}],"op":"subscribe"}"#;
        assert_eq!(
            texts,
            [(4, r#"{"args":[{"channel":"trades","instId":"BTC-USDT"}],"op":"subscribe"}"#), (5, second)],
            "{error}"
        );
    }
}
