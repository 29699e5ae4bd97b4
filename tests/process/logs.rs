//! Logs: one line for each event of a feed's or process's life. Neither a venue nor a client can flood them.

use crate::support::{
    Client, Gateway, Setup,
    log_watch::{LogWatch, secret_in},
    process::Process,
    stream::Stream,
};
use futures_util::StreamExt;
use std::{
    fs,
    io::{BufRead, BufReader},
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::{Command, Stdio},
    time::{Instant, SystemTime},
};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use venue_sim::{
    alpaca,
    blocking::{Connection, Venue},
};

/// A gateway with a feed, and the venue that it is connected to.
fn start(name: &str, more: &str) -> (Process, Venue, Connection) {
    let venue = Venue::bind();
    let feed = format!("[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\n", venue.url);
    let gateway = Process::start(&format!("logs-{name}"), &format!("{more}\n{feed}symbols = [\"BTC-USDT\"]\n"));
    let connection = venue.grant(&["btcusdt"]);
    gateway.metric_when("tickfan_feed_up", "crypto", |up| up == 1);
    (gateway, venue, connection)
}

/// The lines with this message, in order.
fn lines<'a>(log: &'a [String], message: &str) -> Vec<&'a String> {
    log.iter().filter(|line| line.contains(message)).collect()
}

/// How many lines fit since `begin` if there is at most one per `every` seconds.
fn at_most(every: u64, begin: Instant) -> usize {
    usize::try_from(1 + begin.elapsed().as_secs() / every).unwrap()
}

#[test]
fn a_feed_and_a_drain_log_one_line_for_each_event_of_their_life() {
    let (gateway, venue, connection) = start("life", "[server]\ndrain = \"100ms\"");
    connection.cut();
    let _again = venue.grant(&["btcusdt"]);
    gateway.metric_when("tickfan_feed_up", "crypto", |up| up == 1);
    let log = gateway.drained_log();
    let events = ["connected", "subscribed", "not connected", "draining", "stopped"];
    let told: Vec<_> = log
        .iter()
        .filter(|line| !line.contains("DEBUG"))
        .filter_map(|line| events.iter().rev().find(|event| line.contains(&format!(" {event}"))))
        .collect();
    let once =
        ["connected", "subscribed", "not connected", "connected", "subscribed", "draining", "stopped", "stopped"];
    assert_eq!(told, once.iter().collect::<Vec<_>>(), "{log:#?}");
}

#[test]
fn a_problem_has_an_id_that_the_log_repeats_and_that_no_client_chooses() {
    let (gateway, _venue, _connection) = start("ids", "");
    let mut ids = Vec::new();
    for (address, target) in [(gateway.address, "/v1/quotes/NOPE"), (gateway.address, "/no"), (gateway.admin, "/no")] {
        let answer = Client::connect(address).request("GET", target, "x-request-id: chosen\r\n");
        let id = answer.json()["request_id"].as_str().unwrap().to_owned();
        assert_eq!((answer.status, answer.header("x-request-id")), (404, Some(id.as_str())));
        ids.push(id);
    }
    let found = Client::connect(gateway.address).get("/v1/quotes/BTC-USDT");
    assert_eq!((found.status, found.header("x-request-id")), (200, None));
    let log = gateway.log();
    for id in &ids {
        assert_eq!(lines(&log, &format!("request_id={id} ")).len(), 1, "{id}: {log:#?}");
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && lines(&log, "chosen").is_empty(), "{ids:?}");
}

#[test]
fn rule_10_a_client_that_is_refused_again_and_again_does_not_fill_the_log() {
    let (gateway, _venue, _connection) = start("client", "[limits]\nstreams = 1");
    let begin = Instant::now();
    let mut client = Client::connect(gateway.address);
    for _ in 0..200 {
        assert_eq!(client.get("/no").status, 404);
    }
    let _first = Stream::open(gateway.address, "/v1/stream/BTC-USDT");
    for _ in 0..100 {
        assert!(Client::connect(gateway.address).get("/v1/stream/BTC-USDT").body.contains("event: bye"));
    }
    let problems = at_most(1, begin);
    let refusals = at_most(10, begin);
    let log: Vec<_> = gateway.log().into_iter().filter(|line| !line.contains("DEBUG")).collect();
    let told = lines(&log, "rejected a request").len();
    assert!((1..=problems).contains(&told), "{told} lines of {problems}");
    let told = lines(&log, "rejected a stream").len();
    assert!((1..=refusals).contains(&told), "{told} lines of {refusals}");
}

