//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::{
    event::{Event, Frame, scanned},
    *,
};
use crate::{
    market::{
        Decimal, Field, Guards, Now, Origin, QuoteUpdate, Sequence, Side, Snapshot, TradeUpdate, UnixMicros, Update,
    },
    telemetry::labels::Label,
    venue::{
        ListedSymbol,
        kit::{
            Given,
            raw::{self, Plain},
        },
    },
};
use proptest::prelude::*;

const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343001,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342001,"m":true,"M":true}}"#;
const QUOTE: &str = r#"{"stream":"ethusdt@bookTicker","data":{"u":35346513501,"s":"ETHUSDT","b":"2683.80000000","B":"3.02920000","a":"2683.81000000","A":"31.43950000"}}"#;

fn symbols(names: &[(&str, Option<&str>)]) -> Vec<ListedSymbol> {
    Given::symbols(names).symbols
}

fn feed(symbols: Vec<ListedSymbol>) -> Given {
    Given { symbols, ..Given::default() }
}

fn venue() -> Binance {
    Binance::new(&SPOT, &feed(symbols(&[("BTC-USDT", None), ("ETH-USDT", None)])).setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

/// What comes of one frame: message, updates and the reasons that were counted.
fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, batch.updates, counted)
}

#[test]
fn a_trade_is_exact_and_its_taker_is_not_its_maker() {
    let trade = TradeUpdate {
        sequence: Sequence {
            id: Some(3_735_683_259),
            time: Some(UnixMicros(1_723_161_255_342_001)),
            by_arrival: false,
        },
        price: number("61837.63"),
        size: number("0.02"),
        side: Field::Set(Side::Sell),
        ..TradeUpdate::default()
    };
    let update = Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() };
    assert_eq!(read(TRADE), (Ok(Message::Data), vec![update], vec![]));
    let (_, bought, _) = read(TRADE.replace(r#""m":true"#, r#""m":false"#));
    assert_eq!(bought[0].trade.unwrap().side, Field::Set(Side::Buy));
}

#[test]
fn a_time_in_milliseconds_is_taken_as_such() {
    let (_, updates, _) = read(TRADE.replace("1723161255342001", "1723161255342"));
    assert_eq!(updates[0].trade.unwrap().sequence.time, Some(UnixMicros(1_723_161_255_342_000)));
}

#[test]
fn a_quote_has_an_id_and_no_time() {
    let quote = QuoteUpdate {
        sequence: Sequence { id: Some(35_346_513_501), ..Sequence::default() },
        bid: number("2683.8"),
        bid_size: number("3.0292"),
        ask: number("2683.81"),
        ask_size: number("31.4395"),
    };
    let update = Update { symbol: FeedSymbol(1), quote: Some(quote), ..Update::default() };
    assert_eq!(read(QUOTE), (Ok(Message::Data), vec![update], vec![]));
}

#[test]
fn an_empty_side_of_the_book_is_cleared() {
    let empty = QUOTE.replace("2683.80000000", "0.00000000").replace("3.02920000", "0.00000000");
    let quote = read(empty).1[0].quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Clear, number("2683.81")));
}

