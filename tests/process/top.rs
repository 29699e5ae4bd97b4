//! The output of `tickfan top` for a running gateway.

use crate::support::{log_watch::looked_at, process::Process, stream::Stream};
use std::{
    net::TcpListener,
    process::Command,
    sync::mpsc::{self, TryRecvError},
    thread,
};

/// The output of `tickfan top --once`.
fn top(gateway: &Process) -> String {
    let admin = gateway.admin.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
    let output = looked_at(command.args(["top", "--once", "--admin", &admin]).output().unwrap());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of the rows under a table's title, its head first.
fn table(text: &str, title: &str) -> Vec<Vec<String>> {
    let rows = text.lines().skip_while(|line| *line != title).skip(1).take_while(|line| line.starts_with("  "));
    let cells =
        |row: &str| row.trim().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    rows.map(cells).collect()
}

/// The number before a word.
fn number(text: &str, word: &str) -> f64 {
    let (before, _) = text.split_once(word).unwrap_or_else(|| panic!("{word:?} is not in\n{text}"));
    before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|error| panic!("{error}: before {word:?} in\n{text}"))
}

#[test]
fn each_number_is_there_and_rates_are_those_of_the_feed() {
    const RATE: f64 = 400.0;
    let config = format!(
        "[limits]\nstreams = 50\n[[feed]]\nname = \"market\"\nvenue = \"sim\"\nrate = {RATE}\nsymbols = [\"AAPL\", \"MSFT\"]\n"
    );
    let gateway = Process::start("top", &config);
    let (address, (over_tx, over)) = (gateway.address, mpsc::channel::<()>());
    let reader = thread::spawn(move || {
        let mut stream = Stream::open(address, "/v1/stream?symbols=AAPL,MSFT");
        while over.try_recv() != Err(TryRecvError::Disconnected) {
            stream.next().unwrap();
        }
    });
    // Counts are published once a second: a rate needs two of them.
    gateway.metric_when("tickfan_stream_ticks_sent_total", "", |sent| sent as f64 > 2.0 * RATE);
    let text = top(&gateway);
    drop(over_tx);
    assert_eq!(number(&text, " of 50, 0 full"), 1.0, "{text}");
    for (what, word) in [("into the cache", "/s in"), ("to the stream", "/s out")] {
        let rate = number(&text, word);
        assert!((RATE * 0.5..RATE * 2.0).contains(&rate), "{rate} {what} in\n{text}");
    }
    assert_eq!([number(&text, "/s missed by lag"), number(&text, "/s by ring")], [0.0, 0.0], "{text}");
    assert!(number(&text, " ms, p99 under") > 0.0 && number(&text, " descriptors") > 1.0, "{text}");

    let feeds = table(&text, "feeds");
    assert_eq!(feeds[0], ["feed", "state", "reason", "last message", "messages/s", "errors/s", "symbols"]);
    let [name, state, reason, last_message, messages, errors, states] = &feeds[1][..] else { panic!("{text}") };
    assert_eq!([name, state, reason, errors, states], ["market", "live", "–", "0.0", "2 live"]);
    assert!(number(last_message, " s") < 5.0 && messages.parse::<f64>().unwrap() > RATE * 0.5, "{text}");

    let streams = table(&text, "slowest streams");
    assert_eq!(streams[0], ["stream", "client", "behind", "full for", "missed", "bytes", "open for", "symbols"]);
    let [_, client, _, full_for, missed, bytes, open_for, symbols] = &streams[1][..] else { panic!("{text}") };
    assert!(client.starts_with("127.0.0.1:") && bytes.ends_with("B") && number(open_for, " s") > 0.0, "{text}");
    assert_eq!([full_for, missed, symbols], ["–", "0", "2"], "{text}");

    for title in ["hottest symbols", "stalest symbols"] {
        let symbols = table(&text, title);
        assert_eq!(symbols[0], ["symbol", "feed", "state", "ticks/s", "age"]);
        let [_, feed, state, ticks, age] = &symbols[1][..] else { panic!("{text}") };
        assert_eq!([feed, state], ["market", "live"], "{text}");
        assert!(ticks.parse::<f64>().unwrap() > 0.0 && number(age, " s") < 5.0, "{text}");
    }
    reader.join().unwrap();
}

#[test]
fn an_admin_listener_that_does_not_answer_is_named() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tickfan"))
        .args(["top", "--once", "--admin", &unused.to_string()])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(&unused.to_string()) && error.contains("--admin"), "{error}");
}
