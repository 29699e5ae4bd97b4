//! A report can be repeated from itself alone, claims only what was judged, and can be compared with another.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::gateway_program;
use tickfan_loadtest::run::Gateway;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickfan-loadtest");

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn path(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"))
}

/// Writes a small scenario with these lines at its end.
fn scenario(name: &str, more: &str) -> String {
    let path = path(name);
    let text = format!(
        "about = \"a test\"\nduration = \"1s\"\n[venue]\nsymbols = 3\nload = {{ steady = {{ rate = 200 }} }}\n\
         [[group]]\nname = \"few\"\ncount = 10\nsymbols = 2\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_report_is_repeated_from_itself_alone_and_compared() {
    let file = scenario("origin.toml", "[[group]]\nname = \"two\"\ncount = 2\n[thresholds]\nviolations = 0\n");
    let junit = path("origin.xml");
    let more =
        ["--threshold", "latency_p99.99[two]=1m", "--percentiles", "75", "--header", "x: s3cret", "--junit", &junit];
    let output = run(&[&["run", &file, "--json"][..], &more].concat());
    let report = json(&output);
    assert_eq!((output.status.code(), report["outcome"].as_str()), (Some(0), Some("passed")), "{report:#}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cret"));
    let origin = &report["provenance"];
    for (key, what) in [("date", "2"), ("scenario", "[[group]]"), ("scenario", "\"latency_p99.99[two]\" = \"1m\"")] {
        assert!(origin[key].as_str().is_some_and(|text| text.contains(what)), "{key}: {origin:#}");
    }
    assert_eq!(origin["server"]["version"], origin["load_tester"]["version"], "{origin:#}");
    assert_eq!(origin["server"]["profile"], "debug", "{origin:#}");
    assert!(report["warnings"].to_string().contains("the server is a debug build"), "{report:#}");
    let config: Value = serde_json::from_str(origin["server_config"].as_str().unwrap()).unwrap();
    assert!(config["keys"].to_string().contains("fanout.workers") && config["feeds"].is_array(), "{config:#}");
    assert!(origin["server"]["sha256"].as_str().is_some_and(|sum| sum.len() == 64), "{origin:#}");
    assert!(
        origin["machine"]["cores"].as_u64() > Some(0) && origin["machine"]["open_files_max"].is_u64(),
        "{origin:#}"
    );
    let two = &report["streams"]["groups"][1];
    assert!(
        two["latency"]["p99.99"].is_u64() && two["age"]["p75"].is_u64() && report["age"]["p75"].is_u64(),
        "{two:#}"
    );
    let cases = std::fs::read_to_string(&junit).unwrap();
    assert!(
        cases.contains("name=\"latency_p99.99[two]\"/>") && cases.contains("<skipped message=\"the run made no outage"),
        "{cases}"
    );

    let again = path("again.toml");
    std::fs::write(&again, origin["scenario"].as_str().unwrap()).unwrap();
    let output = run(&["run", &again, "--json", "--percentiles", "75"]);
    let second = json(&output);
    assert_eq!(second["provenance"]["scenario"], origin["scenario"]);
    let printed = String::from_utf8(run(&["run", &again, "--print-scenario"]).stdout).unwrap();
    let values: Vec<&str> = printed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let whole: Vec<&str> = origin["scenario"].as_str().unwrap().lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(values, whole);

    let [a, b, other] = ["a.json", "b.json", "other.json"].map(path);
    std::fs::write(&a, report.to_string()).unwrap();
    std::fs::write(&b, second.to_string()).unwrap();
    let junit = path("compared.xml");
    let output = run(&["compare", &a, &b, "--json", "--only", "lost,violations", "--junit", &junit]);
    assert_eq!((output.status.code(), json(&output)["outcome"].as_str()), (Some(0), Some("passed")));
    assert!(std::fs::read_to_string(&junit).unwrap().contains("<testcase classname=\"figures\" name=\"lost\"/>"));
    let mut lossy = second.clone();
    lossy["streams"]["lost"] = Value::from(3);
    std::fs::write(&b, lossy.to_string()).unwrap();
    let output = run(&["compare", &a, &b, "--only", "lost"]);
    assert_eq!(output.status.code(), Some(99), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("worse"), "{output:?}");
    lossy["provenance"]["scenario"] = Value::from(origin["scenario"].as_str().unwrap().replace("\"1s\"", "\"2s\""));
    std::fs::write(&other, lossy.to_string()).unwrap();
    let output = run(&["compare", &a, &other]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("of different loads: duration is"), "{output:?}");
}

