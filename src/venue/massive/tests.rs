//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{
        Decimal, Field, Halt, Now, QuoteUpdate, Sequence, StatsUpdate, StatsWindow, StatusUpdate, TradeUpdate,
        TradingSession, UnixMicros, Update,
    },
    venue::{
        Credentials,
        kit::{CONDITIONS, Given, Moves},
    },
};
use proptest::prelude::*;

const TRADE: &str = r#"[{"ev":"T","sym":"AAPL","i":"143542","x":4,"p":297.8550,"s":40,"c":[14,41],"t":1781622376037,"pt":1781622376029,"q":4938313,"z":3,"trfi":202,"trft":1781622376036,"ds":"40.25"}]"#;
const QUOTE: &str = r#"[{"ev":"Q","sym":"MSFT","i":[604],"bx":15,"ax":12,"bp":297.83,"ap":297.87,"bs":80,"as":90,"c":1,"t":1781622375953,"q":44424716,"z":3}]"#;
const BAR: &str = r#"[{"ev":"A","sym":"AAPL","v":4989,"av":4332126,"op":75.980,"vw":78.0894,"o":78.1,"c":78.08,"h":78.125,"l":78.07,"a":76.8404,"z":62,"s":1788877043000,"e":1788877044000,"dav":"4332126.038360"}]"#;
const LIMITS: &str =
    r#"[{"ev":"LULD","h":3.63,"l":2.97,"i":[17],"z":3,"T":"AAPL","t":1788877046310003386,"q":3209682}]"#;

fn feed(names: &[&str]) -> Given {
    let names: Vec<_> = names.iter().map(|name| (*name, None)).collect();
    Given { credentials: Some(Credentials::new("hush", "")), ..Given::symbols(&names) }
}

fn venue() -> Massive {
    Massive::new(&feed(&["AAPL", "MSFT"]).setup()).unwrap()
}

fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Batch) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    (message, batch)
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn at(micros: i64, by_arrival: bool) -> Sequence {
    Sequence { id: None, time: Some(UnixMicros(micros)), by_arrival }
}

fn only(frame: impl AsRef<[u8]>) -> Update {
    let (message, batch) = read(frame);
    assert_eq!((message, batch.errors.total(), batch.updates.len()), (Ok(Message::Data), 0, 1));
    batch.updates[0]
}

#[test]
fn each_known_condition_moves_what_it_may() {
    for (id, about, .., moves) in CONDITIONS {
        for conditions in id.iter().flat_map(|id| [format!("[{id}]"), format!("[14,{id},41]")]) {
            let trade = TRADE.replace("[14,41]", &conditions);
            let (message, batch) = read(&trade);
            assert_eq!(message, Ok(Message::Data), "{trade}");
            let found = (Moves::of(&batch, Now::read()), batch.ineligible);
            assert_eq!(found, (*moves, u64::from(*moves == Moves::Neither)), "{about}: {trade}");
        }
    }
}

