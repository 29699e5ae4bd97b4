//! `tickfan check --connect`: what it says of venues and ports, each of them real.

use crate::support::log_watch::looked_at;
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};
use tickfan::{
    config::{self, Config},
    feed::{Feed, Trial},
    market::Now,
    venue,
};
use venue_sim::{Venue, alpaca, binance, within};

const PORTS: &str = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";

/// Runs `tickfan check --connect` with this file.
async fn check(test: &str, text: String) -> Output {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trial-{test}.toml"));
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
    command.env_clear().env("K", alpaca::KEY).env("S", alpaca::SECRET).args(["check", "--connect"]).arg(file);
    let output = tokio::task::spawn_blocking(move || looked_at(command.output().unwrap()));
    within("it ends", output).await.unwrap()
}

fn feed(name: &str, venue: &str, url: &str, symbols: &str) -> String {
    let keys = if venue == "alpaca" { "key_env = \"K\"\nsecret_env = \"S\"\n" } else { "" };
    format!("[[feed]]\nname = \"{name}\"\nvenue = \"{venue}\"\nurl = \"{url}\"\nsymbols = [{symbols}]\n{keys}")
}

fn printed(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn check_connect_tries_the_login_at_each_venue_and_both_ports() {
    let [stocks, coins] = [Venue::bind().await, Venue::bind().await];
    let file = PORTS.to_owned()
        + &feed("stocks", "alpaca", &stocks.url, "\"AAPL\", \"IBM\"")
        + &feed("coins", "binance", &format!("{}/?token=hush", coins.url), "\"BTC-USDT\"")
        + "[[feed]]\nsymbols = [\"MSFT\"]\n";
    let granting = async {
        let mut stock = stocks.accept().await;
        let mut coin = coins.accept().await;
        alpaca::grant(&mut stock, &["AAPL", "IBM"], &["AAPL", "IBM"]).await;
        binance::grant(&mut coin, &["btcusdt"]).await;
        (stock, coin)
    };
    let (output, _connections) = tokio::join!(check("all-ok", file), granting);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]), "{output:?}");
    let [stocks_at, coins_at] = [&stocks.url, &coins.url].map(|url| url.strip_prefix("ws://").unwrap());
    let expected = [
        "ok: 3 feed(s), 4 symbols".to_owned(),
        "listen 127.0.0.1:0: ok".to_owned(),
        "admin_listen 127.0.0.1:0: ok".to_owned(),
        format!("feed stocks at {}/v2/iex: ok ({stocks_at} connected)", stocks.url),
        format!("feed coins at {}/stream?…: ok ({coins_at} connected)", coins.url),
    ];
    let printed = printed(&output);
    assert_eq!(printed[..5], expected);
    assert!(printed[5].starts_with("feed sim at its own simulated market: ok ("), "{printed:?}");
}

#[tokio::test]
async fn check_connect_says_why_a_venue_or_a_port_would_fail() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_at = taken.local_addr().unwrap();
    let [wrong_key, no_symbol, hangs_up] = [Venue::bind().await, Venue::bind().await, Venue::bind().await];
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = format!("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"{taken_at}\"\n")
        + &feed("wrong-key", "alpaca", &wrong_key.url, "\"AAPL\"")
        + &feed("no-symbol", "binance", &no_symbol.url, "\"BTC-USDT\"")
        + &feed("hangs-up", "binance", &hangs_up.url, "\"ETH-USDT\"")
        + &feed("dead", "binance", &format!("ws://{dead}/?token=hush"), "\"SOL-USDT\"")
        + &feed("unknown", "binance", "ws://nx.invalid/ws", "\"XRP-USDT\"")
        + "[[feed]]\nsymbols = [\"MSFT\"]\n";
    let refusing = async {
        let mut stock = wrong_key.accept().await;
        alpaca::log_in(&mut stock).await;
        stock.send(&format!(r#"[{{"T":"error","code":402,"msg":"auth failed {}"}}]"#, alpaca::KEY)).await;
        let mut coin = no_symbol.accept().await;
        let request: serde_json::Value = serde_json::from_str(&coin.text().await).unwrap();
        coin.send(&format!(r#"{{"error":{{"code":2,"msg":"no"}},"id":{}}}"#, request["id"])).await;
        drop(hangs_up.tcp().await);
        (stock, coin)
    };
    let (output, _connections) = tokio::join!(check("failures", file), refusing);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &[][..]), "{output:?}");
    let lines = printed(&output);
    let starts = [
        "ok: 6 feed(s), 6 symbols".to_owned(),
        "listen 127.0.0.1:0: ok".to_owned(),
        format!("admin_listen {taken_at}: failed: another program uses this port"),
        format!("feed wrong-key at {}/v2/iex: failed: denied ", wrong_key.url),
        format!("feed no-symbol at {}/stream?…: failed: refused", no_symbol.url),
        format!("feed hangs-up at {}/stream?…: failed: ", hangs_up.url),
        format!(
            "feed dead at ws://{dead}/stream?…: failed: io no address of 127.0.0.1 accepts a connection ({dead} refused)"
        ),
        "feed unknown at ws://nx.invalid/ws: failed: io the look-up of nx.invalid failed".to_owned(),
        "feed sim at its own simulated market: ok".to_owned(),
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&start), "{start}: {lines:#?}");
    }
    let hidden = [alpaca::KEY, alpaca::SECRET, "token"];
    assert!(hidden.iter().all(|hidden| !lines.concat().contains(hidden)), "{lines:#?}");
}

#[tokio::test]
async fn check_connect_tries_nothing_of_a_broken_file() {
    let output = check("broken", "[server]\nlisten = \"127.0.0.1:0\"\nlissen = 1\n".to_owned()).await;
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(64), &[][..]), "{output:?}");
}

/// Tries a feed of this venue for a moment.
async fn try_briefly(venue: &Venue) -> Trial {
    let symbols = vec!["BTC-USDT".parse::<tickfan::market::Symbol>().unwrap().into()];
    let url = Some(venue.url.clone());
    let config = config::Feed { url, ..config::Feed::new(venue::find("binance").unwrap(), symbols) };
    let feed = Feed::new(&config, &Config::default().limits, Now::read()).unwrap();
    within("it ends", feed.try_out(Duration::from_millis(300))).await
}

#[tokio::test]
async fn a_venue_that_accepts_and_says_nothing_is_tried_for_a_bounded_time() {
    let venue = Venue::bind().await;
    let (trial, _tcp) = tokio::join!(try_briefly(&venue), venue.tcp());
    assert_eq!(trial.outcome, Err("no connection within 300ms".to_owned()));
    let (trial, _connection) = tokio::join!(try_briefly(&venue), venue.accept());
    assert_eq!(trial.outcome, Err("connected, but not subscribed within 300ms".to_owned()));
    assert!(trial.tried.ends_with(" connected"), "{}", trial.tried);
}

#[tokio::test]
async fn check_connect_tries_the_port_for_https() {
    use crate::support::certificates::{Ca, folder, table};
    let files = Ca::new("a CA").sign(&["localhost"]).write(&folder("trial"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let table = table(&[files]).replace("127.0.0.1:0", &address);
    let output = check("https", format!("{PORTS}{table}")).await;
    assert_eq!(output.status.code(), Some(1));
    let line = format!("tls.listen {address}: failed: another program uses this port");
    assert!(printed(&output).contains(&line), "{output:?}");
}
