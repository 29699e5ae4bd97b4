//! The program from its arguments to its exit code, JSON and report.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
    time::Duration,
};
use support::gateway_program;
use tickfan_loadtest::{measure::Admin, run::Gateway};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickfan-loadtest");
/// How many streams a test opens.
const STREAMS: f64 = 20.0;
/// Longer than any wait of a passing test.
const PATIENCE: Duration = Duration::from_secs(60);

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn measures(results: &Value, of: &str) -> Vec<String> {
    let list = results[of].as_array().unwrap().iter();
    list.map(|entry| entry["measure"].as_str().or(entry.as_str()).unwrap().to_owned()).collect()
}

#[test]
fn a_server_that_crashes_is_not_a_success() {
    let gateway = Gateway::start(&gateway_program(), "").unwrap();
    let url = format!("http://{}", gateway.address);
    let admin = gateway.admin;
    let args = ["streams", "--url", &url, "--symbols", "AAPL", "--count", "20", "--duration", "2s", "--json"];
    let child = Command::new(PROGRAM).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    waited(|| (admin.counters().unwrap().sum("tickfan_streams", "") == Some(STREAMS)).then_some(()));
    drop(gateway);
    let output = child.wait_with_output().unwrap();
    let results = json(&output);
    assert_eq!((output.status.code(), results["streams"]["lost"].as_f64()), (Some(99), Some(STREAMS)), "{results:#}");
    assert_eq!(measures(&results, "crossed").last().unwrap(), "lost");
}

#[test]
fn what_the_load_tester_itself_delays_is_inconclusive() {
    /// How long the load tester stands still, and how old a tick may be meanwhile.
    const PAUSE: Duration = Duration::from_millis(1_500);
    const AGE_MAX: &str = "age_max=500ms";
    // Some ticks are due while the load tester stands still.
    let feed = "[[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\nrate = 50.0\n";
    let gateway = Gateway::start(&gateway_program(), feed).unwrap();
    let url = format!("http://{}", gateway.address);
    let more = ["--count", "20", "--duration", "4s", "--threshold", AGE_MAX, "--json"];
    let args = [&["streams", "--url", &url, "--symbols", "AAPL"][..], &more].concat();
    let child = Command::new(PROGRAM).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sent = || gateway.admin.counters().unwrap().sum("tickfan_stream_ticks_sent_total", "");
    waited(|| (gateway.admin.counters().unwrap().sum("tickfan_streams", "") == Some(STREAMS)).then_some(()));
    let opened = sent().unwrap_or_default();
    // The load has begun by then.
    waited(|| (sent()? > opened + STREAMS * 2.0).then_some(()));
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(PAUSE);
    kill_process(pid, Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    let results = json(&output);
    let judged =
        results["thresholds"].as_array().unwrap().iter().find(|judged| judged["measure"] == "age_max").unwrap();
    let seen = (output.status.code(), judged["verdict"].as_str(), results["outcome"].as_str());
    assert_eq!(seen, (Some(98), Some("inconclusive"), Some("inconclusive")), "{results:#}");
    assert!(judged["why"].as_str().unwrap().contains("the streams' thread was late by "), "{judged}");
}

/// Starts the gateway; what it logs is left in a file, too.
const LOGGING: &str = "#!/bin/bash\nexec \"$GATEWAY\" \"$@\" 2> >(tee \"$LOG\" >&2)\n";

#[test]
fn a_stopped_run_reports_its_results_and_leaves_nothing_behind() {
    let folder = format!("{}/stopped", env!("CARGO_TARGET_TMPDIR"));
    let log = format!("{folder}/log");
    let logging = format!("{folder}/logging");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&logging, LOGGING).unwrap();
    std::fs::set_permissions(&logging, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = scenario("stopped", "ticks = 10");
    let junit = format!("{folder}/stopped.xml");
    let args = ["run", &path, "--gateway", &logging, "--duration", "10min", "--json", "--junit", &junit];
    let mut command = Command::new(PROGRAM);
    command.args(args).env("TMPDIR", &folder).env("GATEWAY", gateway_program()).env("LOG", &log);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let config = format!("{folder}/tickfan-loadtest-{}-0.toml", child.id());
    let admin = waited(|| {
        let logged = std::fs::read_to_string(&log).ok()?;
        let event: Value = logged.lines().find_map(|line| serde_json::from_str(line).ok().filter(is_serving))?;
        Some(Admin::new(event["admin"].as_str()?.parse().ok()?))
    });
    waited(|| (admin.counters().ok()?.sum("tickfan_stream_ticks_sent_total", "")? >= 100.0).then_some(()));
    assert!(std::fs::exists(&config).unwrap());
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let results = json(&output);
    assert_eq!((output.status.code(), &results["stopped"]), (Some(1), &Value::Bool(true)), "{results:#}");
    assert_eq!((results["streams"]["opened"].as_u64(), results["violations"]["total"].as_u64()), (Some(10), Some(0)));
    assert!(results["warnings"].to_string().contains("the run was stopped by a signal"), "{results:#}");
    assert_eq!(results["outcome"], "stopped");
    let cases = std::fs::read_to_string(&junit).unwrap();
    assert!(
        cases.contains("errors=\"1\"") && cases.contains("name=\"run\"><error message=\"a signal stopped it"),
        "{cases}"
    );
    assert!(admin.counters().is_err(), "the gateway still runs");
    assert!(!std::fs::exists(&config).unwrap(), "its configuration is left");
}

fn is_serving(event: &Value) -> bool {
    event["admin"].is_string()
}

/// Waits for what is not there yet.
fn waited<T>(look: impl Fn() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "it does not come");
        std::thread::yield_now();
    }
}