#[test]
fn answers_and_notices_are_told_apart() {
    for (frame, message) in [
        (r#"{"result":null,"id":1}"#, Message::Acknowledged(1)),
        (r#"{"id":7,"result":null,"new":1}"#, Message::Acknowledged(7)),
        (r#"{"code":2,"msg":"Invalid request: property name must be a string","id":3}"#, Message::Refused(Some(3))),
        (r#"{"code":3,"msg":"Invalid JSON","id":null}"#, Message::Refused(None)),
        (r#"{"error":{"code":2,"msg":"Invalid request"},"id":4}"#, Message::Refused(Some(4))),
        (r#"{"e":"serverShutdown","E":1770123456789}"#, Message::Closing),
        (r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#, Message::Closing),
        (r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","s":"BTCUSDT","k":{"t":1}}}"#, Message::Other),
        (r#"{"stream":"x","data":{"lastUpdateId":160,"bids":[["0.1","1"]]}}"#, Message::Other),
        (r#"{"result":["btcusdt@trade"]}"#, Message::Other),
        ("{}", Message::Other),
    ] {
        assert_eq!(read(frame), (Ok(message), vec![], vec![]), "{frame}");
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_field = TRADE.replace("\"61837.63000000\"", &deep);
    for (frame, reason) in [
        (&b""[..], DecodeError::Json),
        (b"\x00\x01\x02\xff", DecodeError::Json),
        (&TRADE.as_bytes()[..100], DecodeError::Json),
        (b"{\"stream\":\"btcusdt@trade\",\"data\":", DecodeError::Json),
        (b"hello", DecodeError::Json),
        (b"\"text\"", DecodeError::Shape),
        (b"17", DecodeError::Shape),
        (b"{\"data\":5}", DecodeError::Shape),
        (b"{\"data\":\"trade\"}", DecodeError::Shape),
        (b"{\"data\":{\"e\":5}}", DecodeError::Shape),
        (b"{\"data\":{\"e\":\"trade\"}}", DecodeError::Shape),
        (b"{\"data\":{\"e\":\"trade\",\"s\":7}}", DecodeError::Shape),
        (b"{\"data\":{\"e\":\"trade\",\"s\":\"DOGEUSDT\"}}", DecodeError::UnknownSymbol),
        (b"{\"data\":{\"e\":\"trade\",\"s\":\"btcusdt\"}}", DecodeError::UnknownSymbol),
        (b"{\"data\":{\"u\":1,\"s\":\"\"}}", DecodeError::UnknownSymbol),
    ] {
        assert_eq!(read(frame), (Err(reason), vec![], vec![]), "{}", frame.escape_ascii());
    }
    assert_eq!(read(&deep).0, Err(DecodeError::Shape));
    assert_eq!(
        read(deep_field).2,
        [DecodeError::Range],
        "a deep field is a bad field, too long for a number, not a deep stack"
    );
}

#[test]
fn rule_9_a_bad_field_is_dropped_and_the_rest_stands() {
    for (from, to, reason) in [
        ("\"61837.63000000\"", "\"1e99\"", DecodeError::Range),
        ("\"61837.63000000\"", "\"NaN\"", DecodeError::Number),
        ("\"p\":\"61837.63000000\",", "", DecodeError::Missing),
    ] {
        let (message, updates, counted) = read(TRADE.replace(from, to));
        let trade = updates[0].trade.unwrap();
        assert_eq!((message, trade.price, trade.size), (Ok(Message::Data), Field::Clear, number("0.02")), "{to}");
        assert_eq!(counted, [reason], "{to}");
    }
    let (_, updates, counted) = read(TRADE.replace(r#""m":true"#, r#""m":"yes""#));
    assert_eq!((updates[0].trade.unwrap().side, counted), (Field::Clear, vec![DecodeError::Word]));
    let (_, updates, counted) = read(TRADE.replace("1723161255342001", "\"soon\"").replace("3735683259", "-1"));
    assert_eq!(updates[0].trade.unwrap().sequence, Sequence::default());
    assert_eq!(counted, [DecodeError::Number, DecodeError::Time]);
    let (_, updates, counted) = read(QUOTE.replace("\"3.02920000\"", "{}"));
    let quote = updates[0].quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, counted), (number("2683.8"), Field::Clear, vec![DecodeError::Number]));
}

#[test]
fn a_bid_or_ask_of_zero_or_below_is_none_and_the_other_side_stands() {
    for price in ["0", "0.00000000", "-1", "-0.5"] {
        let (_, updates, counted) = read(QUOTE.replace("2683.80000000", price));
        let quote = updates[0].quote.unwrap();
        assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Clear, number("2683.81")), "{price}");
        assert_eq!(counted, [DecodeError::Price], "{price}");
        let (_, updates, counted) = read(QUOTE.replace("2683.81000000", price));
        let quote = updates[0].quote.unwrap();
        assert_eq!((quote.ask, quote.ask_size, quote.bid), (Field::Clear, Field::Clear, number("2683.8")), "{price}");
        assert_eq!(counted, [DecodeError::Price], "{price}");
    }
    let (_, updates, counted) = read(QUOTE.replace("3.02920000", "0"));
    let quote = updates[0].quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, counted), (number("2683.8"), number("0"), vec![]), "a size may be zero");
}

/// A frame as an address with `/ws` sends it.
fn bare(frame: &str) -> String {
    let (_, data) = frame.split_once(r#""data":"#).unwrap();
    data[..data.len() - 1].to_owned()
}

#[test]
fn events_without_their_envelope_are_read_too() {
    for frame in [TRADE, QUOTE] {
        let bare = bare(frame);
        assert_eq!(read(&bare), read(frame), "{bare}");
        assert!(scanned(bare.as_bytes()).is_some());
        for (from, to) in [("\"s\":", " \"s\" : "), ("}", ",\"x\":{\"y\":[1.5]}}")] {
            let other = bare.replacen(from, to, 1);
            assert_eq!(read(&other), read(frame), "{other}");
        }
    }
    for (frame, message) in [
        (r#"{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}"#, Message::Other),
        (r#"{"e":"serverShutdown","E":1770123456789}"#, Message::Closing),
        (r#"{"lastUpdateId":160,"bids":[["0.1","1"]]}"#, Message::Other),
    ] {
        assert_eq!(read(frame), (Ok(message), vec![], vec![]), "{frame}");
    }
    for (frame, reason) in [
        (r#"{"e":"trade"}"#, DecodeError::Shape),
        (r#"{"e":5,"s":"BTCUSDT"}"#, DecodeError::Shape),
        (r#"{"e":"trade","s":"DOGEUSDT","p":"1"}"#, DecodeError::UnknownSymbol),
        (r#"{"u":1,"s":"DOGEUSDT"}"#, DecodeError::UnknownSymbol),
    ] {
        assert_eq!(read(frame).0, Err(reason), "{frame}");
    }
}

#[test]
fn what_is_not_a_trade_of_the_market_never_sets_a_price() {
    for price in ["0", "0.00", "0.00000000", "-1", "-0.5"] {
        let dropped = (Ok(Message::Data), vec![], vec![DecodeError::Price]);
        assert_eq!(read(TRADE.replace("61837.63000000", price)), dropped, "{price}");
    }
    for (kind, shown) in
        [("\"MARKET\"", true), ("\"INSURANCE_FUND\"", false), ("\"NA\"", false), ("\"\"", false), ("5", false)]
    {
        let mut batch = Batch::default();
        for frame in [TRADE.to_owned(), bare(TRADE)] {
            let frame = frame.replace("\"m\":true", &format!("\"X\":{kind},\"m\":true"));
            assert_eq!(venue().read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        }
        assert_eq!((batch.updates.len() == 2, batch.ineligible == 2), (shown, !shown), "{kind}");
    }
}

#[test]
fn odd_names_in_a_batch_of_a_hundred_do_not_cost_the_others() {
    let names: Vec<String> = (0..250).map(|number| format!("A{number}-USDT")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    for odd in [vec![], vec![0], vec![99], vec![17, 18, 130, 249], (0..250).step_by(25).collect(), (0..250).collect()] {
        let mut venue = Binance::new(&SPOT, &feed(symbols(&names)).setup()).unwrap();
        let is_odd = |request: &str| odd.iter().any(|number| request.contains(&format!("\"a{number}usdt@trade\"")));
        let mut batch = Batch::default();
        let mut asked: std::collections::VecDeque<Request> = venue.open().into();
        let mut requests = 0;
        while let Some(request) = asked.pop_front() {
            requests += 1;
            let id = request.id;
            let answer = match is_odd(&request.text.unwrap()) {
                true => format!(r#"{{"error":{{"code":2,"msg":"Invalid request: a stream is invalid"}},"id":{id}}}"#),
                false => format!(r#"{{"result":null,"id":{id}}}"#),
            };
            venue.read(answer.as_bytes(), &mut batch).unwrap();
            asked.extend(batch.requests.drain(..));
        }
        let refused: Vec<usize> = venue.refused().iter().map(|(symbol, _)| symbol.index()).collect();
        assert_eq!(refused, odd);
        assert!(requests <= 3 + 15 * odd.len(), "{requests} requests for {} odd names", odd.len());
    }
}

#[test]
fn subscriptions_are_batches_of_lower_case_streams() {
    let one =
        Binance::new(&SPOT, &feed(symbols(&[("BTC-USDT", None), ("GOLD", Some("PAXGUSDT"))])).setup()).unwrap().open();
    assert_eq!(
        one,
        [Request::send(
            1,
            r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker","btcusdt@ticker","paxgusdt@trade","paxgusdt@bookTicker","paxgusdt@ticker"]}"#
                .to_owned()
        )]
    );
    let many: Vec<_> = (0..250).map(|number| format!("A{number}-USDT")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), None)).collect();
    let requests = Binance::new(&SPOT, &feed(symbols(&many)).setup()).unwrap().open();
    assert_eq!(requests.iter().map(|request| request.id).collect::<Vec<_>>(), [1, 2, 3]);
    let streams = |request: &Request| request.text.as_ref().unwrap().matches('@').count();
    assert_eq!(requests.iter().map(streams).collect::<Vec<_>>(), [300, 300, 150]);
}

#[test]
fn a_feed_that_a_connection_cannot_carry_is_an_error() {
    let error =
        |entries: &[(&str, Option<&str>)]| crate::venue::new(&SPEC, &feed(symbols(entries)).setup()).err().unwrap();
    assert!(matches!(error(&[("A-USDT", None), ("AUSD-T", None)]), VenueError::NamesMeet { .. }));
    for no_pair in ["BTC-USDT-PERP", "BRK.B", "A_B"] {
        assert!(matches!(error(&[(no_pair, None)]), VenueError::NotDerivable { .. }), "{no_pair}");
    }
    let most = SPEC.symbols_per_connection;
    let names: Vec<_> = (0..=most).map(|number| format!("A{number}")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    assert!(crate::venue::new(&SPEC, &feed(symbols(&names[..most])).setup()).is_ok());
    assert!(matches!(error(&names), VenueError::TooManySymbols { count: 342, per_connection: 341, .. }));
    assert!(most * STREAMS.len() <= STREAMS_MAX);
    let url = Some("https://stream.example".to_owned());
    let wrong = Given { url, ..feed(vec![]) };
    assert!(matches!(Binance::new(&SPOT, &wrong.setup()), Err(VenueError::BadUrl { .. })));
}

#[test]
fn the_address_asks_for_microseconds() {
    assert_eq!(venue().url(), "wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND");
    let local = Given { url: Some("ws://127.0.0.1:9".to_owned()), ..feed(vec![]) };
    assert_eq!(Binance::new(&SPOT, &local.setup()).unwrap().url(), "ws://127.0.0.1:9/stream?timeUnit=MICROSECOND");
}

/// The event that a parser reads of a frame.
fn parsed(frame: &[u8]) -> Option<Event<Plain<'_>>> {
    raw::plain::<Frame<Plain<'_>>>(frame)?.data
}

#[test]
fn events_as_the_venue_writes_them_are_scanned() {
    for frame in [TRADE, QUOTE] {
        assert!(scanned(frame.as_bytes()).is_some_and(|event| Some(event) == parsed(frame.as_bytes())), "{frame}");
    }
    for (from, to) in
        [("\"stream\"", " \"stream\""), ("}}", "}} "), ("}}", "},\"x\":1}"), ("\"s\":", "\"s\":\"ETHUSDT\",\"s\":")]
    {
        let other = TRADE.replace(from, to);
        assert!(scanned(other.as_bytes()).is_none(), "{other}");
    }
}

/// Every recorded frame is read whole, and by the scan, where the recordings are there.
#[test]
fn a_recorded_session_is_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let path = std::path::Path::new(&folder).join("binance.txt.gz");
    let mut text = String::new();
    let mut file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    let mut venue = venue();
    let mut batch = Batch::default();
    for line in text.lines() {
        let (_, frame) = line.split_once(' ').unwrap();
        assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data), "{frame}");
        assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
    }
    assert_eq!((batch.updates.len(), batch.errors.total()), (text.lines().count(), 0));
}

proptest! {
    /// Any interleaving and repetition of frames, as many trades to a millisecond as there may be.
    #[test]
    fn rule_8_no_disorder_of_frames_moves_a_part_back(
        told in prop::collection::vec((any::<bool>(), 1_u64..40), 1..80),
    ) {
        let mut venue = venue();
        let mut batch = Batch::default();
        let now = Now::read();
        let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
        let mut guards = Guards::default();
        let mut highest = [0, 0];
        for (is_trade, place) in told {
            let millis = 1_723_161_255_342 + place / 8;
            let frame = if is_trade {
                format!(r#"{{"data":{{"e":"trade","s":"BTCUSDT","t":{place},"p":"{place}","q":"1","T":{millis},"m":true}}}}"#)
            } else {
                format!(r#"{{"data":{{"u":{place},"s":"BTCUSDT","b":"{place}","B":"1","a":"{place}","A":"1"}}}}"#)
            };
            prop_assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            for update in batch.updates.drain(..) {
                let _ = snapshot.apply(&update, &mut guards, now);
            }
            let part = usize::from(is_trade);
            highest[part] = highest[part].max(place as i64);
            let known = highest.map(|place| Decimal::new(place, 0).filter(|_| place > 0));
            prop_assert_eq!([snapshot.quote.ask, snapshot.trade.price], known);
        }
        prop_assert_eq!(batch.errors.total(), 0);
    }

    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(
        quote in any::<bool>(), at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..250,
    ) {
        let mut frame = if quote { QUOTE } else { TRADE }.as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        if let Some(event) = scanned(&frame) {
            prop_assert_eq!(Some(event), parsed(&frame));
        }
        let (message, updates, _) = read(frame);
        prop_assert!(updates.is_empty() || message == Ok(Message::Data));
    }
}
