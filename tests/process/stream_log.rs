//! "Why was this client cut off?": the log has a line for the begin and the end of each stream.

use crate::support::{Client, connect_narrow, kernel::vanish, process::Process};
use std::{net::TcpStream, time::Instant};
use venue_sim::{binance::trade, blocking::Venue};

/// Many times the bytes that the kernel buffers for one stream.
const MANY: u64 = 2_000;

fn start(name: &str) -> (Process, Venue) {
    let venue = Venue::bind();
    let config = format!(
        "[server]\ndrain = \"100ms\"\ntrusted_proxies = [\"127.0.0.1\"]\nclient_id_header = \"X-Customer\"\n\
         [fanout]\nstall_timeout = \"1s\"\n\
         [[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\"]\n",
        venue.url
    );
    (Process::start(&format!("stream-log-{name}"), &config), venue)
}

/// A client behind a proxy, with an open stream; its name is the last part of its address and of its id.
fn open(socket: TcpStream, client: usize) -> Client {
    let mut stream = Client::from_socket(socket);
    stream.send(format!(
        "GET /v1/stream/BTC-USDT HTTP/1.1\r\nhost: localhost\r\n\
         x-forwarded-for: 192.0.2.{client}\r\nx-customer: customer-{client}\r\n\r\n"
    ));
    stream.until(|text| text.contains("\"seq\":"));
    stream
}

/// The lines of a client with this message.
fn of<'a>(log: &'a [String], client: usize, message: &str) -> Vec<&'a String> {
    let name = format!(" client=192.0.2.{client} client_id=\"customer-{client}\" ");
    log.iter().filter(|line| line.contains(message) && line.contains(&name)).collect()
}

/// The value of a field.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{name} is not in {line}"));
    rest.split(' ').next().unwrap().trim_matches('"')
}

#[test]
fn each_stream_logs_its_begin_and_why_it_ended() {
    let (gateway, venue) = start("reasons");
    let mut connection = venue.grant(&["btcusdt"]);
    let connect = || TcpStream::connect(gateway.address).unwrap();
    let closed = |sum| gateway.metric_when("tickfan_streams_closed_total", "", move |closed| closed == sum);
    let left = open(connect(), 1);
    let mut talkative = open(connect(), 2);
    let vanished = open(connect(), 3);
    connection.send(&trade("BTCUSDT", 1, "98000.5"));
    gateway.metric_when("tickfan_stream_ticks_sent_total", "", |ticks| ticks == 6);
    drop(left);
    talkative.send("x".repeat(20_000));
    vanish(&vanished.socket);
    connection.send(&trade("BTCUSDT", 2, "98000.5"));
    closed(3);
    let _stalled = open(connect_narrow(gateway.address), 4);
    for id in 3..MANY {
        connection.send(&trade("BTCUSDT", id, "98000.5"));
    }
    closed(4);
    let _patient = open(connect(), 5);

    let log = gateway.drained_log();
    for (client, level, reasons, ticks) in [
        (1, "DEBUG", &["left"][..], 2..=2),
        (2, "INFO", &["input"], 2..=3),
        (3, "INFO", &["timeout"], 2..=3),
        (4, "INFO", &["stalled", "timeout"], 3..=MANY),
        (5, "DEBUG", &["shutdown"], 1..=1),
    ] {
        let [begin] = of(&log, client, " a stream began ")[..] else { panic!("{client}: {log:#?}") };
        let [end] = of(&log, client, " a stream ended ")[..] else { panic!("{client}: {log:#?}") };
        assert!(begin.contains("DEBUG") && end.contains(level), "{begin}\n{end}");
        assert_eq!((field(begin, "stream"), field(begin, "symbols")), (field(end, "stream"), field(end, "symbols")));
        assert!(reasons.contains(&field(end, "reason")), "{end}");
        assert!(ticks.contains(&field(end, "ticks").parse().unwrap()), "{end}");
        let seconds: f64 = field(end, "seconds").parse().unwrap();
        assert!(seconds > 0.0 && field(end, "bytes").parse::<u64>().unwrap() > 100, "{end}");
        // What a client that takes nothing did not get counts at its end: no write follows that would count it.
        assert!((field(end, "missed") != "0") == (client == 4) && field(end, "left_out") == "0", "{end}");
    }
}

#[test]
fn rule_10_clients_that_are_cut_off_again_and_again_do_not_fill_the_log() {
    const CLIENTS: usize = 150;
    let (gateway, venue) = start("burst");
    let _connection = venue.grant(&["btcusdt"]);
    let begin = Instant::now();
    for _ in 0..CLIENTS {
        open(TcpStream::connect(gateway.address).unwrap(), 1).send("x".repeat(20_000));
    }
    gateway.metric_when("tickfan_streams_closed_total", "", |closed| closed == CLIENTS as u64);
    let workers = gateway.threads().iter().filter(|name| name.starts_with("worker")).count();
    let most = workers * (20 + 1 + usize::try_from(begin.elapsed().as_secs()).unwrap());
    let log = gateway.log();
    let ended = of(&log, 1, " a stream ended ");
    let told = ended.iter().filter(|line| line.contains("INFO")).count();
    assert_eq!(ended.len(), CLIENTS, "the others are for debug");
    assert!((1..=most).contains(&told), "{told} lines of {most}");
    assert!(log.iter().any(|line| line.contains("a stream ended") && !line.contains("held_back=0 ")), "{log:#?}");
}
