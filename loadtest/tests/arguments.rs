//! What is asked for wrongly is answered with what would be right, and the exit code that says so.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::process::{Command, Output};
use support::gateway_program;
use tickfan_loadtest::run::Gateway;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickfan-loadtest");

fn check(output: &Output, code: i32, told: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for told in told {
        assert!(error.contains(told), "{told:?} is not in: {error}");
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

#[test]
fn without_a_server_it_says_where_none_is() {
    // Port 1 is nobody's.
    let output = run(&["streams", "--url", "http://127.0.0.1:1", "--symbols", "AAPL"]);
    check(&output, 1, &["no server at 127.0.0.1:1", "is the gateway running"]);
}

#[test]
fn a_wrong_path_and_an_unknown_symbol_are_told_with_the_servers_own_words() {
    let gateway = Gateway::start(&gateway_program(), "").unwrap();
    let url = format!("http://{}", gateway.address);
    let output = run(&["streams", "--url", &url, "--path", "/v1/streem"]);
    check(&output, 1, &["/v1/streem is no stream: the server answers 404"]);
    let output = run(&["streams", "--url", &url, "--symbols", "NOSUCH"]);
    check(&output, 1, &["/v1/stream?symbols=NOSUCH is no stream: the server answers 404", "NOSUCH"]);
    let output = run(&["streams", "--url", &url, "--path", "/v1/symbols"]);
    check(&output, 1, &["is no stream"]);
}

#[test]
fn too_few_descriptors_are_told_before_anything_is_opened() {
    let streams = ["streams", "--url", "http://127.0.0.1:1", "--symbols", "AAPL", "--count", "1000"];
    let limited = "ulimit -n 256 && exec \"$0\" \"$@\"";
    let output = Command::new("bash").args(["-c", limited, PROGRAM]).args(streams).output().unwrap();
    check(&output, 1, &["1000 streams need 1128 open files, and this process may have 256", "ulimit -n 1128"]);
}

#[test]
fn a_threshold_that_is_no_number_is_a_mistake_of_usage() {
    let with = |threshold| run(&["run", "smoke", "--threshold", threshold]);
    check(&with("latency_p99=fast"), 64, &["`fast` is no time", "\"50ms\""]);
    check(&with("violations=none"), 64, &["`none` is no number"]);
    check(&with("speed=3"), 64, &["`speed` is not measured; thresholds can be set on violations"]);
}

#[test]
fn an_unknown_scenario_is_told_with_those_that_are_known() {
    check(&run(&["run", "smoek"]), 64, &["`smoek` is no scenario and no file; the scenarios are smoke, hot-symbol"]);
}

#[test]
fn a_scenario_that_the_bare_loop_cannot_do_is_refused() {
    check(&run(&["floor", "churn"]), 64, &["floor churn: group `pages` leaves and comes back"]);
}

#[test]
fn a_scenario_that_is_wrong_is_told_with_its_place() {
    let path = format!("{}/wrong-scenario.toml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, "about = \"x\"\nduration = \"10 parsecs\"\n").unwrap();
    check(&run(&["run", &path]), 64, &["line 2, column 12", "`10 parsecs` is no time"]);
}

#[test]
fn a_gateway_that_is_not_there_and_one_that_refuses_its_configuration_are_told() {
    let output = run(&["run", "smoke", "--gateway", "/nowhere/tickfan"]);
    check(&output, 1, &["no gateway at /nowhere/tickfan: build it with `cargo build --release`"]);
    let wrong = Gateway::start(&gateway_program(), "[fanout]\nrign = 5\n").unwrap_err().to_string();
    assert!(wrong.contains("does not serve") && wrong.contains("rign"), "{wrong}");
}

#[test]
fn an_address_that_cannot_be_loaded_is_told() {
    for (url, told) in [("https://127.0.0.1", "for TLS"), ("http://127.0.0.1:1/v1", "has a path")] {
        check(&run(&["streams", "--url", url, "--symbols", "A"]), 64, &[told]);
    }
}
