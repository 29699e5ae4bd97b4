//! The latest state of symbols, asked for over HTTP when a connection has subscribed: what it brings, and that a
//! failure changes nothing.

use super::{credentials, mock::Mock, spec};
use crate::support::{
    Client, PATIENCE,
    log_watch::LogWatch,
    running::{Running, config},
    stream::{Stream, Tick},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};
use tickfan::{
    config::Feed,
    feed::Timing,
    market::{Schedule, Symbol},
};
use venue_sim::{Manner, alpaca, reply};

/// A watchlist, and the symbols of each of its requests: two of them are full.
const SYMBOLS: usize = 500;
const REQUESTS: [usize; 3] = [200, 200, 100];
/// After a reconnect, and what a machine may take longer that is busy with other tests.
const LIVE_WITHIN: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_secs(10);

fn feed(name: &str, manner: &Manner, url: &str, symbols: &[String]) -> Feed {
    let listed = symbols.iter().map(|symbol| symbol.parse::<Symbol>().unwrap().into()).collect();
    Feed {
        name: name.to_owned(),
        url: Some(url.to_owned()),
        schedule: Schedule::always(),
        credentials: credentials(spec(manner)),
        ..Feed::new(spec(manner), listed)
    }
}

fn timing() -> Timing {
    let backoff = Duration::from_millis(20);
    Timing { backoff_first: backoff, backoff_max: backoff, snapshot: Duration::from_millis(500), ..Timing::default() }
}

/// Reads until each symbol has this state; returns the first tick of each symbol that had it.
fn all_show(stream: &mut Stream, symbols: usize, state: &str) -> BTreeMap<String, Tick> {
    let mut shown = BTreeMap::new();
    while shown.len() < symbols {
        let tick = stream.tick();
        if tick.text("state") == state {
            shown.entry(tick.text("symbol").to_owned()).or_insert(tick);
        }
    }
    shown
}

fn names(symbols: usize) -> Vec<String> {
    (0..symbols).map(|number| format!("S{number:04}")).collect()
}

/// Where `TEST_RECONNECT` is set, the machine has to be idle.
#[test]
fn rule_10_after_a_reconnect_each_of_500_symbols_is_live_again_before_the_stream_says_anything_of_it() {
    let symbols = names(SYMBOLS);
    let requests: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
    let seen = requests.clone();
    let mock = Mock::answering(
        || (alpaca::MANNER.new)(&[]),
        move |head| {
            let names = alpaca::asked(head);
            let body = alpaca::snapshots(&names, 1, "171.24", "169.5");
            seen.lock().unwrap().push(names);
            Some(reply("200 OK", "", &body))
        },
    );
    let gateway = Running::start_with(&config(vec![feed("stocks", &alpaca::MANNER, &mock.url, &symbols)]), timing());
    let line = mock.line();
    let mut stream = Stream::open(gateway.address, &format!("/v1/stream?symbols={}", symbols.join(",")));
    stream.named("hello");
    for tick in all_show(&mut stream, SYMBOLS, "live").values() {
        assert_eq!((tick.text("price"), tick.text("bid"), tick.text("ask")), ("171.24", "171.2", "171.3"));
        assert_eq!((tick.text("prev_close"), tick.text("volume"), tick.text("window")), ("169.5", "1000", "day"));
        assert_eq!((tick.number("seq"), tick.number("trades")), (1, 1), "it is in the first tick");
    }
    drop(line);
    all_show(&mut stream, SYMBOLS, "stale");
    let line = mock.line();
    let reconnected = Instant::now();
    let live = all_show(&mut stream, SYMBOLS, "live");
    let took = reconnected.elapsed();
    println!("{SYMBOLS} symbols are live {:.2} s after the reconnect", took.as_secs_f64());
    let is_idle = std::env::var("TEST_RECONNECT").is_ok();
    assert!(took <= if is_idle { LIVE_WITHIN } else { LIVE_WITHIN + BUSY }, "{took:?}");
    for tick in live.values() {
        assert_eq!((tick.text("price"), tick.text("prev_close")), ("171.24", "169.5"));
        assert_eq!(tick.number("trades"), 1, "the trade that is known is not another one");
        assert!(!tick.fields.contains_key("stale"), "each part is confirmed: {:?}", tick.fields);
    }
    let asked = requests.lock().unwrap().clone();
    assert_eq!(asked.len(), 2 * REQUESTS.len());
    for connection in asked.chunks(REQUESTS.len()) {
        let lengths: Vec<usize> = connection.iter().map(Vec::len).collect();
        assert_eq!(lengths, REQUESTS, "each as long as the venue allows");
        let mut names = connection.concat();
        names.sort();
        assert_eq!(names, symbols, "each symbol once");
    }
    line.send(|dialect| dialect.trade("S0007", 2, "172", "5"));
    let tick = stream.tick();
    assert_eq!((tick.text("symbol"), tick.text("price"), tick.number("trades")), ("S0007", "172", 2));
    mock.finish();
}