#[test]
fn a_venue_breaks_off_and_goes_mute_on_schedule() {
    let args = ["venue", "--listen", "127.0.0.1:0", "--outage", "mute:100ms:100ms", "--outage", "break:300ms:100ms"];
    let mut child = Command::new(PROGRAM).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let results: Vec<String> = lines
        .take_while(|line| !line.contains("accepts connections"))
        .filter(|line| !line.contains("updates/s"))
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(results[1..], ["sends no data", "sends data again", "refuses connections", "resets all connections"]);
    let wrong = Command::new(PROGRAM).args(["venue", "--outage", "deaf:1s:2s"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("write break or mute"));
}

/// Writes a scenario that is small, and judges nothing but what it is given.
fn scenario(name: &str, thresholds: &str) -> String {
    let path = format!("{}/{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    let text = format!(
        "about = \"a <test>\"\nduration = \"3s\"\n[venue]\nsymbols = 3\nload = {{ steady = {{ rate = 100 }} }}\n\
         [[group]]\nname = \"few\"\ncount = 10\nsymbols = 2\n[thresholds]\nviolations = 0\n{thresholds}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// The JSON of a run as far as users may rely on it.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the test is that they exist")]
struct Results {
    name: String,
    about: String,
    began: i64,
    seconds_measured: f64,
    streams: Streams,
    ticks_per_second: f64,
    bytes_per_second: f64,
    connect: Percentiles,
    answer: Percentiles,
    first_tick: Percentiles,
    latency: Percentiles,
    latency_curve: Vec<(f64, f64)>,
    age: Percentiles,
    age_spread: f64,
    symbol_age_spread: f64,
    slow_age: Option<Percentiles>,
    recovery: u64,
    violations: Violations,
    gateway: Costs,
    generator: Value,
    venue: Venue,
    warnings: Vec<String>,
    crossed: Vec<Value>,
    kept: Vec<String>,
    timeline: Vec<Value>,
    samples: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the test is that they exist")]
struct Streams {
    asked: u64,
    opened: u64,
    resumed: u64,
    failed: u64,
    lost: u64,
    ticks: u64,
    bytes: u64,
    holes: u64,
    groups: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the test is that they exist")]
struct Percentiles {
    count: u64,
    min: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

#[derive(Debug, Deserialize)]
struct Violations {
    total: u64,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the test is that they exist")]
struct Costs {
    cpu_cores: f64,
    /// In so short a run it is too little to be divided.
    cpu_micros_per_tick: Option<f64>,
    memory_max: u64,
    ticks_sent: u64,
    missed: BTreeMap<String, u64>,
    closed: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the test is that they exist")]
struct Venue {
    updates: u64,
    taken: u64,
    taken_per_second: f64,
    lost: u64,
    latest: u64,
}

#[test]
fn a_run_that_meets_all_thresholds_exits_with_0_and_prints_json() {
    let path = scenario("kept", "ticks = 100");
    let output = Command::new(PROGRAM).args(["run", &path, "--json"]).output().unwrap();
    let results: Results = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(output.status.code(), Some(0), "{results:#?}");
    assert_eq!((results.streams.asked, results.streams.opened, results.violations.total), (10, 10, 0));
    assert_eq!((results.kept, results.crossed.len()), (vec!["ticks".to_owned(), "violations".to_owned()], 0));
    assert!(results.seconds_measured >= 3.0 && results.streams.ticks >= 100 && results.venue.updates >= 100);
    assert_eq!(results.venue.taken, results.venue.updates);
    assert!(results.venue.taken_per_second * results.seconds_measured <= results.venue.taken as f64);
    assert!((100..=results.streams.ticks).contains(&results.latency.count));
    assert_eq!((results.connect.count, results.answer.count, results.first_tick.count), (10, 10, 10));
    assert!(results.connect.max <= results.answer.max && results.answer.max <= results.first_tick.max);
    assert_eq!(results.gateway.missed.values().sum::<u64>(), results.streams.holes);
}

#[test]
fn a_report_that_cannot_be_written_costs_no_results() {
    let path = scenario("unwritable", "");
    let run = |html| Command::new(PROGRAM).args(["run", &path, "--json", "--html", html]).output().unwrap();
    // A folder that is not there is results before the load begins.
    let output = run("/nowhere/report.html");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("--html /nowhere/report.html: No such file"),
        "{output:?}"
    );
    // A disk that is full is found when all is over.
    let output = run("/dev/full");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(json(&output)["streams"]["ticks"].as_u64() > Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--html /dev/full"), "{output:?}");
}

#[test]
fn a_run_that_crosses_a_threshold_exits_with_99_and_its_report_shows_why() {
    let path = scenario("crossed", "ticks = 100");
    let html = format!("{}/crossed.html", env!("CARGO_TARGET_TMPDIR"));
    let args = [
        "run",
        &path,
        "--threshold",
        "ticks=1000000",
        "--threshold",
        "failed=0",
        "--threshold",
        "recovery=0s",
        "--json",
        "--html",
        &html,
    ];
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    let results = json(&output);
    assert_eq!(output.status.code(), Some(99), "{results:#}");
    assert_eq!(
        (measures(&results, "crossed"), measures(&results, "kept")),
        (vec!["ticks".into(), "recovery".into()], vec!["violations".into(), "failed".into()])
    );
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains(">failed<") && page.contains("the threshold is at least 1,000,000"), "{page}");
    let figures: Vec<&str> = page.split("<figure>").skip(1).filter_map(|text| text.split("</figure>").next()).collect();
    assert_eq!(figures.len(), 8);
    for figure in figures {
        let points = figure.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        assert!(points.split(' ').filter(|point| point.contains(',')).count() >= 2, "a line is missing in {figure}");
    }
}
