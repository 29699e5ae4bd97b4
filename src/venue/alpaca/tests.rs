//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{
        Correction, Decimal, Field, Halt, Now, Origin, QuoteUpdate, Sequence, StatsUpdate, StatsWindow, StatusUpdate,
        TradeKey, TradeUpdate, TradingSession, UnixMicros, Update,
    },
    telemetry::labels::Label,
    venue::kit::{CONDITIONS, Given, Moves},
};
use proptest::prelude::*;

const TRADE: &str = r#"[{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.550,"s":100,"t":"2021-02-22T15:51:44.208123999Z","c":["@"],"z":"C"}]"#;
const QUOTE: &str = r#"[{"T":"q","S":"BRK.B","bx":"K","bp":91.95,"bs":200,"ax":"Q","ap":91.98,"as":100,"c":["R"],"z":"A","t":"2021-02-22T15:51:45Z"}]"#;
const BAR: &str = r#"[{"T":"d","S":"AAPL","o":125.1,"h":127.32,"l":124.9,"c":126.55,"v":68847136,"n":512,"vw":126.1,"t":"2021-02-22T05:00:00Z"}]"#;
const STATUS: &str = r#"[{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"Trading Halted; For information requested by NASDAQ","t":"2021-02-22T19:15:00Z","z":"C"}]"#;
const CORRECTION: &str = r#"[{"T":"c","S":"BRK.B","x":"M","oi":52983525033527,"op":39.1582,"os":440000,"oc":[" ","7"],"ci":52983525034326,"cp":39.1809,"cs":440000,"cc":[" "],"z":"B","t":"2021-02-22T14:25:06.542305024Z"}]"#;
const CANCEL: &str =
    r#"[{"T":"x","S":"AAPL","i":465,"x":"D","p":105.31,"s":300,"a":"C","z":"C","t":"2021-02-22T13:15:42.83540958Z"}]"#;
const FRAMES: [&str; 6] = [TRADE, QUOTE, BAR, STATUS, CORRECTION, CANCEL];

pub(super) fn feed(names: &[&str]) -> Given {
    let credentials = Some(Credentials::new("PKTEST", "hush"));
    let names: Vec<_> = names.iter().map(|name| (*name, None)).collect();
    Given { credentials, ..Given::symbols(&names) }
}

fn venue() -> Alpaca {
    Alpaca::new(&STOCKS, &feed(&["AAPL", "BRK.B"]).setup()).unwrap()
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

fn data(update: Update) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    (Ok(Message::Data), vec![update], vec![])
}

fn time(micros: i64) -> Option<UnixMicros> {
    Some(UnixMicros(micros))
}

#[test]
fn a_trade_is_exact_and_its_order_is_that_of_arrival() {
    let trade = TradeUpdate {
        sequence: Sequence { id: None, time: time(1_614_009_104_208_123), by_arrival: true },
        price: number("126.55"),
        size: number("100"),
        side: Field::Clear,
        session: TradingSession::Regular,
        key: Some(TradeKey { exchange: b'D', id: 96_921 }),
    };
    assert_eq!(read(TRADE), data(Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() }));
}