#[test]
fn the_line_of_a_request_over_a_limit_names_the_key_to_raise() {
    let (gateway, _venue, _connection) = start("too-large", "[limits]\nsymbols_per_stream = 1");
    let long = "A".repeat(13_000);
    for (target, status) in [
        ("/v1/stream?symbols=BTC-USDT,ETH-USDT".to_owned(), 400),
        ("/v1/quotes?symbols=A,B".to_owned(), 400),
        (format!("/v1/quotes?symbols={long}"), 414),
        (format!("/v1/quotes?symbols={long}{long}"), 431),
    ] {
        assert_eq!(Client::connect(gateway.address).get(&target).status, status);
        gateway.metric_when("tickfan_http_requests_total", &status.to_string(), |count| count > 0);
    }
    let log = gateway.log();
    for (key, count) in [("symbols_per_stream", 2), ("head_bytes", 2)] {
        assert_eq!(lines(&log, &format!("limit=\"{key}\"")).len(), count, "{key}: {log:#?}");
    }
}

#[test]
fn a_connection_that_gives_way_is_a_line_with_its_listener_its_phase_and_its_peer() {
    let (gateway, _venue, _connection) = start("gives-way", "[limits]\nconnections = 1");
    let mut idle = Client::connect(gateway.address);
    assert_eq!(idle.get("/v1/symbols").status, 200);
    assert_eq!(Client::connect(gateway.address).get("/v1/symbols").status, 200);
    assert_eq!(idle.rest(), "");
    let log = gateway.log();
    let [line] = lines(&log, " a connection gives way ")[..] else { panic!("{log:#?}") };
    let is_told = |field: &str| line.contains(field);
    assert!(is_told("DEBUG") && is_told(" listener=\"clients\" phase=\"idle\" peer=127.0.0.1"), "{line}");
}

#[test]
fn rule_10_streams_that_cannot_be_opened_do_not_fill_the_log() {
    let log = LogWatch::of_this_process().follow();
    let mut gateway = Gateway::start(Setup::default());
    gateway.refuse_streams();
    let begin = Instant::now();
    for _ in 0..100 {
        let mut client = gateway.client();
        client.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(client.rest(), "");
    }
    gateway.stop();
    let log: Vec<_> = log.try_iter().filter(|line| !line.contains(" DEBUG ") && !line.contains(" TRACE ")).collect();
    let told = lines(&log, "could not open an admitted stream").len();
    let most = at_most(10, begin);
    assert!((1..=most).contains(&told), "{told} lines of {most}: {log:#?}");
}

#[test]
fn rule_9_a_venue_that_sends_garbage_does_not_fill_the_log() {
    let (gateway, _venue, mut connection) = start("venue", "");
    let begin = Instant::now();
    for number in 0..500 {
        connection.send(&format!("{{garbage {number}"));
    }
    gateway.metric_when("tickfan_feed_decode_errors_total", "crypto", |count| count == 500);
    let most = at_most(10, begin);
    let log = gateway.log();
    let told = lines(&log, "garbage").len();
    assert!((1..=most).contains(&told), "{told} lines of {most}: {log:#?}");
}

#[test]
fn times_that_a_wrong_clock_makes_implausible_are_told_in_a_line_and_do_not_fill_the_log() {
    let (gateway, _venue, mut connection) = start("clock", "");
    let begin = Instant::now();
    let micros = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    for id in 1..=200 {
        let time = micros + 90_500_000;
        connection.send(&format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","s":"BTCUSDT","t":{id},"p":"1","q":"1","T":{time},"m":true}}}}"#
        ));
    }
    gateway.metric_when("tickfan_feed_implausible_times_total", "crypto", |count| count == 200);
    let most = at_most(60, begin);
    let log = gateway.log();
    let told = lines(&log, "dropped the venue's times: check this host's clock");
    assert!((1..=most).contains(&told.len()), "{told:#?}");
    let ahead = told[0].split("venue_ahead_seconds=").nth(1).unwrap().split(' ').next().unwrap();
    assert!((60..=90).contains(&ahead.parse::<u64>().unwrap()), "{}", told[0]);
}