#[test]
fn a_trade_is_exact_and_may_be_of_a_fraction_of_a_share() {
    let trade = TradeUpdate {
        sequence: at(1_781_622_376_037_000, true),
        price: number("297.855"),
        size: number("40.25"),
        side: Field::Clear,
        session: TradingSession::Regular,
        key: None,
    };
    assert_eq!(only(TRADE), Update { trade: Some(trade), ..Update::default() });
    let whole = TRADE.replace(r#","ds":"40.25""#, "");
    assert_eq!(only(whole).trade.unwrap().size, number("40"));
    let late = TRADE.replace("[14,41]", "[14,12]");
    assert_eq!(only(late).trade.unwrap().session, TradingSession::Extended);
    let (_, batch) = read(TRADE.replace("[14,41]", "[14,37,41]"));
    assert_eq!((batch.updates.len(), batch.ineligible), (0, 1));
    assert!(only(TRADE.replace(r#""c":[14,41],"#, "")).trade.is_some(), "without conditions it is a regular sale");
}

#[test]
fn a_trade_that_is_sent_twice_is_one() {
    let mut venue = venue();
    let mut count = |frame: &str| {
        let mut batch = Batch::default();
        venue.read(frame.as_bytes(), &mut batch).unwrap();
        batch.updates.len()
    };
    let twice = format!("[{0},{0}]", TRADE.trim_matches(['[', ']']));
    assert_eq!(count(&twice), 1);
    assert_eq!(count(TRADE), 0);
    assert_eq!(count(&TRADE.replace("143542", "143543")), 1);
    assert_eq!(count(TRADE), 1, "of another trade behind it nothing is known");
    assert_eq!(count(&TRADE.replace("\"x\":4", "\"x\":5")), 1, "each exchange has its own ids");
    assert_eq!(count(&TRADE.replace("\"trfi\":202", "\"trfi\":203")), 1, "and each facility");
    assert_eq!(count(&TRADE.replace("\"143542\"", "\"a-b\"")), 1);
    assert_eq!(count(&TRADE.replace("\"143542\"", "\"a-b\"")), 1, "an id that is not a number tells nothing");
}

#[test]
fn a_quote_has_sizes_in_shares_and_an_empty_side_is_cleared() {
    let quote = QuoteUpdate {
        sequence: at(1_781_622_375_953_000, true),
        bid: number("297.83"),
        bid_size: number("80"),
        ask: number("297.87"),
        ask_size: number("90"),
    };
    let update = Update { symbol: FeedSymbol(1), quote: Some(quote), ..Update::default() };
    assert_eq!(only(QUOTE), update);
    let empty = Update { quote: Some(QuoteUpdate { bid: Field::Clear, bid_size: Field::Clear, ..quote }), ..update };
    assert_eq!(only(QUOTE.replace(r#""bp":297.83,"#, "")), empty);
    assert_eq!(only(QUOTE.replace(r#""bp":297.83,"#, r#""bp":0,"#)), empty);
}

#[test]
fn of_a_bar_only_the_days_figures_count() {
    let stats = StatsUpdate {
        sequence: at(1_788_877_044_000_000, false),
        window: Field::Set(StatsWindow::Day),
        open: number("75.98"),
        volume: number("4332126.03836"),
        ..StatsUpdate::default()
    };
    assert_eq!(only(BAR), Update { stats: Some(stats), ..Update::default() });
    let whole = BAR.replace(r#","dav":"4332126.038360""#, "");
    assert_eq!(only(whole).stats.unwrap().volume, number("4332126"));
}

#[test]
fn limits_tell_halts_in_nanoseconds() {
    let status = |halted| StatusUpdate {
        sequence: at(1_788_877_046_310_003, false),
        closed: None,
        halted,
        resume_is_reported: true,
    };
    assert_eq!(only(LIMITS).status, Some(status(Field::Set(Halt::Other))));
    assert_eq!(only(LIMITS.replace("[17]", "[15,18]")).status, Some(status(Field::Clear)));
    for both in ["[17,18]", "[18,17]"] {
        assert_eq!(only(LIMITS.replace("[17]", both)).status, Some(status(Field::Set(Halt::Other))), "{both}");
    }
    for other in ["[15]", "[]", "[\"17\"]"] {
        let (message, batch) = read(LIMITS.replace("[17]", other));
        assert_eq!((message, batch.updates.len(), batch.errors.total()), (Ok(Message::Data), 0, 0), "{other}");
    }
}

/// What the venue says, and what is asked in answer.
fn says(venue: &mut Massive, frame: &str) -> (Message, Vec<Message>, Vec<String>) {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
    assert_eq!(batch.errors.total(), 0, "{frame}");
    let asked = batch.requests.into_iter().map(|request| request.text.unwrap()).collect();
    (message, batch.answers, asked)
}

fn status(status: &str, words: &str) -> String {
    format!(r#"[{{"ev":"status","status":"{status}","message":"{words}"}}]"#)
}

fn subscribed(url: Option<&str>, names: &[&str]) -> (Massive, Vec<String>) {
    let feed = Given { url: url.map(str::to_owned), ..feed(names) };
    let mut venue = Massive::new(&feed.setup()).unwrap();
    assert_eq!(venue.open(), [Request::wait_for(WELCOME)]);
    let (message, _, asked) = says(&mut venue, &status("connected", "Connected Successfully"));
    assert_eq!((message, asked), (Message::Acknowledged(0), vec![r#"{"action":"auth","params":"hush"}"#.to_owned()]));
    let (message, _, asked) = says(&mut venue, &status("auth_success", "authenticated"));
    assert_eq!(message, Message::Acknowledged(1));
    (venue, asked)
}

#[test]
fn it_logs_in_and_subscribes_channel_by_channel() {
    let (mut venue, asked) = subscribed(None, &["AAPL", "MSFT"]);
    let subscribe = |topics: &str| format!(r#"{{"action":"subscribe","params":"{topics}"}}"#);
    assert_eq!(asked, ["T.AAPL,T.MSFT", "Q.AAPL,Q.MSFT", "A.AAPL,A.MSFT", "LULD.AAPL,LULD.MSFT"].map(subscribe));
    let held = |topics: &[&str]| {
        let all = topics.iter().map(|topic| status("success", &format!("subscribed to: {topic}")));
        format!("[{}]", all.map(|one| one.trim_matches(['[', ']']).to_owned()).collect::<Vec<_>>().join(","))
    };
    assert_eq!(says(&mut venue, &held(&["T.AAPL"])).0, Message::Control);
    // With data in the same frame.
    let mixed = held(&["T.MSFT"]).replace("}]", &format!("}},{}", TRADE.trim_start_matches('[')));
    let mut batch = Batch::default();
    assert_eq!(venue.read(mixed.as_bytes(), &mut batch), Ok(Message::Acknowledged(2)));
    assert_eq!(batch.updates, [only(TRADE)]);
    let (message, answers, _) = says(&mut venue, &held(&["Q.AAPL", "Q.MSFT", "A.MSFT", "A.AAPL"]));
    assert_eq!((message, answers), (Message::Acknowledged(4), vec![Message::Acknowledged(3)]));
    assert_eq!(says(&mut venue, &held(&["LULD.AAPL", "LULD.MSFT"])).0, Message::Acknowledged(5));
    assert_eq!(venue.refused(), []);
    let shown = format!("{venue:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let (_, late) = subscribed(Some("wss://delayed.massive.com/stocks"), &["AAPL"]);
    assert_eq!(late, ["T.AAPL", "A.AAPL"].map(subscribe), "quotes and halts come in real time alone");
}

#[test]
fn rule_10_a_request_holds_so_many_topics() {
    let names: Vec<String> = (0..450).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_, asked) = subscribed(None, &names);
    let counts: Vec<usize> = asked.iter().map(|request| request.matches('.').count()).collect();
    assert_eq!(counts, [200, 200, 50].repeat(4));
}

/// Says this once for each topic.
fn repeated(venue: &mut Massive, frame: &str, count: usize) -> Vec<Message> {
    (0..count).map(|_| says(venue, frame).0).collect()
}

#[test]
fn what_a_plan_lacks_costs_the_channel_and_trades_the_feed() {
    use Message::{Acknowledged, Control, Refused};
    let lacks = status("error", "not authorized");
    let held = |topic: &str| status("success", &format!("subscribed to: {topic}"));
    let (mut venue, _) = subscribed(None, &["AAPL", "MSFT"]);
    says(&mut venue, &held("T.AAPL"));
    assert_eq!(says(&mut venue, &held("T.MSFT")).0, Acknowledged(2));
    // An error for each topic of the quotes; bars are in the plan; limits are not.
    assert_eq!(repeated(&mut venue, &lacks, 2), [Control, Refused(Some(3))]);
    assert_eq!([says(&mut venue, &held("A.AAPL")).0, says(&mut venue, &held("A.MSFT")).0], [Control, Acknowledged(4)]);
    assert_eq!(repeated(&mut venue, &lacks, 3), [Control, Refused(Some(5)), Control]);
    assert_eq!(venue.refused(), [], "their trades are granted");

    // A list that changes then: what is refused again is the extras of the new one.
    let ibm = [(FeedSymbol(2), "IBM".parse::<crate::market::Symbol>().unwrap().into())];
    let Change::Requests(requests) = venue.change(&ibm, &[FeedSymbol(0)]) else { panic!("it can") };
    let silences: Vec<Silence> = requests.iter().map(|request| request.silence).collect();
    let (ends, begins) = silences.split_at(4);
    assert_eq!(ends, [Silence::Ends; 4]);
    assert_eq!(begins, [Silence::Disconnects, Silence::Refuses, Silence::Refuses, Silence::Refuses]);
    assert_eq!(says(&mut venue, &held("T.IBM")).0, Acknowledged(10));
    assert_eq!(says(&mut venue, &lacks).0, Refused(Some(11)), "an end is refused by nothing");
    assert_eq!(venue.refused(), []);

    let (mut venue, _) = subscribed(None, &["AAPL"]);
    assert_eq!(says(&mut venue, &lacks).0, Message::Failed(Failure::Fatal(Reason::NotEntitled)));
}

#[test]
fn one_error_for_a_whole_request_leaves_the_rest_to_silence() {
    let (mut venue, _) = subscribed(None, &["AAPL", "MSFT"]);
    let held = |topic: &str| status("success", &format!("subscribed to: {topic}"));
    for topic in ["T.AAPL", "T.MSFT"] {
        says(&mut venue, &held(topic));
    }
    assert_eq!(says(&mut venue, &status("error", "not authorized")).0, Message::Control);
    says(&mut venue, &held("A.AAPL"));
    assert_eq!(says(&mut venue, &held("A.MSFT")).0, Message::Acknowledged(4));
    venue.unanswered(3);
    venue.unanswered(5);
    assert!(venue.subscription.is_answered());
    assert_eq!(venue.refused(), [], "their trades are granted");
}

#[test]
fn each_of_many_requests_has_errors_of_its_own() {
    let names: Vec<String> = (0..450).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut venue, _) = subscribed(None, &names);
    for name in names {
        says(&mut venue, &status("success", &format!("subscribed to: T.{name}")));
    }
    let answers = repeated(&mut venue, &status("error", "not authorized"), 3 * 450);
    let refused: Vec<_> = answers.into_iter().filter(|message| *message != Message::Control).collect();
    assert_eq!(refused, (5..=13).map(|id| Message::Refused(Some(id))).collect::<Vec<_>>());
    assert_eq!(venue.refused(), []);
}

#[test]
fn a_topic_that_is_held_already_is_granted_by_its_trades() {
    let (mut venue, _) = subscribed(None, &["AAPL", "MSFT"]);
    for topic in ["T.AAPL", "T.MSFT"] {
        says(&mut venue, &status("success", &format!("subscribed to: {topic}")));
    }
    let again = ["AAPL", "MSFT"].map(|name| name.parse::<crate::market::Symbol>().unwrap().into());
    let places = [FeedSymbol(0), FeedSymbol(1)];
    let added: Vec<_> = places.into_iter().zip(again).collect();
    let Change::Requests(requests) = venue.change(&added, &places) else { panic!("it can") };
    let id = requests.iter().rfind(|request| request.text.as_deref().unwrap().contains("T.AAPL")).unwrap().id;
    says(&mut venue, TRADE);
    venue.unanswered(id);
    assert_eq!(venue.refused(), [(FeedSymbol(1), Reason::NotGranted)], "AAPL has had a trade since");
}

#[test]
fn errors_are_fatal_or_passing() {
    let passing = Message::Failed(Failure::Passing { retry_after: None });
    let crowded = Message::Failed(Failure::ConnectionLimit { retry_after: Duration::from_secs(60) });
    for (kind, words, expected) in [
        ("auth_failed", "authentication failed", Message::Failed(Failure::Fatal(Reason::Unauthorized))),
        ("auth_timeout", "No authentication request received.", passing),
        ("max_connections", "Maximum number of websocket connections exceeded. ", crowded),
        ("error", "unknown", passing),
        ("connected", "Connected Successfully", Message::Other),
        ("news", "of tomorrow", Message::Other),
    ] {
        let (mut venue, _) = subscribed(None, &["AAPL"]);
        assert_eq!(says(&mut venue, &status(kind, words)).0, expected, "{kind}");
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted() {
    for (frame, reason) in [("", DecodeError::Json), ("{}", DecodeError::Shape), ("[1]", DecodeError::Shape)] {
        assert_eq!(read(frame).0, Err(reason), "{frame}");
    }
    for (frame, reason) in [
        ("[{}]".to_owned(), DecodeError::Shape),
        (r#"[{"ev":"status"}]"#.to_owned(), DecodeError::Shape),
        (TRADE.replace("AAPL", "IBM"), DecodeError::UnknownSymbol),
        (TRADE.replace("297.8550", "\"x\""), DecodeError::Number),
        (TRADE.replace("297.8550", "0"), DecodeError::Price),
        (TRADE.replace("1781622376037", "\"soon\""), DecodeError::Time),
        (LIMITS.replace("[17]", "17"), DecodeError::Shape),
    ] {
        assert_eq!(read(&frame).1.errors.of(reason), 1, "{frame}");
    }
    assert_eq!(read(r#"[{"ev":"NOI","T":"AAPL"},{"ev":"AM","sym":"AAPL"}]"#).0, Ok(Message::Other));
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(
        which in 0_usize..4, at in 0_usize..250, byte in any::<u8>(), cut in 0_usize..300,
    ) {
        let mut frame = [TRADE, QUOTE, BAR, LIMITS][which].as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let _ = read(frame);
    }
}
