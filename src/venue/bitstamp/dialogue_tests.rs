//! Requests and their answers.

use super::{
    tests::{BOOK, TRADE, venue},
    *,
};
use crate::venue::kit::Given;

fn read(venue: &mut Bitstamp, frame: &str) -> Message {
    venue.read(frame.as_bytes(), &mut Batch::default()).unwrap()
}

fn granted(channel: &str) -> String {
    format!(r#"{{"event":"bts:subscription_succeeded","channel":"{channel}","data":{{}}}}"#)
}

#[test]
fn each_channel_of_each_symbol_is_a_request_that_silence_refuses() {
    let requests = venue().open();
    let texts: Vec<_> = requests.iter().filter_map(|request| request.text.as_deref()).collect();
    assert_eq!(
        texts,
        [
            r#"{"data":{"channel":"live_trades_btcusd"},"event":"bts:subscribe"}"#,
            r#"{"data":{"channel":"live_trades_ethusd"},"event":"bts:subscribe"}"#,
            r#"{"data":{"channel":"order_book_btcusd"},"event":"bts:subscribe"}"#,
            r#"{"data":{"channel":"order_book_ethusd"},"event":"bts:subscribe"}"#,
        ]
    );
    assert!(requests.iter().all(|request| request.silence == Silence::Refuses));
    assert_eq!(requests.iter().map(|request| request.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn acknowledgements_are_matched_by_their_channel_in_whatever_order() {
    let mut venue = venue();
    venue.open();
    for (frame, message) in [
        (granted("order_book_ethusd"), Message::Acknowledged(4)),
        (BOOK.to_owned(), Message::Data),
        (granted("live_trades_btcusd"), Message::Acknowledged(1)),
        (granted("live_trades_btcusd"), Message::Control),
        (TRADE.to_owned(), Message::Data),
        (granted("order_book_btcusd"), Message::Acknowledged(3)),
        (granted("live_trades_ethusd"), Message::Acknowledged(2)),
    ] {
        assert_eq!(read(&mut venue, &frame), message, "{frame}");
    }
    assert_eq!(venue.refused(), []);
}

const REFUSAL: &str = r#"{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}"#;

#[test]
fn a_channel_that_is_not_acknowledged_in_time_refuses_its_symbol() {
    let mut venue = venue();
    venue.open();
    for channel in ["live_trades_btcusd", "order_book_btcusd", "live_trades_ethusd"] {
        assert!(matches!(read(&mut venue, &granted(channel)), Message::Acknowledged(_)));
    }
    venue.unanswered(4);
    assert_eq!(venue.refused(), [(FeedSymbol(1), Reason::NotGranted)]);
    assert_eq!(read(&mut venue, &granted("order_book_ethusd")), Message::Control, "too late");
}

#[test]
fn refusals_without_a_channel_mean_the_open_requests_once_there_are_as_many() {
    let mut venue = venue();
    venue.open();
    let mut batch = Batch::default();
    for message in [Message::Control, Message::Control] {
        assert_eq!(venue.read(REFUSAL.as_bytes(), &mut batch), Ok(message));
        assert!(std::mem::take(&mut batch.refuses_symbol), "operators see the venue's words");
    }
    let another = r#"{"event":"bts:error","channel":"","data":{"code":4009,"message":"Too busy."}}"#;
    assert_eq!(venue.read(another.as_bytes(), &mut batch), Ok(Message::Control));
    assert_eq!(read(&mut venue, &granted("live_trades_btcusd")), Message::Acknowledged(1));
    assert_eq!(venue.refused(), [], "one more request is open");
    assert_eq!(
        venue.read(granted("order_book_btcusd").as_bytes(), &mut batch),
        Ok(Message::Refused(Some(4))),
        "the last of three answers"
    );
    assert_eq!(batch.answers, [Message::Acknowledged(3), Message::Refused(Some(2))]);
    assert_eq!(venue.refused(), [(FeedSymbol(1), Reason::NotGranted)]);
    venue.open();
    assert_eq!(read(&mut venue, REFUSAL), Message::Control, "each connection begins afresh");
    let named = REFUSAL.replace(r#""channel":"""#, r#""channel":"live_trades_btcusd""#);
    assert_eq!(read(&mut venue, &named), Message::Refused(Some(1)), "it says which");
    assert_eq!(venue.refused(), [(FeedSymbol(0), Reason::NotGranted)]);
}

#[test]
fn a_refusal_without_a_channel_is_used_up_by_the_request_that_gets_no_answer() {
    let mut venue = venue();
    venue.open();
    assert_eq!(read(&mut venue, REFUSAL), Message::Control);
    venue.unanswered(1);
    for (channel, id) in [("order_book_btcusd", 3), ("live_trades_ethusd", 2), ("order_book_ethusd", 4)] {
        assert_eq!(read(&mut venue, &granted(channel)), Message::Acknowledged(id), "{channel}");
    }
    assert_eq!(venue.refused(), [(FeedSymbol(0), Reason::NotGranted)]);
}

#[test]
fn a_feed_that_a_connection_cannot_carry_is_an_error() {
    let error =
        |names: &[(&str, Option<&str>)]| crate::venue::new(&SPEC, &Given::symbols(names).setup()).err().unwrap();
    assert!(matches!(error(&[("A-USDT", None), ("AUSD-T", None)]), VenueError::NamesMeet { .. }));
    for no_pair in ["BTC-USDT-PERP", "BRK.B", "A_B"] {
        assert!(matches!(error(&[(no_pair, None)]), VenueError::NotDerivable { .. }), "{no_pair}");
    }
    let names: Vec<_> = (0..=SYMBOLS_MAX).map(|number| format!("A{number}-USD")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    let carried = Given::symbols(&names[..SYMBOLS_MAX]);
    assert!(crate::venue::new(&SPEC, &carried.setup()).is_ok());
    assert!(matches!(error(&names), VenueError::TooManySymbols { .. }));
    let asking = BETWEEN_REQUESTS * Bitstamp::new(&carried.setup()).unwrap().open().len() as u32;
    assert_eq!(asking, Duration::from_secs(10), "all are asked for by then");
}

#[test]
fn the_address_and_the_rules_are_the_venues() {
    assert_eq!(venue().url(), "wss://ws.bitstamp.net");
    let local = Given { url: Some("ws://127.0.0.1:9".to_owned()), ..Given::symbols(&[("BTC-USD", None)]) };
    assert_eq!(Bitstamp::new(&local.setup()).unwrap().url(), "ws://127.0.0.1:9");
    let rules = venue().rules();
    assert_eq!(
        rules.ping.map(|ping| (ping.every, ping.text)),
        Some((Duration::from_secs(30), r#"{"event":"bts:heartbeat"}"#))
    );
    assert_eq!((rules.heartbeat_timeout, rules.lifetime), (Some(Duration::from_secs(60)), None));
}