#[test]
fn a_mute_stream_beside_which_the_state_can_be_asked_for_is_stale_until_it_speaks() {
    let symbols = names(3);
    let number = Arc::new(AtomicU64::new(1));
    let of_answer = number.clone();
    let mock = Mock::answering(
        || (alpaca::MANNER.new)(&[]),
        move |head| {
            let number = of_answer.load(Ordering::SeqCst);
            let price = (170 + number).to_string();
            Some(reply("200 OK", "", &alpaca::snapshots(&alpaca::asked(head), number, &price, "169.5")))
        },
    );
    let mute_after = Some(Duration::from_millis(1_500));
    let feed = Feed { mute_after, ..feed("stocks", &alpaca::MANNER, &mock.url, &symbols) };
    let gateway = Running::start_with(&config(vec![feed]), timing());
    let _first = mock.line();
    let mut stream = Stream::open(gateway.address, &format!("/v1/stream?symbols={}", symbols.join(",")));
    stream.named("hello");
    all_show(&mut stream, symbols.len(), "live");
    let falls_mute = |stream: &mut Stream| {
        for tick in all_show(stream, symbols.len(), "stale").values() {
            assert_eq!(tick.text("reason"), "mute");
        }
    };
    falls_mute(&mut stream);
    // It is replaced, and so is the next one, which is mute from its beginning to its end. The third lives on through
    // another silence.
    let _second = mock.line();
    let line = mock.line();
    for (answered, traded) in [(2, 9), (10, 19)] {
        number.store(answered, Ordering::SeqCst);
        line.send(move |dialect| dialect.trade("S0000", traded, "190", "5"));
        let live = all_show(&mut stream, symbols.len(), "live");
        let prices: Vec<&str> = live.values().map(|tick| tick.text("price")).collect();
        let told = (170 + answered).to_string();
        assert_eq!(prices, ["190", &told, &told], "what was asked for since");
        if answered == 2 {
            falls_mute(&mut stream);
        }
    }
    mock.finish();
}

