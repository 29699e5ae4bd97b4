//! Snapshots as the venue's reference shows them, and what else may come in their place.

use super::*;
use crate::{
    market::{Decimal, QuoteUpdate, Sequence, StatsWindow, TradeKey, TradeUpdate, TradingSession, UnixMicros},
    venue::{
        Credentials, Venue,
        alpaca::{STOCKS, coins::MARKET},
        kit::Given,
    },
};

const ANSWER: &str = r#"{"AAPL":{"latestTrade":{"t":"2021-05-11T20:00:00.435997104Z","x":"Q","p":125.910,"s":55,"c":["@"],"i":179430,"z":"C"},
  "latestQuote":{"t":"2021-05-11T22:05:02.307304704Z","ax":"P","ap":125.68,"as":1200,"bx":"P","bp":0,"bs":0,"c":["R"],"z":"C"},
  "minuteBar":{"t":"2021-05-11T22:02:00Z","o":125.66,"h":125.66,"l":125.66,"c":125.66,"v":396},
  "dailyBar":{"t":"2021-05-11T04:00:00Z","o":123.5,"h":126.27,"l":122.77,"c":125.91,"v":125863164},
  "prevDailyBar":{"t":"2021-05-10T04:00:00Z","o":129.41,"h":129.54,"l":126.81,"c":126.85,"v":79569305}},"MSFT":null}"#;
const DAY: Sequence = Sequence { id: None, time: Some(UnixMicros(1_620_705_600_000_000)), by_arrival: false };

