//! The parameters of a request: each is understood or named in a problem, and none is dropped in silence.

use crate::support::{Gateway, Setup};
use tickfan::{
    fanout::Options,
    market::{Part, Parts},
};

fn gateway() -> Gateway {
    Gateway::start(Setup::default())
}

/// The options of the stream that a target opens.
fn options(gateway: &Gateway, target: &str) -> Options {
    gateway.open(target, "").1.options
}

/// The kind and the detail of the problem that a target is answered with.
fn problem(gateway: &Gateway, target: &str) -> (String, String) {
    let answer = gateway.client().get(target);
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")), "{target}");
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("type").replace("urn:tickfan:problem:", ""), text("detail"))
}

#[test]
fn a_list_that_is_given_in_several_parameters_adds_up() {
    let gateway = gateway();
    let trade = Parts::from_iter([Part::Trade]);
    let trade_and_quote = Parts::from_iter([Part::Trade, Part::Quote]);
    let all = Parts::from_iter([Part::Trade, Part::Quote, Part::Stats]);
    for (query, parts) in [
        ("on=trade", trade),
        ("on=trade&on=quote", trade_and_quote),
        ("on=quote&on=trade", trade_and_quote),
        ("on=trade&on=trade", trade),
        ("on=trade,quote&on=stats", all),
        ("on=trade&on=quote&max_rate=4&on=stats", all),
        ("on=trade%2Cquote&%6Fn=stats", all),
    ] {
        let expected = parts.union(Parts::STATUS);
        assert_eq!(options(&gateway, &format!("/v1/stream/AAPL?{query}")).parts(), expected, "{query}");
    }
    for (query, symbols) in [
        ("symbols=AAPL&symbols=MSFT", &["AAPL", "MSFT"][..]),
        ("symbols=MSFT&on=trade&symbols=AAPL,msft", &["MSFT", "AAPL"]),
        ("symbols=&symbols=BRK.B", &["BRK.B"]),
    ] {
        let (_client, stream) = gateway.open(&format!("/v1/stream?{query}"), "");
        let opened: Vec<_> = stream.symbols.iter().map(|state| state.symbol().as_str()).collect();
        assert_eq!(opened, symbols, "{query}");
        let quotes = gateway.client().get(&format!("/v1/quotes?{}", query.replace("on=trade&", ""))).json();
        assert_eq!(quotes["quotes"].as_array().unwrap().len(), symbols.len(), "{query}");
    }
    for query in ["on=trade&on=", "on=trade&on=depth", "on=trade&on=quote,"] {
        assert_eq!(problem(&gateway, &format!("/v1/stream/AAPL?{query}")).0, "bad-option", "{query}");
    }
}