#[test]
fn coins_are_asked_for_as_stocks_are() {
    let mock = Mock::answering(
        || (alpaca::CRYPTO.new)(&[]),
        |head| {
            let names = alpaca::asked(head);
            Some(reply(
                "200 OK",
                "",
                &format!(r#"{{"snapshots":{}}}"#, alpaca::snapshots(&names, 1, "64000.5", "63000")),
            ))
        },
    );
    let symbols = ["BTC-USD".to_owned()];
    let gateway = Running::start_with(&config(vec![feed("coins", &alpaca::CRYPTO, &mock.url, &symbols)]), timing());
    let mut stream = Stream::open(gateway.address, "/v1/stream/BTC-USD");
    stream.named("hello");
    let live = loop {
        let tick = stream.tick();
        if tick.text("state") == "live" {
            break tick;
        }
    };
    assert_eq!((live.text("price"), live.text("prev_close")), ("64000.5", "63000"));
    mock.finish();
}

/// How a venue fails to tell the state, and what that is counted as.
fn failures() -> Vec<(&'static str, Option<String>)> {
    let status = |status, fields| Some(reply(status, fields, r#"{"message":"as it says"}"#));
    vec![
        ("denied", status("401 Unauthorized", "")),
        ("denied", status("403 Forbidden", "")),
        ("http", status("404 Not Found", "")),
        ("http", status("302 Found", "location: https://data.example/v2/stocks/snapshots\r\n")),
        ("http", Some("200 OK, but this is not HTTP\r\n\r\n".to_owned())),
        ("rate_limited", status("429 Too Many Requests", "retry-after: 60\r\n")),
        ("server_error", status("503 Service Unavailable", "")),
        ("oversize", Some(reply("200 OK", "", &" ".repeat((1 << 20) + 1)))),
        ("unreadable", Some(reply("200 OK", "", "<html>"))),
        ("unreadable", Some(reply("200 OK", "", r#"{"F":7}"#))),
        ("http", Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned())),
        ("timeout", None),
    ]
}

#[test]
fn a_failure_is_counted_and_changes_nothing() {
    let failures = failures();
    let symbols: Vec<String> = (0..failures.len()).map(|place| format!("F{place}")).collect();
    let mocks: Vec<Mock> = failures
        .iter()
        .map(|(_, answer)| {
            let answer = answer.clone();
            Mock::answering(
                || (alpaca::MANNER.new)(&[]),
                move |head| {
                    assert_eq!(alpaca::asked(head).len(), 1);
                    answer.clone()
                },
            )
        })
        .collect();
    let feeds = mocks.iter().zip(&symbols).enumerate();
    let feeds = feeds.map(|(place, (mock, symbol))| {
        feed(&format!("feed-{place}"), &alpaca::MANNER, &mock.url, std::slice::from_ref(symbol))
    });
    let log = LogWatch::of_this_process().follow();
    let gateway = Running::start_with(&config(feeds.collect()), timing());
    let lines: Vec<_> = mocks.iter().map(Mock::line).collect();
    await_failures(&log, &failures);
    let metrics = Client::connect(gateway.admin).get("/metrics").body;
    for (place, (result, _)) in failures.iter().enumerate() {
        let counted = format!("tickfan_feed_snapshots_total{{feed=\"feed-{place}\",result=\"{result}\"}} 1\n");
        assert!(metrics.contains(&counted), "no {counted}");
        let symbol = symbols[place].clone();
        let mut stream = Stream::open(gateway.address, &format!("/v1/stream/{symbol}"));
        stream.named("hello");
        assert_eq!(stream.tick().text("state"), "waiting", "{result}");
        lines[place].send(move |dialect| dialect.trade(&symbol, 1, "171.24", "100"));
        let tick = stream.tick();
        assert_eq!(
            (tick.text("state"), tick.text("price"), tick.text("prev_close")),
            ("live", "171.24", ""),
            "{result}"
        );
    }
    mocks.into_iter().for_each(Mock::finish);
}

/// Waits until the log has told each feed's failure.
fn await_failures(log: &Receiver<String>, failures: &[(&str, Option<String>)]) {
    let deadline = Instant::now() + PATIENCE;
    let told = |(place, (result, _)): (usize, &(&str, Option<String>))| {
        (format!("feed=\"feed-{place}\" "), format!("result={result} "))
    };
    let mut untold: Vec<(String, String)> = failures.iter().enumerate().map(told).collect();
    while !untold.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = log.recv_timeout(left).unwrap_or_else(|_| panic!("no word of {untold:?}"));
        if line.contains("no snapshot of the latest state") {
            untold.retain(|(feed, result)| !(line.contains(feed) && line.contains(result)));
        }
    }
}