fn alpaca() -> Alpaca {
    let symbols = Given::symbols(&[("AAPL", None), ("MSFT", None)]);
    let feed = Given { credentials: Some(Credentials::new("PKTEST", "hush")), ..symbols };
    Alpaca::new(&STOCKS, &feed.setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn read(venue: &mut Alpaca, answer: &str) -> (Result<Message, DecodeError>, Batch) {
    let mut batch = Batch::default();
    (venue.read(answer.as_bytes(), &mut batch), batch)
}

#[test]
fn an_answer_tells_trade_quote_and_figures_of_a_symbol_at_once() {
    let (message, batch) = read(&mut alpaca(), ANSWER);
    assert_eq!((message, batch.errors.total()), (Ok(Message::Data), 0));
    let at = |micros| Sequence { id: None, time: Some(UnixMicros(micros)), by_arrival: false };
    let trade = TradeUpdate {
        sequence: at(1_620_763_200_435_997),
        price: number("125.91"),
        size: number("55"),
        side: Field::Clear,
        session: TradingSession::Regular,
        key: Some(TradeKey { exchange: b'Q', id: 179_430 }),
    };
    let quote = QuoteUpdate {
        sequence: at(1_620_770_702_307_304),
        bid: Field::Clear,
        bid_size: Field::Clear,
        ask: number("125.68"),
        ask_size: number("1200"),
    };
    let stats = StatsUpdate {
        sequence: DAY,
        window: Field::Set(StatsWindow::Day),
        open: number("123.5"),
        high: number("126.27"),
        low: number("122.77"),
        volume: number("125863164"),
        prev_close: number("126.85"),
    };
    let update = Update {
        symbol: FeedSymbol(0),
        trade: Some(trade),
        quote: Some(quote),
        stats: Some(stats),
        is_snapshot: true,
        ..Update::default()
    };
    assert_eq!(batch.updates, [update]);
}

#[test]
fn parts_that_an_answer_lacks_are_left_out() {
    for (answer, parts, dropped) in [
        ("{}", None, 0),
        (r#"{"AAPL":{}}"#, Some("---"), 0),
        (r#"{"AAPL":{"latestQuote":{"t":"2021-05-11T22:05:02Z","ap":2,"as":1,"bp":1,"bs":1}}}"#, Some("-q-"), 0),
        // An odd lot never sets the last price.
        (
            r#"{"AAPL":{"latestTrade":{"t":"2021-05-11T20:00:00Z","x":"Q","p":1,"s":5,"c":["@","I"],"i":1,"z":"C"}}}"#,
            Some("---"),
            0,
        ),
        (r#"{"AAPL":{"prevDailyBar":{"t":"2021-05-10T04:00:00Z","c":126.85}}}"#, Some("---"), 0),
        (r#"{"IBM":{"latestQuote":{"t":"2021-05-11T22:05:02Z","ap":2,"as":1,"bp":1,"bs":1}}}"#, None, 1),
    ] {
        let (message, batch) = read(&mut alpaca(), answer);
        let expected = if batch.updates.is_empty() { Message::Other } else { Message::Data };
        assert_eq!((message, batch.errors.total()), (Ok(expected), dropped), "{answer}");
        let found = batch.updates.first().map(|update| {
            let part = |is_there, letter| if is_there { letter } else { "-" };
            [part(update.trade.is_some(), "t"), part(update.quote.is_some(), "q"), part(update.stats.is_some(), "s")]
                .concat()
        });
        assert_eq!(found.as_deref(), parts, "{answer}");
    }
}

#[test]
fn rule_9_an_answer_that_is_not_one_is_dropped_whole() {
    for (answer, reason) in [
        ("{", DecodeError::Json),
        (r#"{"AAPL":7}"#, DecodeError::Shape),
        (r#"{"message":"forbidden."}"#, DecodeError::Shape),
        (r#"{"AAPL":{"latestTrade":7}}"#, DecodeError::Shape),
    ] {
        let (message, batch) = read(&mut alpaca(), answer);
        assert_eq!((message, batch.updates.len()), (Err(reason), 0), "{answer}");
    }
}

#[test]
fn the_streams_own_bar_of_the_day_stands_and_its_close_before_is_told() {
    let mut venue = alpaca();
    let bar = r#"[{"T":"d","S":"AAPL","o":123.5,"h":130,"l":122,"c":1,"v":200000000,"t":"2021-05-11T04:00:00Z"}]"#;
    let (_, batch) = read(&mut venue, bar);
    assert_eq!((batch.updates[0].stats.unwrap().prev_close, batch.snapshots.len()), (Field::Keep, 0));
    let (_, batch) = read(&mut venue, ANSWER);
    let only_close = StatsUpdate {
        sequence: DAY,
        window: Field::Set(StatsWindow::Day),
        prev_close: number("126.85"),
        ..StatsUpdate::default()
    };
    assert_eq!(batch.updates[0].stats, Some(only_close));
    let (_, batch) = read(&mut venue, &bar.replace("05-11", "05-12"));
    assert_eq!(batch.updates[0].stats.unwrap().prev_close, Field::Clear, "it was that of the day before");
    assert_eq!(batch.snapshots, [FeedSymbol(0)]);
    let (_, batch) = read(&mut venue, ANSWER);
    assert_eq!(batch.updates[0].stats, None, "of the day before");
}

#[test]
fn a_request_names_the_symbols_and_shows_the_key_in_its_head_alone() {
    let venue = alpaca();
    let request = venue.snapshots(&[FeedSymbol(0), FeedSymbol(1), FeedSymbol(9)]).unwrap();
    assert_eq!(request.url, "https://data.alpaca.markets/v2/stocks/snapshots?feed=iex&symbols=AAPL%2CMSFT");
    let fields: Vec<_> = request.fields.iter().map(|(name, secret)| (*name, secret.expose())).collect();
    assert_eq!(fields, [("apca-api-key-id", "PKTEST"), ("apca-api-secret-key", "hush")]);
    assert!(!format!("{request:?}").contains("hush"));
    assert_eq!(venue.snapshots(&[FeedSymbol(9)]), None);
}

#[test]
fn coins_stand_in_an_object_of_their_own() {
    let symbols = Given::symbols(&[("BTC-USD", None)]);
    let feed = Given { credentials: Some(Credentials::new("PKTEST", "hush")), ..symbols };
    let mut venue = Alpaca::new(&MARKET, &feed.setup()).unwrap();
    let request = venue.snapshots(&[FeedSymbol(0)]).unwrap();
    assert_eq!(request.url, "https://data.alpaca.markets/v1beta3/crypto/us/snapshots?symbols=BTC%2FUSD");
    let answer = r#"{"snapshots":{"BTC/USD":{"latestTrade":{"p":64000.5,"s":0.1,"t":"2024-05-14T20:00:00.4Z","i":7,"tks":"S"}}}}"#;
    let (message, batch) = read(&mut venue, answer);
    assert_eq!((message, batch.updates[0].trade.unwrap().price), (Ok(Message::Data), number("64000.5")));
}
