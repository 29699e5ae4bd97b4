//! Recordings of the built program: what a kill leaves, and `tickfan record`.

use crate::support::{PATIENCE, log_watch::looked_at, process::Process, recorded};
use flate2::read::MultiGzDecoder;
use futures_util::{SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;
use venue_sim::{binance, blocking::Venue, within};

/// The text of a file up to where it breaks off.
fn text_so_far(file: &Path) -> String {
    let mut text = Vec::new();
    // An error is the end: what was read before stays.
    let _ = MultiGzDecoder::new(File::open(file).unwrap()).read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn a_gateway_that_is_killed_leaves_files_that_open_up_to_their_last_member() {
    let folder = recorded::folder("killed");
    // Fast enough for a member a second.
    let config = format!(
        "[[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\", \"MSFT\"]\nrate = 10000\nrecord = {:?}\n",
        folder.display().to_string()
    );
    for kill in 1..=2 {
        let gateway = Process::start("killed-recording", &config);
        let written = gateway.metric_when("tickfan_feed_recorded_frames_total", "sim", |frames| frames > 0);
        gateway.kill();
        let text: String = recorded::files(&folder).iter().map(|file| text_so_far(file)).collect();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        assert!(recorded::frames(whole).len() as u64 >= written, "{written} were written");
        assert_eq!(text.matches("# tickfan 1 venue=sim feed=sim symbols=AAPL,MSFT\n").count(), kill);
    }
}

#[test]
fn a_gateway_that_stops_has_written_all() {
    let venue = Venue::bind();
    let folder = recorded::folder("stopped");
    let record = format!("record = {:?}\n[server]\ndrain = \"0s\"\n", folder.display().to_string());
    let gateway = Process::start("stopped-recording", &(feed("btc", &venue.url) + &record));
    let _peer = send_a_trade(&venue);
    assert!(gateway.terminate().success());
    assert!(recorded::text(&folder).contains("61800.10"));
}

/// `tickfan record` with a configuration and more arguments.
fn record(name: &str, config: &str, arguments: &[&str]) -> Child {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{name}-{}.toml", std::process::id()));
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
    command.args(["record", "--config"]).arg(file).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn feed(name: &str, url: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nvenue = \"binance\"\nurl = \"{url}\"\nsymbols = [\"{name}-USDT\"]\n")
        .replace("symbols = [\"btc", "symbols = [\"BTC")
        .replace("symbols = [\"eth", "symbols = [\"ETH")
}

/// Grants what the feed asks for, sends a trade, and returns once the feed has read it.
fn send_a_trade(venue: &Venue) -> venue_sim::Connection {
    venue.run(async |venue| {
        let mut connection = venue.accept().await;
        binance::grant(&mut connection, &["btcusdt"]).await;
        connection.send(&binance::trade("BTCUSDT", 7, "61800.10")).await;
        connection.socket.send(Message::Ping(Default::default())).await.unwrap();
        while !matches!(within("a pong", connection.socket.next()).await, Some(Ok(Message::Pong(_)))) {}
        connection
    })
}

fn ended(mut child: Child, signal: Signal) -> Output {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end on a signal");
        std::thread::yield_now();
    }
    looked_at(child.wait_with_output().unwrap())
}

#[test]
fn a_feed_is_recorded_alone_until_a_signal() {
    let venue = Venue::bind();
    let config = feed("btc", &venue.url) + &feed("eth", "ws://127.0.0.1:9");
    for signal in [Signal::INT, Signal::TERM] {
        let folder = recorded::folder("alone").join("made/by/it");
        let out = folder.display().to_string();
        let child = record("alone", &config, &["--feed", "btc", "--out", &out, "--limit", "16MiB"]);
        let _peer = send_a_trade(&venue);
        let output = ended(child, signal);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told, format!("recording feed btc to {out}/btc.*.txt.gz, at most 16MiB; Ctrl+C ends it\n"));
        let frames = recorded::frames(&recorded::text(&folder));
        assert_eq!(frames.last().unwrap(), binance::trade("BTCUSDT", 7, "61800.10").as_bytes());
    }
}

#[test]
fn the_only_feed_is_recorded_to_its_own_folder() {
    let venue = Venue::bind();
    let folder = recorded::folder("own");
    let config = feed("btc", &venue.url) + &format!("record = {:?}\n", folder.display().to_string());
    let child = record("own", &config, &[]);
    let _peer = send_a_trade(&venue);
    assert_eq!(ended(child, Signal::INT).status.code(), Some(0));
    assert!(recorded::text(&folder).contains("61800.10"));
}

#[test]
fn a_recording_that_fails_ends_the_command_with_an_error() {
    let venue = Venue::bind();
    let folder = recorded::folder("fails");
    for name in recorded::names_of_now("btc", 1) {
        std::os::unix::fs::symlink("/dev/full", folder.join(name)).unwrap();
    }
    let child = record("fails", &feed("btc", &venue.url), &["--out", &folder.display().to_string()]);
    let _peer = send_a_trade(&venue);
    let output = ended(child, Signal::INT);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.matches("No space left on device").count(), 2, "one log line, and the error: {told}");
}

#[test]
fn a_command_that_cannot_record_says_what_would() {
    let two = feed("btc", "ws://127.0.0.1:9") + &feed("eth", "ws://127.0.0.1:9");
    let wrong: [(&[&str], &str); 4] = [
        (&[], "error: the configuration has several feeds\n   = name one with --feed: btc, eth\n"),
        (
            &["--feed", "doge"],
            "error: the configuration has no feed of this name\n   = name one of its feeds: btc, eth\n",
        ),
        (
            &["--feed", "btc", "--out", "/dev/null/x"],
            "error: cannot make the folder /dev/null/x: /dev/null: it is not a folder\n   = name a folder that this \
             user can make\n",
        ),
        (&["--feed", "btc", "--limit", "1MiB"], "is not a size from 16MiB to 65536GiB"),
    ];
    for (arguments, expected) in wrong {
        let output = looked_at(record("wrong", &two, arguments).wait_with_output().unwrap());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(64), b"".as_slice()), "{told}");
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_feed_that_plays_a_recording_is_not_recorded() {
    let file = recorded::folder("played").join("session.txt");
    fs::write(&file, "1732283045123456789 {}\n").unwrap();
    let config = format!(
        "[[feed]]\nname = \"again\"\nvenue = \"replay\"\nprotocol = \"binance\"\nfiles = [{:?}]\nsymbols = [\"BTC-USDT\"]\n",
        file.display().to_string()
    );
    let output = looked_at(record("played", &config, &[]).wait_with_output().unwrap());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{told}");
    assert!(told.starts_with("error: feed again plays a recording\n   = name a feed that connects"), "{told}");
}