#[test]
fn a_key_that_a_venue_repeats_is_neither_logged_nor_shown() {
    const KEY: &str = "PKEXAMPLE7";
    const SECRET: &str = "se/cr\"et+0123456789abcdefghij";
    let venue = Venue::bind();
    let feed = format!(
        "[[feed]]\nname = \"stocks\"\nvenue = \"alpaca\"\nurl = \"{}/v2/iex?token=0123456789\"\n\
         symbols = [\"AAPL\"]\nkey_env = \"A_KEY\"\nsecret_env = \"A_SECRET\"\n",
        venue.url
    );
    let gateway = Process::start_with("logs-echo", &feed, &[("A_KEY", KEY), ("A_SECRET", SECRET)]);
    venue.run(async |venue| {
        let mut connection = venue.accept().await;
        let shown = alpaca::greet(&mut connection).await;
        connection.send(&format!("what is {shown}?")).await;
        let reason = format!("go away, {KEY} {SECRET}").into();
        connection.socket.close(Some(CloseFrame { code: 4000.into(), reason })).await.unwrap();
        let mut connection = venue.accept().await;
        let shown = alpaca::greet(&mut connection).await;
        let error = serde_json::json!([{"T": "error", "code": 402, "msg": format!("no such key: {shown}")}]);
        connection.send(&error.to_string()).await;
        while connection.socket.next().await.is_some_and(|message| message.is_ok()) {}
    });
    gateway.metric_when("tickfan_feed_disconnects_total", "reason=\"denied\"", |denied| denied == 1);
    let shown = Client::connect(gateway.admin).get("/debug/feeds").body;
    let log = gateway.log();
    for event in ["bad message", "not connected", "access denied"] {
        let told = lines(&log, event);
        assert!(told.len() == 1 && told[0].contains("(hidden)"), "{event}: {log:#?}");
    }
    for text in log.iter().chain([&shown]) {
        assert!(!text.contains(KEY) && !text.contains("0123456789"), "{text}");
    }
}

#[test]
fn a_line_that_gives_something_away_is_found_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log_lines.txt");
    for line in fs::read_to_string(file).unwrap().lines() {
        let (kind, text) = line.split_once(": ").unwrap();
        assert_eq!(secret_in(text).is_some(), kind == "secret", "{line}");
    }
}

/// A program that logs as a gateway does, and what it is given, before it serves and after.
fn logging(before: &str, after: &str) -> Process {
    let mut program = Command::new("bash");
    let script = "echo \"$0\"; echo serving listen=127.0.0.1:1 admin=127.0.0.1:1; echo \"$1\"; exec sleep 60";
    program.args(["-c", &format!("exec >&2; {script}"), before, after]);
    Process::of_program(program)
}

#[test]
fn a_test_fails_whose_process_logs_what_it_must_not() {
    const FINE: &str = "a stream began symbols=2";
    const QUERY: &str = "a request path=/v1/stream?symbols=AAPL";
    for (before, after, is_found) in [(FINE, FINE, false), (QUERY, FINE, true), (FINE, QUERY, true)] {
        let ends: [fn(Process); 3] = [drop, |process| drop(process.log()), Process::kill];
        for end in ends {
            let process = logging(before, after);
            process.until_logged(after);
            let ended = panic::catch_unwind(AssertUnwindSafe(|| end(process)));
            let said = ended.err().map(|panic| panic.downcast::<String>().unwrap());
            assert_eq!(said.is_some_and(|said| said.contains("the log gives away")), is_found, "{before}, {after}");
        }
    }
}

#[test]
fn logs_can_be_json_a_line_each() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tickfan"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .envs([("TICKFAN_LOG_FORMAT", "json"), ("TICKFAN_LOG", "info"), ("TICKFAN_SERVER_DRAIN", "100ms")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let watch = LogWatch::default();
    let mut messages = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        watch.look(&line);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["target"].is_string(), "{line}");
        let message = line["message"].as_str().unwrap().to_owned();
        if message == "serving" {
            assert!(line["listen"].is_string() && line["auth"] == "off", "{line}");
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        }
        messages.push(message);
    }
    assert!(child.wait().unwrap().success());
    watch.check();
    assert!(messages.contains(&"serving".to_owned()) && messages.last().is_some_and(|last| last == "stopped"));
}

/// 181 notes of a symbol, and its delayed state with three ticks.
#[test]
fn the_start_tells_how_much_memory_delay_lines_take() {
    let feed = "[[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\", \"MSFT\"]\ndelay = \"15m\"\n";
    let gateway = Process::start("delay-memory", feed);
    let line = gateway.first_lines.iter().find(|line| line.contains("bytes of memory that full limits take")).unwrap();
    let told = 2 * (181 * tickfan::config::DELAY_NOTE_BYTES + 1_024 + 3 * 600);
    assert!(line.contains(&format!("delayed={told} ")), "{line}");
}
