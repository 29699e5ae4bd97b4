//! The program from its arguments to its exit code, JSON and report.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
    time::Duration,
};
use support::gateway_program;
use tickfan_loadtest::run::Gateway;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickfan-loadtest");
/// How many streams a test opens.
const STREAMS: f64 = 20.0;
/// Only a broken test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn measures(told: &Value, of: &str) -> Vec<String> {
    let list = told[of].as_array().unwrap().iter();
    list.map(|entry| entry["measure"].as_str().or(entry.as_str()).unwrap().to_owned()).collect()
}

#[test]
fn a_server_that_dies_is_no_success() {
    let gateway = Gateway::start(&gateway_program(), "").unwrap();
    let (url, admin) = (format!("http://{}", gateway.address), gateway.admin);
    let args = ["streams", "--url", &url, "--symbols", "AAPL", "--count", "20", "--duration", "2s", "--json"];
    let child = Command::new(PROGRAM).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while admin.counters().unwrap().sum("tickfan_streams", "") != Some(STREAMS) {
        assert!(std::time::Instant::now() < deadline, "the streams do not open");
        std::thread::yield_now();
    }
    drop(gateway);
    let output = child.wait_with_output().unwrap();
    let told = json(&output);
    assert_eq!((output.status.code(), told["streams"]["lost"].as_f64()), (Some(99), Some(STREAMS)), "{told:#}");
    assert_eq!(measures(&told, "crossed").last().unwrap(), "lost");
}

#[test]
fn a_venue_breaks_off_and_falls_silent_as_it_is_asked_to() {
    let args = ["venue", "--listen", "127.0.0.1:0", "--outage", "mute:100ms:100ms", "--outage", "break:300ms:100ms"];
    let mut child = Command::new(PROGRAM).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> =
        lines.take_while(|line| !line.contains("is open")).filter(|line| !line.contains("updates/s")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told[1..], ["mute", "no longer mute", "the door is shut", "all connections are reset"]);
    let wrong = Command::new(PROGRAM).args(["venue", "--outage", "deaf:1s:2s"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("write break or mute"));
}