#[test]
fn a_size_may_be_a_fraction_of_a_share() {
    for (size, expected) in [("0.000000001", "0.000000001"), ("12.50", "12.5"), ("\"0.25\"", "0.25")] {
        let (_, updates, counted) = read(TRADE.replace("100", size));
        assert_eq!((updates[0].trade.unwrap().size, counted), (number(expected), vec![]), "{size}");
        let (_, updates, counted) = read(CORRECTION.replace(r#""cs":440000"#, &format!(r#""cs":{size}"#)));
        assert_eq!((updates[0].correction.unwrap().now.unwrap().size, counted), (number(expected), vec![]), "{size}");
        let (_, updates, counted) = read(BAR.replace("68847136", size));
        assert_eq!((updates[0].stats.unwrap().volume, counted), (number(expected), vec![]), "{size}");
    }
}

#[test]
fn each_known_condition_moves_on_its_tape_what_it_may() {
    for (_, about, cta, utp, moves) in CONDITIONS {
        for (tape, letter) in [("A", cta), ("B", cta), ("C", utp), ("O", utp)] {
            for conditions in letter.iter().flat_map(|letter| [vec![*letter], vec!["@", letter, "F"]]) {
                let conditions = serde_json::json!(conditions);
                let trade = TRADE
                    .replace(r#"["@"]"#, &conditions.to_string())
                    .replace(r#""z":"C""#, &format!(r#""z":"{tape}""#));
                let mut batch = Batch::default();
                assert_eq!(venue().read(trade.as_bytes(), &mut batch), Ok(Message::Data), "{trade}");
                let found = (Moves::of(&batch, Now::read()), batch.ineligible);
                assert_eq!(found, (*moves, u64::from(*moves == Moves::Neither)), "{about}: {trade}");
            }
        }
    }
}

#[test]
fn conditions_decide_what_a_trade_moves() {
    for (conditions, session) in [
        (r#"["@"]"#, Some(TradingSession::Regular)),
        ("[]", Some(TradingSession::Regular)),
        ("null", Some(TradingSession::Regular)),
        (r#"["@","F","T"]"#, Some(TradingSession::Extended)),
        (r#"["@","F","T","I"]"#, None),
        (r#"["\u0049"]"#, None),
        (r#"["@","?"]"#, Some(TradingSession::Regular)),
    ] {
        let mut batch = Batch::default();
        let frame = TRADE.replace(r#"["@"]"#, conditions);
        assert_eq!(venue().read(frame.as_bytes(), &mut batch), Ok(Message::Data), "{conditions}");
        let shown = batch.updates.first().map(|update| update.trade.unwrap().session);
        assert_eq!((shown, batch.ineligible), (session, u64::from(session.is_none())), "{conditions}");
    }
    let without_tape = TRADE.replace(r#","z":"C""#, "").replace("@", "B");
    assert_eq!(read(without_tape).1.len(), 1, "what only one tape hides is shown where the tape is not known");
}

#[test]
fn a_quote_has_sizes_in_shares_and_an_empty_side_is_cleared() {
    let quote = QuoteUpdate {
        sequence: Sequence { id: None, time: time(1_614_009_105_000_000), by_arrival: true },
        bid: number("91.95"),
        bid_size: number("200"),
        ask: number("91.98"),
        ask_size: number("100"),
    };
    assert_eq!(read(QUOTE), data(Update { symbol: FeedSymbol(1), quote: Some(quote), ..Update::default() }));
    let halted = QUOTE.replace(r#""bp":91.95,"bs":200"#, r#""bp":0,"bs":0"#);
    let empty = QuoteUpdate { bid: Field::Clear, bid_size: Field::Clear, ..quote };
    assert_eq!(read(halted), data(Update { symbol: FeedSymbol(1), quote: Some(empty), ..Update::default() }));
}

#[test]
fn a_daily_bar_fills_the_days_figures() {
    let stats = StatsUpdate {
        sequence: Sequence { time: time(1_613_970_000_000_000), ..Sequence::default() },
        window: Field::Set(StatsWindow::Day),
        open: number("125.1"),
        high: number("127.32"),
        low: number("124.9"),
        volume: number("68847136"),
        prev_close: Field::Keep,
    };
    assert_eq!(read(BAR), data(Update { symbol: FeedSymbol(0), stats: Some(stats), ..Update::default() }));
}

#[test]
fn a_status_halts_and_resumes() {
    let sequence = Sequence { time: time(1_614_021_300_000_000), ..Sequence::default() };
    let status = |halted| Some(StatusUpdate { sequence, closed: None, halted, resume_is_reported: true });
    let halted = status(Field::Set(Halt::Regulatory));
    assert_eq!(read(STATUS), data(Update { symbol: FeedSymbol(0), status: halted, ..Update::default() }));
    let resumed = STATUS.replace(r#""sc":"H""#, r#""sc":"T""#);
    assert_eq!(
        read(resumed),
        data(Update { symbol: FeedSymbol(0), status: status(Field::Clear), ..Update::default() })
    );
}

#[test]
fn corrections_and_cancels_name_their_trade() {
    let key = |exchange, id| TradeKey { exchange, id };
    let (_, updates, counted) = read(CORRECTION);
    let correction = updates[0].correction.unwrap();
    let now = correction.now.unwrap();
    assert_eq!((updates[0].symbol, correction.of, counted), (FeedSymbol(1), key(b'M', 52_983_525_033_527), vec![]));
    assert_eq!(
        (now.key, now.price, now.size),
        (Some(key(b'M', 52_983_525_034_326)), number("39.1809"), number("440000"))
    );
    let hidden = CORRECTION.replace(r#""cc":[" "]"#, r#""cc":[" ","7"]"#);
    assert_eq!(read(hidden).1[0].correction.unwrap().now, None, "what it is now may not be shown");
    let cancel = Correction { of: key(b'D', 465), now: None };
    assert_eq!(read(CANCEL), data(Update { symbol: FeedSymbol(0), correction: Some(cancel), ..Update::default() }));
}

#[test]
fn a_frame_may_hold_all_kinds_and_a_bad_one_does_not_take_the_others_with_it() {
    let inner = |frame: &'static str| frame.trim_matches(['[', ']']);
    let bar = r#"{"T":"b","S":"MSFT","o":419.86,"h":419.86,"l":419.86,"c":419.86,"v":131,"t":"2021-02-22T16:58:00Z"}"#;
    let limits = r#"{"T":"l","S":"AAPL","u":3.24,"d":2.65,"i":"B","t":"2021-02-22T13:34:45.565004401Z","z":"C"}"#;
    let unknown = inner(TRADE).replace("AAPL", "IBM");
    let frame = ["[", bar, ",", inner(TRADE), ",", &unknown, ",", limits, ",{\"S\":1},", inner(QUOTE), "]"].concat();
    let (message, updates, counted) = read(frame);
    assert_eq!((message, updates.len()), (Ok(Message::Data), 2));
    assert_eq!(counted, [DecodeError::Shape, DecodeError::UnknownSymbol]);
    assert_eq!(read("[]"), (Ok(Message::Other), vec![], vec![]));
}

#[test]
fn a_feed_that_a_connection_cannot_carry_is_an_error() {
    let error = |feed: &Given| crate::venue::new(&SPEC, &feed.setup()).err().unwrap();
    assert!(matches!(error(&feed(&["BTC-USD"])), VenueError::NotDerivable { .. }));
    let without_key = Given { credentials: None, ..feed(&["AAPL"]) };
    assert_eq!(error(&without_key), VenueError::NoCredentials { venue: SPEC.name, rule: SPEC.credentials });
    let names: Vec<_> = (0..=SYMBOLS_MAX).map(|number| format!("A{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(crate::venue::new(&SPEC, &feed(&names[..SYMBOLS_MAX]).setup()).is_ok());
    assert!(matches!(error(&feed(&names)), VenueError::TooManySymbols { count: 20_001, .. }));
}

#[test]
fn the_address_says_what_the_data_are() {
    for (url, joined, origin) in [
        (None, "wss://stream.data.alpaca.markets/v2/iex", Origin::Market),
        (Some("ws://127.0.0.1:9"), "ws://127.0.0.1:9/v2/iex", Origin::Market),
        (Some("wss://a.example/v2/sip"), "wss://a.example/v2/sip", Origin::Market),
        (Some("wss://a.example/v2/delayed_sip/"), "wss://a.example/v2/delayed_sip/", Origin::Delayed),
        (Some("wss://a.example/v2/delayed_sip?x=/v2/sip"), "wss://a.example/v2/delayed_sip?x=/v2/sip", Origin::Delayed),
        (Some("wss://a.example/v2/test"), "wss://a.example/v2/test", Origin::Sim),
    ] {
        let feed = Given { url: url.map(str::to_owned), ..feed(&["AAPL"]) };
        assert_eq!(
            (Alpaca::new(&STOCKS, &feed.setup()).unwrap().url(), endpoint::origin(feed.url.as_deref())),
            (joined, origin)
        );
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (frame, reason) in [
        (&b""[..], DecodeError::Json),
        (&TRADE.as_bytes()[..100], DecodeError::Json),
        (b"{\"T\":\"t\"}", DecodeError::Shape),
        (b"[1]", DecodeError::Shape),
        (b"null", DecodeError::Shape),
        (deep.as_bytes(), DecodeError::Shape),
    ] {
        assert_eq!(read(frame), (Err(reason), vec![], vec![]));
    }
    for (frame, reason) in [
        ("[{}]".to_owned(), DecodeError::Shape),
        (r#"[{"T":"success"}]"#.to_owned(), DecodeError::Shape),
        (TRADE.replace("\"AAPL\"", "7"), DecodeError::Shape),
        (TRADE.replace("AAPL", "aapl"), DecodeError::UnknownSymbol),
    ] {
        assert_eq!(read(&frame), (Ok(Message::Other), vec![], vec![reason]), "{frame}");
    }
    for (from, to, reason) in [
        ("126.550", "\"NaN\"", DecodeError::Number),
        ("126.550", "1e99", DecodeError::Range),
        (r#""p":126.550,"#, "", DecodeError::Missing),
        ("2021-02-22T15:51:44.208123999Z", "soon", DecodeError::Time),
        (r#""x":"D""#, r#""x":"DD""#, DecodeError::Missing),
        ("96921", "-1", DecodeError::Number),
    ] {
        let (message, updates, counted) = read(TRADE.replace(from, to));
        assert_eq!((message, updates.len()), (Ok(Message::Data), 1), "{to}");
        assert!(counted.contains(&reason), "{to}: {counted:?}");
    }
}

/// Every recorded frame is read whole, where the recordings are there.
#[test]
fn recorded_frames_are_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let path = std::path::Path::new(&folder).join("samples/alpaca.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut venue = Alpaca::new(&STOCKS, &feed(&["AAPL", "AMD", "EEM", "GOOGL", "IONM"]).setup()).unwrap();
    let mut batch = Batch::default();
    for line in text.lines() {
        venue.read(line.as_bytes(), &mut batch).unwrap();
    }
    assert_eq!((batch.updates.len(), batch.ineligible, batch.errors.total()), (7, 3, 0));
}

#[test]
fn a_trade_at_a_price_of_zero_or_below_is_dropped_and_counted() {
    for price in ["0", "0.00", "-1.5", "\"0\"", "-0"] {
        assert_eq!(
            read(TRADE.replace("126.550", price)),
            (Ok(Message::Data), vec![], vec![DecodeError::Price]),
            "{price}"
        );
    }
    let (_, updates, counted) = read(CORRECTION.replace("39.1809", "0.0"));
    assert_eq!((updates[0].correction.unwrap().now, counted), (None, vec![DecodeError::Price]), "it cancels");
}

#[test]
fn rule_10_however_many_updates_a_frame_holds_a_batch_holds_a_slice_of_them() {
    let smallest = r#"{"T":"q","S":"AAPL"}"#;
    for bytes in [256 << 10, 2 << 20] {
        let count = bytes / (smallest.len() + 1);
        let frame = format!(" [ {} ] ", vec![smallest; count].join(" ,"));
        let mut venue = venue();
        let mut batch = Batch::default();
        let mut updates = 0;
        loop {
            assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            updates += batch.updates.len();
            let memory = batch.updates.capacity() * size_of::<Update>();
            assert!(batch.updates.capacity() <= Batch::UPDATES_MAX && memory <= 8 * frame.len(), "{memory}");
            batch.updates.clear();
            if batch.read_on == 0 {
                break;
            }
        }
        assert_eq!(updates, count);
        batch.shrink();
        assert!(batch.updates.capacity() * size_of::<Update>() < 64 << 10, "it is given back");
    }
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(
        which in 0_usize..6, at in 0_usize..250, byte in any::<u8>(), cut in 0_usize..300,
    ) {
        let mut frame = FRAMES[which].as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let (message, updates, _) = read(frame);
        prop_assert!(updates.is_empty() || message == Ok(Message::Data));
    }
}
