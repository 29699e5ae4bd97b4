//! A reload of the configuration: by SIGHUP and by `POST /reload`, while clients stream.

use crate::support::{
    Answer, Client,
    process::Process,
    stream::{Event, Stream, Tick},
};
use serde_json::json;
use std::{fs, time::Duration};

/// What a test's file has beside `[server]`: it must stay as it is, or the reload says so.
const REST: &str = "[limits]\nhead_timeout = \"9s\"\n";

fn start(name: &str) -> Process {
    Process::start(&format!("reload-{name}"), REST)
}

/// Asks for a reload as `curl -X POST` does.
fn post(gateway: &Process, headers: &str) -> Answer {
    Client::connect(gateway.admin).request("POST", "/reload", headers)
}

/// How a client that names this host is answered.
fn status_for_host(gateway: &Process, host: &str) -> u16 {
    let mut client = Client::connect(gateway.address);
    client.send(format!("GET /v1/symbols HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    client.answer(true).status
}

/// The next tick, behind what a stream begins with.
fn tick(stream: &mut Stream) -> Tick {
    loop {
        if let Some(Event::Tick(tick)) = stream.next() {
            return tick;
        }
    }
}

fn keys(answer: &Answer, list: &str) -> Vec<String> {
    let list = answer.json()[list].as_array().unwrap().clone();
    list.iter().map(|change| change["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn sighup_reloads_and_ends_no_stream() {
    let gateway = start("sighup");
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    assert_eq!(status_for_host(&gateway, "ticks.example"), 421);
    gateway
        .configure("[server]\nhosts = [\"ticks.example\"]\n[limits]\nsymbols_per_stream = 1\nhead_timeout = \"9s\"\n");
    gateway.hang_up();
    gateway.metric_when("tickfan_config_reloads_total", "applied", |count| count == 1);
    assert_eq!(status_for_host(&gateway, "ticks.example"), 200);
    let in_force = Client::connect(gateway.admin).get("/debug/config").json();
    let hosts = in_force["keys"].as_array().unwrap().iter().find(|key| key["key"] == "server.hosts").unwrap();
    assert_eq!(*hosts, json!({"key": "server.hosts", "value": "[\"ticks.example\"]", "at_restart": false}));
    let feed = &in_force["feeds"][0];
    assert!(["name", "venue", "symbols", "mute_after", "hours"].iter().all(|key| feed[key].is_string()), "{feed}");
    assert!(feed["proxy"].is_null() && feed.get("ca_file").is_some(), "{feed}");
    let refused = Client::connect(gateway.address).get("/v1/quotes?symbols=AAPL,MSFT");
    assert_eq!(refused.status, 400, "{}", refused.body);
    tick(&mut stream);
    drop(stream);
    let log = gateway.drained_log();
    let line = log.iter().find(|line| line.contains("reloaded the configuration")).unwrap();
    assert!(line.contains("server.hosts, limits.symbols_per_stream"), "{line}");
}

#[test]
fn a_reload_of_the_same_file_says_that_nothing_has_changed() {
    let gateway = start("same");
    gateway.hang_up();
    gateway.metric_when("tickfan_config_reloads_total", "applied", |count| count == 1);
    let log = gateway.drained_log();
    let line = log.iter().find(|line| line.contains("reloaded the configuration")).unwrap();
    assert!(line.contains("nothing has changed") && !line.contains("changed="), "{line}");
}

#[test]
fn each_live_key_applies_to_what_begins_after_the_reload() {
    let gateway = start("live");
    let mut open = Client::connect(gateway.address);
    open.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
    gateway.metric_when("tickfan_streams", "", |streams| streams == 1);
    gateway.configure(
        "[server]\ncors_origins = [\"https://*.example.com\"]\ntrusted_proxies = [\"127.0.0.1\"]\nlog = \"debug\"\n\
         [limits]\nhead_timeout = \"100ms\"\nhead_bytes = \"8KiB\"\nstreams_per_address = 1\nwrite_timeout = \"1s\"\n",
    );
    let answer = post(&gateway, "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        keys(&answer, "changed"),
        [
            "server.cors_origins",
            "server.trusted_proxies",
            "limits.streams_per_address",
            "limits.head_timeout",
            "limits.write_timeout",
            "limits.head_bytes"
        ],
        "the variable of the log's filter goes over the file"
    );
    assert_eq!(answer.json()["at_restart"], json!([]));
    let of_page = |origin: &str| {
        let answer = Client::connect(gateway.address).request("GET", "/v1/symbols", &format!("origin: {origin}\r\n"));
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(of_page("https://a.example.com").as_deref(), Some("https://a.example.com"));
    assert_eq!(of_page("https://example.org"), None);
    // The stream from before counts, and so does the address that a proxy names.
    let stream = |headers: &str| {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        client.until(|text| text.contains("\n\n"))
    };
    assert!(stream("").contains("retry: "));
    gateway.metric_when("tickfan_streams_rejected_total", "address", |rejected| rejected == 1);
    let mut slow = Client::connect(gateway.address);
    slow.send("GET / HTTP/1.1\r\n");
    assert!(slow.rest().is_empty(), "the head is cut off after 100ms");
}

#[test]
fn a_reload_with_an_error_changes_nothing_and_says_what_is_wrong() {
    let gateway = start("wrong");
    let longest = "#".repeat(2 << 20);
    let cases: [(&str, &[&str]); 6] = [
        (
            "[server]\nhosts = [\"ok.example\"]\nheartbet = \"5s\"\n",
            &["unknown key `heartbet`", "--> ", ":3:1", "did you mean `heartbeat`?"],
        ),
        ("[server]\nhosts = [\"ok.example\"]\n[limits]\nstreams = 0\n", &["`streams` is out of range"]),
        ("[server]\nhosts = [\"ok.example\"\n", &["not valid TOML"]),
        ("[server]\nhosts = [\"ok.example\"]\nlog = \"warning\"\n", &["did you mean `warn`?"]),
        ("[server]\nhosts = [\"ok.example\"]\n[[feed]]\nvenue = \"moon\"\n", &["unknown venue `moon`"]),
        ("\u{0}", &["not valid TOML"]),
    ];
    for (count, (text, said)) in cases.iter().enumerate() {
        gateway.configure(text);
        let answer = post(&gateway, "content-length: 0\r\n");
        assert_eq!((answer.status, answer.header("content-type")), (422, Some("application/problem+json")));
        for part in *said {
            assert!(answer.json()["detail"].as_str().unwrap().contains(part), "{part}: {}", answer.body);
        }
        gateway.hang_up();
        let rejected = 2 * (count as u64 + 1);
        gateway.metric_when("tickfan_config_reloads_total", "rejected", |count| count == rejected);
        assert_eq!(status_for_host(&gateway, "ok.example"), 421, "{text}");
        assert_eq!(gateway.metric("tickfan_config_last_reload_successful", ""), 0);
    }
    // A long file is only long.
    gateway.configure(&format!("[server]\nhosts = [\"ok.example\"]\n{REST}{longest}"));
    assert_eq!(post(&gateway, "").status, 200);
    assert_eq!(status_for_host(&gateway, "ok.example"), 200);
    assert_eq!(gateway.metric("tickfan_config_last_reload_successful", ""), 1);
    let log = gateway.drained_log();
    assert!(
        log.iter().any(|line| line.contains("reloaded nothing") && line.contains("unknown key `heartbet`")),
        "{log:#?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    let gateway = start("unread");
    let file = gateway.config_file().to_owned();
    fs::remove_file(&file).unwrap();
    assert!(post(&gateway, "").body.contains("No such file"));
    fs::create_dir(&file).unwrap();
    assert!(post(&gateway, "").body.contains("it is a directory"));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(post(&gateway, "").body.contains("not UTF-8"));
    gateway.metric_when("tickfan_config_reloads_total", "rejected", |count| count == 3);
    gateway.configure(REST);
    assert_eq!(post(&gateway, "").status, 200);
}

#[test]
fn what_waits_for_a_restart_is_named_and_what_does_not_wait_applies() {
    let gateway = start("restart");
    let text = "[server]\nhosts = [\"ticks.example\"]\nadmin_listen = \"127.0.0.1:1\"\n\
         [[feed]]\nname = \"other\"\nsymbols = [\"AAPL\"]\n[fanout]\nworkers = 1\nring = 64\n\
         [limits]\nstreams = 5\nconnections = 6\nhead_timeout = \"9s\"\nvenue_message_bytes = \"1MiB\"\n";
    gateway.configure(text);
    for _ in 0..2 {
        let answer = post(&gateway, "");
        assert_eq!(answer.status, 200);
        let waiting = [
            "fanout.workers",
            "fanout.ring",
            "limits.streams",
            "limits.connections",
            "limits.venue_message_bytes",
            "feed.sim",
            "feed.other",
        ]; // `AAPL` moves between the feeds
        assert_eq!(keys(&answer, "at_restart"), waiting, "the flag of admin_listen goes over the file");
    }
    assert_eq!(status_for_host(&gateway, "ticks.example"), 200);
    let log = gateway.drained_log();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("wait for a restart")).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("fanout.workers, fanout.ring, limits.streams"), "{lines:?}");
}

#[test]
fn rule_10_feeds_for_which_too_few_descriptors_are_left_wait_for_a_restart() {
    let feed = |number: usize| format!("[[feed]]\nname = \"f{number}\"\nsymbols = [\"S{number}\"]\n");
    let gateway = Process::start_limited("reload-few", &feed(0), 256);
    let before = gateway.metric("tickfan_streams_limit", "");
    let all: String = (0..30).map(feed).collect();
    gateway.configure(&all);
    let answer = post(&gateway, "");
    assert_eq!((answer.status, keys(&answer, "changed").len(), keys(&answer, "at_restart").len()), (200, 0, 29));
    assert!(answer.body.contains("the limit of 256 open files is too low"), "{}", answer.body);
    assert_eq!(gateway.metric("tickfan_cache_symbols", ""), 1);
    assert_eq!(gateway.metric("tickfan_streams_limit", ""), before);
    // A feed in place of another has room.
    gateway.configure(&feed(1));
    let answer = post(&gateway, "");
    assert_eq!(keys(&answer, "changed"), ["feed.f0", "feed.f1"]);
    tick(&mut Stream::open(gateway.address, "/v1/stream/S1"));
    let log = gateway.drained_log();
    assert!(log.iter().any(|line| line.contains("feed.f0 (removed), feed.f1 (added)")), "{log:#?}");
}

#[test]
fn a_gateway_without_a_file_says_that_it_reloads_nothing() {
    let gateway = Process::start_without_file();
    let answer = post(&gateway, "");
    assert_eq!((answer.status, answer.json()["type"].as_str().unwrap()), (409, "urn:tickfan:problem:no-file"));
    gateway.hang_up();
    gateway.metric_when("tickfan_config_reloads_total", "without_file", |count| count == 2);
    let log = gateway.drained_log();
    assert_eq!(log.iter().filter(|line| line.contains("started without a configuration file")).count(), 2);
}

#[test]
fn only_a_plain_post_reloads() {
    let gateway = start("post");
    for (method, headers, status) in [
        ("GET", "", 405),
        ("HEAD", "", 405),
        ("PUT", "", 405),
        ("DELETE", "", 405),
        ("POST", "origin: http://localhost\r\n", 403),
        ("POST", "origin: null\r\n", 403),
        ("POST", "sec-fetch-site: cross-site\r\n", 403),
        ("POST", "sec-fetch-site: same-origin\r\n", 403),
        ("POST", "content-length: 2\r\n", 400),
        ("POST", "transfer-encoding: chunked\r\n", 400),
        ("POST", "sec-fetch-site: none\r\n", 200),
        ("POST", "content-length: 0\r\n", 200),
    ] {
        let mut client = Client::connect(gateway.admin);
        client.send(format!("{method} /reload HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        let answer = client.answer(method != "HEAD");
        assert_eq!(answer.status, status, "{method} {headers}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
        }
    }
    let rebound = {
        let mut client = Client::connect(gateway.admin);
        client.send("POST /reload HTTP/1.1\r\nhost: evil.example\r\n\r\n");
        client.answer(true)
    };
    assert_eq!(rebound.status, 421);
    assert_eq!(gateway.metric("tickfan_config_reloads_total", "applied"), 2);
}

#[test]
fn a_hangup_during_the_drain_does_not_end_it_early() {
    let gateway = Process::start("reload-drain", "[server]\ndrain = \"700ms\"\n");
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    tick(&mut stream);
    gateway.begin_to_end();
    gateway.hang_up();
    gateway.hang_up();
    let mut ended = Vec::new();
    while let Some(event) = stream.next() {
        if let Event::Named(name, _) = event {
            ended.push(name);
        }
    }
    assert_eq!(ended.last().map(String::as_str), Some("bye"));
    let log = gateway.log();
    assert!(log.iter().any(|line| line.contains("reloaded the configuration")), "{log:#?}");
}

#[test]
fn a_reload_each_ten_milliseconds_under_open_streams_loses_no_tick() {
    let gateway = start("often");
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    let mut last = 0;
    for count in 0..200 {
        gateway.configure(&format!("[server]\nhosts = [\"h{count}.example\"]\n{REST}"));
        gateway.hang_up();
        std::thread::sleep(Duration::from_millis(10));
    }
    let answer = post(&gateway, "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(status_for_host(&gateway, "h199.example"), 200);
    for _ in 0..20 {
        let seq = tick(&mut stream).number("seq");
        assert!(last == 0 || seq == last + 1, "{seq} after {last}");
        last = seq;
    }
    assert_eq!(gateway.metric("tickfan_config_reloads_total", "rejected"), 0);
}
