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

/// Plays a venue whose plan has room for so many symbols. Returns the dialogue at its end, and how many requests for
/// prices it took.
fn limited(names: &[&str], limit: usize) -> (Dialogue, Message, usize) {
    let (mut dialogue, mut asked) = Dialogue::subscribed(names);
    let mut granted: Vec<String> = Vec::new();
    let mut count = 0;
    let mut last = Message::Other;
    while !asked.is_empty() {
        let request: serde_json::Value = serde_json::from_str(&asked.remove(0)).unwrap();
        let Some(wanted) = request["trades"].as_array() else { break };
        count += 1;
        let wanted: Vec<String> = wanted.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let (message, more) = if granted.len() + wanted.len() > limit {
            dialogue.fails(405)
        } else {
            granted.extend(wanted);
            let granted: Vec<&str> = granted.iter().map(String::as_str).collect();
            dialogue.grants(&granted, &granted)
        };
        last = message;
        asked.extend(more);
    }
    (dialogue, last, count)
}

#[test]
fn a_list_over_the_plans_limit_is_granted_up_to_the_limit_in_a_few_requests() {
    // Each of two requests holds some 1,100 names.
    let names: Vec<String> = (0..2_000).map(|number| format!("S{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (count, limit, requests_max) in
        [(2, 1, 3), (40, 30, 8), (500, 30, 12), (500, 499, 12), (500, 500, 1), (2_000, 30, 16), (2_000, 1_700, 16)]
    {
        let (dialogue, last, requests) = limited(&names[..count], limit);
        let refused: Vec<_> = (limit..count).map(|symbol| (FeedSymbol(symbol as u32), Reason::SymbolLimit)).collect();
        assert_eq!(dialogue.venue.refused(), refused, "{limit} of {count}");
        assert!(matches!(last, Message::Acknowledged(_) | Message::Superseded(_)), "{last:?}, {limit} of {count}");
        assert!(requests <= requests_max, "{requests} requests for {limit} of {count}");
        assert_eq!(dialogue.batch.snapshots.len(), limit, "what is granted is asked for");
    }
}

#[test]
fn a_plan_without_room_for_a_symbol_is_an_error() {
    for count in [1, 2, 40] {
        let names: Vec<String> = (0..count).map(|number| format!("S{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (_, last, _) = limited(&names, 0);
        assert_eq!(last, Message::Failed(Failure::Fatal(Reason::SymbolLimit)), "{count}");
    }
}

#[test]
fn a_symbol_that_is_added_over_the_limit_is_refused_at_once_and_one_that_is_removed_is_not_asked_for() {
    let added = |place: u32| (FeedSymbol(place), ListedSymbol::from("IBM".parse::<crate::market::Symbol>().unwrap()));
    let (mut dialogue, ..) = limited(&["AAPL", "AMD"], 2);
    dialogue.grants_extras(&["AAPL", "AMD"], &["AAPL", "AMD"]);
    dialogue.venue.change(&[added(2)], &[]);
    assert_eq!(dialogue.fails(405), (Message::Refused(Some(4)), vec![]));
    assert_eq!(dialogue.venue.refused(), [(FeedSymbol(2), Reason::SymbolLimit)]);

    let (mut dialogue, _) = Dialogue::subscribed(&["AAPL", "AMD", "IBM"]);
    let (message, asked) = dialogue.fails(405);
    assert_eq!(message, Message::Superseded(2));
    assert_eq!(asked, [r#"{"action":"subscribe","quotes":["AAPL"],"trades":["AAPL"]}"#]);
    dialogue.venue.change(&[], &[FeedSymbol(1)]);
    // Of its request, and of the two that end what it may have.
    let asked: Vec<String> = (0..3).flat_map(|_| dialogue.grants(&["AAPL"], &["AAPL"]).1).collect();
    assert_eq!(asked, [r#"{"action":"subscribe","quotes":["IBM"],"trades":["IBM"]}"#]);
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