#[test]
fn a_parameter_with_one_value_that_comes_twice_is_rejected() {
    let gateway = gateway();
    for (target, name) in [
        ("/v1/stream/AAPL?max_rate=4&max_rate=5", "max_rate"),
        ("/v1/stream/AAPL?max_rate=4&max_rate=4", "max_rate"),
        ("/v1/stream?symbols=AAPL&heartbeat=5&on=trade&heartbeat=", "heartbeat"),
        ("/v1/stream?last_event_id=1-1&symbols=AAPL&last_event_id=1-2", "last_event_id"),
        ("/v1/stream/AAPL?max_rate=4&max%5Frate=5", "max_rate"),
        ("/v1/symbols?limit=5&limit=6", "limit"),
        ("/v1/symbols?prefix=A&prefix=B", "prefix"),
        ("/v1/history/AAPL?points=5&points=5", "points"),
        ("/v1/history/AAPL?since=1&s%69nce=2", "since"),
    ] {
        let (kind, detail) = problem(&gateway, target);
        assert_eq!(kind, "repeated-parameter", "{target}");
        assert!(detail.contains(name), "{target}: {detail}");
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn an_unknown_parameter_is_rejected_with_the_one_that_was_meant() {
    let gateway = gateway();
    for (target, meant) in [
        ("/v1/stream/AAPL?maxrate=4", "max_rate"),
        ("/v1/stream/AAPL?Max_Rate=4", "max_rate"),
        ("/v1/stream/AAPL?max-rate=4", "max_rate"),
        ("/v1/stream/AAPL?maxRate=4", "max_rate"),
        ("/v1/stream/AAPL?max_rate%20=4", "max_rate"),
        ("/v1/stream/AAPL?heartbeats=5", "heartbeat"),
        ("/v1/stream/AAPL?last-event-id=1-1", "last_event_id"),
        ("/v1/stream/AAPL?on[]=trade", "on"),
        ("/v1/stream/AAPL?ON=trade", "on"),
        ("/v1/stream?symbol=AAPL", "symbols"),
        ("/v1/stream?Symbols=AAPL", "symbols"),
        ("/v1/stream?symbols%5B%5D=AAPL&symbols%5B%5D=MSFT", "symbols"),
        ("/v1/stream?symbols[0]=AAPL", "symbols"),
        ("/v1/quotes?symbol=AAPL", "symbols"),
        ("/v1/symbols?prefx=A", "prefix"),
        ("/v1/symbols?limits=10", "limit"),
        ("/v1/history/AAPL?point=10", "points"),
        ("/v1/history/AAPL?Since=10", "since"),
    ] {
        let (kind, detail) = problem(&gateway, target);
        assert_eq!(kind, "unknown-parameter", "{target}");
        assert!(detail.contains(&format!("Did you mean {meant}?")), "{target}: {detail}");
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn an_unknown_parameter_that_resembles_none_is_rejected_with_those_that_there_are() {
    let gateway = gateway();
    for (target, takes) in [
        ("/v1/stream/AAPL?_=1732283045124", "It takes max_rate, on, heartbeat, patch, last_event_id, ticket."),
        ("/v1/stream/AAPL?t=1", "It takes max_rate, on, heartbeat, patch, last_event_id, ticket."),
        ("/v1/stream?symbols=AAPL&=4", "It takes symbols, max_rate, on, heartbeat, patch, last_event_id, ticket."),
        ("/v1/quotes?symbols=AAPL&max_rate=4", "It takes symbols."),
        ("/v1/quotes/AAPL?max_rate=4", "It takes none."),
        ("/v1/quotes/AAPL?x=%00%0d%0aevent:x", "It takes none."),
        ("/v1/symbols?since=1", "It takes prefix, q, symbols, limit."),
        // The path names the one symbol: those of the query would be dropped.
        ("/v1/stream/AAPL?symbols=MSFT", "It takes max_rate, on, heartbeat, patch, last_event_id, ticket."),
        ("/v1/quotes/AAPL?symbols=MSFT", "It takes none."),
        ("/v1/history/AAPL?symbols=MSFT", "It takes since, points."),
        ("/v1/history/AAPL?_=1732283045124", "It takes since, points."),
    ] {
        let (kind, detail) = problem(&gateway, target);
        assert_eq!(kind, "unknown-parameter", "{target}");
        assert!(detail.ends_with(takes) && !detail.contains("Did you mean"), "{target}: {detail}");
        assert!(!detail.chars().any(char::is_control), "{target}: {detail:?}");
    }
    for file in ["/?symbols=AAPL&utm_source=x", "/app.js?v=2", "/openapi.json?_=1"] {
        assert_eq!(gateway.client().get(file).status, 200, "{file}: a file is the same with any query");
    }
}

#[test]
fn a_history_has_at_most_5000_points_and_begins_at_a_time() {
    let gateway = gateway();
    for (name, values) in [
        ("points", ["0", "5001", "-1", "1.5", "", "all", "99999999999999999999999"]),
        ("since", ["-1", "1.5", "", "now", "1e15", "9223372036854775808", "2026-11-29T00:00:00Z"]),
    ] {
        for value in values {
            let (kind, detail) = problem(&gateway, &format!("/v1/history/AAPL?{name}={value}"));
            assert_eq!(kind, "bad-option", "{name}={value}");
            assert!(detail.starts_with(&format!("{name}=")), "{detail}");
        }
    }
    for query in ["points=1&since=0", "points=5000", "since=9223372036854775807", "s%69nce=%31"] {
        assert_eq!(gateway.client().get(&format!("/v1/history/AAPL?{query}")).status, 200, "{query}");
    }
}

#[test]
fn the_last_id_is_read_under_both_names_that_clients_use_and_is_never_an_error() {
    let gateway = gateway();
    let epoch = gateway.cache.slice(0, 1)[0].shard().epoch();
    for (query, after) in [
        (format!("last_event_id={epoch}-7"), Some(7)),
        // The npm package `event-source-polyfill` adds this one when it reconnects.
        (format!("lastEventId={epoch}-8"), Some(8)),
        (format!("last_event_id={epoch}-7&lastEventId={epoch}-9"), Some(9)),
        (format!("last_event_id={epoch}%2D7"), Some(7)),
        ("last_event_id=".to_owned(), None),
        ("last_event_id".to_owned(), None),
        ("lastEventId=%FF%00".to_owned(), None),
    ] {
        let (_client, stream) = gateway.open(&format!("/v1/stream/AAPL?{query}"), "");
        assert_eq!(stream.resume.map(|resume| resume.after), after, "{query}");
    }
}