#[test]
fn a_report_of_another_server_claims_nothing_that_was_not_judged() {
    let gateway = Gateway::start(&gateway_program(), "").unwrap();
    let url = format!("http://{}", gateway.address);
    let more = ["--threshold", "violations=0", "--threshold", "missed_ring=0", "--duration", "1s"];
    let args = [&["streams", "--url", &url, "--path", "/v1/stream?symbols=AAPL", "--count", "3"][..], &more].concat();
    let output = run(&[&args[..], &["--json"]].concat());
    let report = json(&output);
    assert!(report["streams"]["ticks"].as_u64() > Some(0), "{report:#}");
    assert_eq!(
        (output.status.code(), &report["kept"]),
        (Some(0), &serde_json::json!(["failed", "lost"])),
        "{report:#}"
    );
    assert!(report["violations"]["total"].is_null() && report["streams"]["holes"].is_null(), "{report:#}");
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["judged"] == false), "{report:#}");
    assert!(report["provenance"]["load"].as_str().unwrap().contains("count = 3"), "{report:#}");
    let text = String::from_utf8(run(&args).stdout).unwrap();
    for expected in [
        "violations  not judged",
        "not judged  malformed, order, conflict, old, stale_as_live, holes, last_state, not_sent: another server's events",
        "not judged  missed_ring: another server than tickfan does not have it",
        "verdict     passed; thresholds met: failed, lost",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[test]
fn a_search_finds_how_far_it_may_go_and_says_what_stopped_it() {
    let file = scenario("limit.toml", "[thresholds]\nlost = 0\nticks = 1000000\n");
    let args = ["run", &file, "--find-limit", "streams", "--limit-max", "15", "--duration", "100ms", "--json"];
    let output = run(&args);
    let found = json(&output);
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    let values: Vec<f64> =
        found["probes"].as_array().unwrap().iter().map(|probe| probe["value"].as_f64().unwrap()).collect();
    assert_eq!(
        (values, found["holds"].as_f64(), found["fails"].is_null()),
        (vec![10.0, 15.0, 15.0], Some(15.0), true),
        "{found:#}"
    );
    assert!(found["stopped_by"].as_str().unwrap().contains("highest allowed"), "{found:#}");
    assert_eq!(found["left_out"][0], "ticks");
}

#[test]
fn streams_and_rate_follow_their_stages() {
    let file = path("stages.toml");
    let stages = |to: u32| {
        format!("[{{ to = {to}, over = \"1s\" }}, {{ to = {to}, over = \"2s\" }}, {{ to = 0, over = \"1s\" }}]")
    };
    let text = format!(
        "about = \"a test\"\nduration = \"5s\"\n[venue]\nsymbols = 3\nload = {{ stages = {} }}\n\
         [[group]]\nname = \"few\"\ncount = 12\nstages = {}\n[[group]]\nname = \"one\"\ncount = 1\n\
         [thresholds]\nviolations = 0\nlost = 0\nfailed = 0\n",
        stages(100),
        stages(12)
    );
    std::fs::write(&file, text).unwrap();
    let output = run(&["run", &file, "--json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    let open: Vec<u64> =
        report["timeline"].as_array().unwrap().iter().map(|second| second["open"].as_u64().unwrap()).collect();
    assert_eq!((open.iter().max(), open.last()), (Some(&13), Some(&1)), "{open:?}");
    assert_eq!(report["streams"]["groups"][0]["ended"]["left"], 12, "{report:#}");
    // 50 in the ramp, 200 held, 50 in the ramp down, and a trade and a quote of each symbol at both ends.
    let updates = report["venue"]["updates"].as_u64().unwrap();
    assert!((300..=312).contains(&updates), "{updates}");
}
