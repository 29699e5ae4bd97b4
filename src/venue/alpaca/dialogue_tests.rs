//! The course of a connection: login, subscription, errors.

use super::{tests::feed, *};

/// A venue on a connection, and what it asked for so far.
struct Dialogue {
    venue: Alpaca,
    batch: Batch,
}

impl Dialogue {
    fn begin(names: &[&str]) -> Self {
        let mut venue = Alpaca::new(&STOCKS, &feed(names).setup()).unwrap();
        assert_eq!(venue.open(), [Request::wait_for(WELCOME)]);
        Self { venue, batch: Batch::default() }
    }

    fn subscribed(names: &[&str]) -> (Self, Vec<String>) {
        let mut dialogue = Self::begin(names);
        dialogue.says(r#"[{"T":"success","msg":"connected"}]"#);
        let (message, asked) = dialogue.says(r#"[{"T":"success","msg":"authenticated"}]"#);
        assert_eq!(message, Message::Acknowledged(LOGIN));
        (dialogue, asked)
    }

    /// The venue says this; what it was, and what is asked in answer.
    fn says(&mut self, frame: &str) -> (Message, Vec<String>) {
        let message = self.venue.read(frame.as_bytes(), &mut self.batch).unwrap();
        assert_eq!(self.batch.errors.total(), 0, "{frame}");
        (message, self.batch.requests.drain(..).map(|request| request.text.unwrap()).collect())
    }

    fn grants(&mut self, trades: &[&str], quotes: &[&str]) -> (Message, Vec<String>) {
        let lists = serde_json::json!([{ "T": "subscription", "trades": trades, "quotes": quotes, "bars": ["*"],
            "updatedBars": [], "dailyBars": [], "corrections": trades, "cancelErrors": trades }]);
        self.says(&lists.to_string())
    }

    fn grants_extras(&mut self, bars: &[&str], statuses: &[&str]) -> (Message, Vec<String>) {
        let lists =
            serde_json::json!([{ "T": "subscription", "dailyBars": bars, "statuses": statuses, "lulds": ["*"] }]);
        self.says(&lists.to_string())
    }

    fn fails(&mut self, code: u64) -> (Message, Vec<String>) {
        self.says(&format!(r#"[{{"T":"error","code":{code},"msg":"as it says"}}]"#))
    }
}

#[test]
fn it_logs_in_when_the_venue_has_spoken_and_then_subscribes() {
    let mut dialogue = Dialogue::begin(&["AAPL", "BRK.B"]);
    let (message, asked) = dialogue.says(r#"[{"T":"success","msg":"connected"}]"#);
    assert_eq!(message, Message::Acknowledged(WELCOME));
    assert_eq!(asked, [r#"{"action":"auth","key":"PKTEST","secret":"hush"}"#]);
    let (message, asked) = dialogue.says(r#"[{"T":"success","msg":"authenticated"}]"#);
    assert_eq!(message, Message::Acknowledged(LOGIN));
    assert_eq!(asked, [r#"{"action":"subscribe","quotes":["AAPL","BRK.B"],"trades":["AAPL","BRK.B"]}"#]);
    let all = ["BRK.B", "AAPL"];
    let (message, asked) = dialogue.grants(&all, &all);
    assert_eq!(message, Message::Acknowledged(2));
    assert_eq!(
        asked,
        [r#"{"action":"subscribe","dailyBars":["AAPL","BRK.B"],"lulds":["AAPL","BRK.B"],"statuses":["AAPL","BRK.B"]}"#]
    );
    assert_eq!(dialogue.grants_extras(&all, &all), (Message::Acknowledged(3), vec![]));
    assert_eq!(dialogue.venue.refused(), []);
    assert_eq!(dialogue.grants(&all, &all), (Message::Other, vec![]), "an answer to nothing");
    assert_eq!(dialogue.says(r#"[{"T":"success","msg":"connected"}]"#), (Message::Other, vec![]));
}

#[test]
fn a_frame_may_answer_several_requests() {
    // Two requests for prices, for their length.
    let names: Vec<String> = (0..1_500).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut dialogue, asked) = Dialogue::subscribed(&names);
    assert_eq!(asked.len(), 2);
    let answer = serde_json::json!({ "T": "subscription", "trades": names, "quotes": names });
    let (message, _) = dialogue.says(&serde_json::json!([answer, answer]).to_string());
    assert_eq!(message, Message::Acknowledged(3));
    assert_eq!(dialogue.batch.answers, [Message::Acknowledged(2)]);
}

#[test]
fn a_symbol_missing_from_an_answer_is_asked_for_again_then_given_up() {
    let (mut dialogue, _) = Dialogue::subscribed(&["AAPL", "AMD", "IBM"]);
    let (message, asked) = dialogue.grants(&["AAPL", "AMD"], &["AAPL"]);
    assert_eq!(message, Message::Acknowledged(2));
    assert_eq!(asked, [r#"{"action":"subscribe","quotes":["AMD","IBM"],"trades":["AMD","IBM"]}"#]);
    let (message, asked) = dialogue.grants(&["AAPL", "AMD"], &["AAPL", "AMD"]);
    assert_eq!(message, Message::Acknowledged(3));
    assert_eq!(asked, [r#"{"action":"subscribe","quotes":["IBM"],"trades":["IBM"]}"#]);
    let (message, asked) = dialogue.grants(&["AAPL", "AMD"], &["AAPL", "AMD"]);
    assert_eq!(message, Message::Refused(Some(4)));
    assert_eq!(
        asked,
        [r#"{"action":"subscribe","dailyBars":["AAPL","AMD"],"lulds":["AAPL","AMD"],"statuses":["AAPL","AMD"]}"#]
    );
    assert_eq!(dialogue.venue.refused(), [(FeedSymbol(2), Reason::NotGranted)]);
    dialogue.venue.open();
    assert_eq!(dialogue.venue.refused(), [], "each connection has its own verdict");
}

#[test]
fn statuses_that_are_missing_are_asked_for_again_and_then_told_as_refused() {
    let (mut dialogue, _) = Dialogue::subscribed(&["AAPL", "AMD"]);
    dialogue.grants(&["AAPL", "AMD"], &["AAPL", "AMD"]);
    for expected in [Message::Acknowledged(3), Message::Superseded(4)] {
        let (message, asked) = dialogue.grants_extras(&["AAPL", "AMD"], &["AAPL"]);
        assert_eq!(message, expected);
        assert_eq!(asked, [r#"{"action":"subscribe","dailyBars":["AMD"],"lulds":["AMD"],"statuses":["AMD"]}"#]);
    }
    assert_eq!(dialogue.says(r#"[{"T":"subscription","statuses":null}]"#), (Message::Refused(Some(5)), vec![]));
    assert_eq!(dialogue.venue.refused(), [], "its prices are granted");
    let answer = dialogue.venue.read(br#"[{"T":"subscription","statuses":7}]"#, &mut dialogue.batch);
    assert_eq!((answer, dialogue.batch.errors.total()), (Ok(Message::Other), 0), "an answer to nothing");
}

#[test]
fn a_request_that_is_refused_costs_its_symbols_and_all_of_them_the_connection() {
    let (mut dialogue, _) = Dialogue::subscribed(&["AAPL"]);
    assert_eq!(dialogue.fails(405), (Message::Failed(Failure::Fatal(Reason::SymbolLimit)), vec![]));

    // Two requests for prices, for their length.
    let names: Vec<String> = (0..1_500).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut dialogue, asked) = Dialogue::subscribed(&names);
    assert!(asked.len() == 2 && asked.iter().all(|request| request.len() < 13_000), "{}", asked.len());
    let first = asked[0].matches('"').count() / 4 - 2;
    assert_eq!(dialogue.grants(&names[..first], &names[..first]).0, Message::Acknowledged(2));
    let (message, extras) = dialogue.fails(405);
    assert_eq!(message, Message::Refused(Some(3)));
    assert!(extras.iter().all(|request| request.contains("statuses") && !request.contains("S1499")));
    let refused = dialogue.venue.refused();
    assert_eq!((refused.len(), refused.last()), (names.len() - first, Some(&(FeedSymbol(1_499), Reason::SymbolLimit))));
}

/// Plays a venue that takes no request with one of these names in it.
fn refused_for_their_form(names: &[&str], bad: impl Fn(&str) -> bool) -> (Vec<(FeedSymbol, Reason)>, usize) {
    let (mut dialogue, mut asked) = Dialogue::subscribed(names);
    let mut granted = Vec::new();
    let mut count = 0;
    while !asked.is_empty() {
        let request: serde_json::Value = serde_json::from_str(&asked.remove(0)).unwrap();
        count += 1;
        let Some(wanted) = request["trades"].as_array() else { break };
        let wanted: Vec<&str> =
            wanted.iter().map(|name| names[names.binary_search(&name.as_str().unwrap()).unwrap()]).collect();
        let (_, more) = if wanted.iter().any(|name| bad(name)) {
            dialogue.fails(400)
        } else {
            granted.extend(wanted);
            dialogue.grants(&granted, &granted)
        };
        asked.extend(more);
    }
    (dialogue.venue.refused(), count)
}

#[test]
fn a_name_of_a_bad_form_costs_no_other_symbol() {
    let names: Vec<String> = (0..300).map(|number| format!("S{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bad =
        |reason: &[u32]| reason.iter().map(|&symbol| (FeedSymbol(symbol), Reason::NotGranted)).collect::<Vec<_>>();
    let (refused, count) = refused_for_their_form(&names, |name| name == "S217");
    assert_eq!((refused, count < 25), (bad(&[217]), true), "{count} requests");
    let (refused, _) = refused_for_their_form(&names, |name| name == "S000" || name == "S299");
    assert_eq!(refused, bad(&[0, 299]));
}

#[test]
fn rule_10_a_venue_that_takes_no_name_is_not_asked_for_ever() {
    let names: Vec<String> = (0..20_000).map(|number| format!("S{number:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (refused, count) = refused_for_their_form(&names, |_| true);
    assert_eq!(refused.len(), names.len());
    assert!(count < 1_200, "{count} requests");
}

#[test]
fn a_feed_without_statuses_is_still_one_with_prices() {
    let (mut dialogue, _) = Dialogue::subscribed(&["AAPL"]);
    dialogue.grants(&["AAPL"], &["AAPL"]);
    assert_eq!(dialogue.fails(410), (Message::Refused(Some(3)), vec![]));
    assert_eq!(dialogue.venue.refused(), []);
}

#[test]
fn errors_are_fatal_passing_or_none() {
    let passing = || Failure::Passing { retry_after: None };
    for (code, failure) in [
        (400, passing()),
        (401, passing()),
        (402, Failure::Fatal(Reason::Unauthorized)),
        (404, passing()),
        (405, passing()),
        (406, Failure::ConnectionLimit { retry_after: Duration::from_secs(90) }),
        (407, passing()),
        (409, Failure::Fatal(Reason::NotEntitled)),
        (410, Failure::Fatal(Reason::NotEntitled)),
        (411, Failure::Fatal(Reason::NotEntitled)),
        (500, passing()),
        (999, passing()),
    ] {
        let mut dialogue = Dialogue::begin(&["AAPL"]);
        dialogue.says(r#"[{"T":"success","msg":"connected"}]"#);
        assert_eq!(dialogue.fails(code), (Message::Failed(failure), vec![]), "{code}");
    }
    let (mut dialogue, _) = Dialogue::subscribed(&["AAPL"]);
    assert_eq!(dialogue.fails(403).0, Message::Other, "logged in already");
    assert_eq!(
        dialogue.fails(409).0,
        Message::Failed(Failure::Fatal(Reason::NotEntitled)),
        "without prices it is nothing"
    );
}

#[test]
fn no_secret_is_shown_by_what_holds_it() {
    let mut dialogue = Dialogue::begin(&["AAPL"]);
    dialogue.venue.read(br#"[{"T":"success","msg":"connected"}]"#, &mut dialogue.batch).unwrap();
    assert!(dialogue.batch.requests[0].text.as_ref().unwrap().contains("hush"));
    let shown = format!("{:?} {:?} {:?}", dialogue.venue, dialogue.batch, feed(&["AAPL"]));
    assert!(!shown.contains("hush") && !shown.contains("PKTEST"), "{shown}");
}
