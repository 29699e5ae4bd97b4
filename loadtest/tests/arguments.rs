//! Wrong arguments and scenarios: the error says what would be right, and the exit code that it is a usage error.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::process::{Command, Output};
use support::gateway_program;
use tickfan_loadtest::run::Gateway;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickfan-loadtest");

fn check(output: &Output, code: i32, expected: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for expected in expected {
        assert!(error.contains(expected), "{expected:?} is not in: {error}");
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

#[test]
fn a_missing_server_is_reported_with_its_address() {
    // No server listens on port 1.
    let output = run(&["streams", "--url", "http://127.0.0.1:1", "--symbols", "AAPL"]);
    check(&output, 1, &["no server at 127.0.0.1:1", "is the gateway running"]);
}

#[test]
fn verdicts_of_an_earlier_run_do_not_stay_when_one_fails() {
    let junit = format!("{}/earlier.xml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&junit, "<testsuite failures=\"0\"/>").unwrap();
    let output = run(&["streams", "--url", "http://127.0.0.1:1", "--symbols", "AAPL", "--junit", &junit]);
    check(&output, 1, &["no server at 127.0.0.1:1"]);
    let cases = std::fs::read_to_string(&junit).unwrap();
    assert!(cases.contains("errors=\"1\"") && cases.contains("<error message=\"no server at 127.0.0.1:1"), "{cases}");
}

#[test]
fn what_a_running_server_does_not_take_from_the_scenario_is_refused() {
    let at = ["--url", "http://127.0.0.1:1", "--venue-listen", "127.0.0.1:0"];
    let with = |more: &[&str]| run(&[&["run", "smoke"][..], &at, more].concat());
    check(&with(&["--tls"]), 64, &["TLS is asked for, and http://127.0.0.1:1 is not https"]);
    check(&with(&["--path", "/e"]), 64, &["group `options` asks for max_rate=4, and another server (--path)"]);
    let compressed = run(&[&["run", "hot-symbol"][..], &at, &["--path", "/e", "--compress"]].concat());
    check(&compressed, 64, &["asks for compression, and another server (--path) has no such options"]);
    for option in [&["--each", "2"][..], &["--zipf"], &["--query", "max_rate=4"], &["--patch"], &["--compress"]] {
        let output = run(&[&["streams", "--url", "http://127.0.0.1:1", "--path", "/e"][..], option].concat());
        check(&output, 64, &["cannot be used with", option[0]]);
    }
    let only = ["--path", "/e", "--threshold", "missed_ring=0", "--find-limit", "rate"];
    check(&run(&[&["run", "ingest"][..], &at, &["--limit-max", "0"]].concat()), 64, &["--find-limit"]);
    let output = run(&[&["run", &unjudged()][..], &at, &only].concat());
    check(&output, 64, &["another server (--path) has none of what its thresholds are on"]);
}

/// A scenario without thresholds.
fn unjudged() -> String {
    let path = format!("{}/unjudged.toml", env!("CARGO_TARGET_TMPDIR"));
    let text = "about = \"x\"\nduration = \"1s\"\n[venue]\nsymbols = 2\nload = { steady = { rate = 100 } }\n\
                [[group]]\nname = \"few\"\ncount = 2\n";
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_wrong_path_and_an_unknown_symbol_are_reported_with_the_servers_own_words() {
    let gateway = Gateway::start(&gateway_program(), "").unwrap();
    let url = format!("http://{}", gateway.address);
    let output = run(&["streams", "--url", &url, "--path", "/v1/streem"]);
    check(&output, 1, &["/v1/streem is not a stream: the server answers 404"]);
    let output = run(&["streams", "--url", &url, "--symbols", "NOSUCH"]);
    check(&output, 1, &["/v1/stream?symbols=NOSUCH is not a stream: the server answers 404", "NOSUCH"]);
    let output = run(&["streams", "--url", &url, "--path", "/v1/symbols"]);
    check(&output, 1, &["is not a stream"]);
}

#[test]
fn too_few_descriptors_are_reported_before_anything_is_opened() {
    let streams = ["streams", "--url", "http://127.0.0.1:1", "--symbols", "AAPL", "--count", "1000"];
    let limited = "ulimit -n 256 && exec \"$0\" \"$@\"";
    let output = Command::new("bash").args(["-c", limited, PROGRAM]).args(streams).output().unwrap();
    check(&output, 1, &["1000 streams need 1128 open files, and this process may open 256", "ulimit -n 1128"]);
}

#[test]
fn a_cluster_without_brokers_says_how_to_name_them() {
    let run = |args: &[&str]| Command::new(PROGRAM).env_remove("NATS_SERVER").args(args).output().unwrap();
    let says = ["this scenario starts brokers: give the path of nats-server with --nats-server, or in NATS_SERVER"];
    check(&run(&["run", "cluster"]), 64, &says);
    let missing = ["run", "cluster", "--nats-server", "/nowhere/nats-server"];
    check(&run(&missing), 1, &["no broker at /nowhere/nats-server"]);
    let with = |option| run(&["run", "cluster", "--nats-server", "/bin/true", option]);
    check(&with("--tls"), 64, &["the gateways of a cluster are loaded without TLS"]);
    check(&run(&["floor", "cluster"]), 64, &["it has a cluster, and the bare loop is a single server"]);
}

#[test]
fn an_invalid_threshold_is_a_usage_error() {
    let with = |threshold| run(&["run", "smoke", "--threshold", threshold]);
    check(&with("latency_p99=fast"), 64, &["`fast` is not a time", "\"50ms\""]);
    check(&with("violations=none"), 64, &["`none` is not a number"]);
    check(&with("speed=3"), 64, &["`speed` is not a measure; thresholds can be set on violations"]);
}

#[test]
fn percentiles_and_searches_that_cannot_be_are_usage_errors() {
    let nine = "1,2,3,4,5,6,7,8,9";
    check(&run(&["run", "smoke", "--percentiles", nine]), 64, &["more than 8 percentiles beside p50, p90, p99"]);
    check(&run(&["run", "smoke", "--percentiles", "p99"]), 64, &["`p99` is not a percentile"]);
    let find = |scenario, what| run(&["run", scenario, "--find-limit", what]);
    check(&find("opening-bell", "rate"), 64, &["--find-limit of opening-bell: its rate is not steady"]);
    check(&find("cluster", "streams"), 64, &["it has a cluster"]);
    check(&find("smoke", "speed"), 64, &["invalid value 'speed'", "rate", "streams"]);
    check(&run(&["run", "smoke", "--limit-runs", "5"]), 64, &["--find-limit"]);
    check(&run(&["compare", "a", "b", "c"]), 64, &["c has no partner: reports are compared in pairs"]);
    check(&run(&["compare", "/nowhere/a.json", "/nowhere/b.json"]), 64, &["/nowhere/a.json: No such file"]);
}

/// Runs it for at most half a minute: arguments that are not rejected might run forever.
fn run_briefly(args: &[&str]) -> Output {
    Command::new("timeout").args(["30", PROGRAM]).args(args).output().unwrap()
}

#[test]
fn arguments_that_would_load_nothing_or_never_end_are_rejected() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let url = format!("http://{address}");
    for (argument, value, expected) in [
        ("--connect-rate", "0", "the rate of connections is 0: it must be from 0.1 to 1000000"),
        ("--connect-rate", "NaN", "the rate of connections is NaN"),
        ("--churn=-4", "", "churn is -4"),
        ("--churn", "nan", "churn is NaN"),
        ("--churn", "1e-300", "it must be from 0.001 to 1000000"),
        ("--count", "0", "the number of all streams is 0"),
        ("--duration", "0s", "the duration is 0s: it must be 1ms or longer"),
        ("--duration", "9999y", "`9999y` is not a time up to a year"),
        ("--slow", "0", "the number of bytes per second is 0"),
        ("--each", "0", "the number of symbols of a stream is 0"),
        ("--each", "3", "the number of symbols of a stream is 3: it must be from 1 to 2"),
        ("--threshold", "violations=-1", "`-1` is not a number of 0 or more"),
    ] {
        let mut args = vec!["streams", "--url", &url, "--symbols", "A,B", argument];
        args.extend(Some(value).filter(|value| !value.is_empty()));
        check(&run_briefly(&args), 64, &[expected]);
    }
    for (args, expected) in [
        (&["--rate", "0"][..], "rate is 0: it must be from 0.001 to 10000000"),
        (&["--rate=-5"], "rate is -5"),
        (&["--rate", "nan"], "rate is NaN"),
        (&["--rate", "1e18"], "rate is 1000000000000000000"),
        (&["--symbols", "0"], "the number of symbols is 0"),
        (&["--bursts", "0s"], "the time between bursts is 0s"),
        (&["--rate", "1e7", "--bursts", "1s"], "the rate of a burst is 100000000"),
        (&["--from", "nan", "--over", "1s"], "from is NaN"),
        (&["--from", "1", "--over", "0s"], "the time of a ramp is 0s"),
        (&["--recording", "/dev/zero", "--speed=-1"], "speed is -1"),
        (&["--recording", "/dev/zero"], "/dev/zero: line 1: it is longer than any frame: 307200 bytes or more"),
        (&["--listen", "192.0.2.1:9"], "the venue cannot listen on 192.0.2.1:9: Cannot assign requested address"),
    ] {
        check(&run_briefly(&[&["venue"][..], args].concat()), 64, &[expected]);
    }
    let output = run_briefly(&["venue", "--listen", &address]);
    check(&output, 64, &[&format!("the venue cannot listen on {address}: Address already in use")]);
}

#[test]
fn scenarios_that_would_load_nothing_or_never_end_are_rejected() {
    let right = "about = \"x\"\nduration = \"1s\"\nconnect_rate = 100\n[venue]\nsymbols = 2\nload = { steady = { rate = 100 } }\n\
                 [[group]]\nname = \"few\"\ncount = 2\nsymbols = 1\nchurn = 0\n";
    let path = format!("{}/out-of-range.toml", env!("CARGO_TARGET_TMPDIR"));
    for (from, to, expected) in [
        ("connect_rate = 100", "connect_rate = 0", "the rate of connections is 0"),
        ("duration = \"1s\"", "duration = \"0s\"", "the duration is 0s"),
        ("rate = 100 }", "rate = 0 }", "rate is 0"),
        ("rate = 100 }", "rate = -5 }", "rate is -5"),
        ("rate = 100 }", "rate = nan }", "rate is NaN"),
        ("rate = 100 }", "rate = 1e18 }", "rate is 1000000000000000000"),
        ("symbols = 2", "symbols = 0", "the number of symbols is 0"),
        ("symbols = 1", "symbols = 9", "the number of symbols of a stream is 9: it must be from 1 to 2"),
        ("count = 2", "count = 0", "the number of all streams is 0"),
        ("churn = 0", "churn = 1e-300", "churn is 0.0000"),
        ("churn = 0", "churn = -4", "churn is -4"),
        ("churn = 0", "churn = 0\nreads = { bytes_per_second = 0 }", "the number of bytes per second is 0"),
        ("churn = 0", "streams_per_connection = 2", "group `few`: streams_per_connection needs protocol = \"h2\""),
        ("churn = 0", "protocol = \"h2\"\nstreams_per_connection = 0", "the number of streams per connection is 0"),
        ("churn = 0", "beside = \"few\"", "group `few`: beside needs protocol"),
        ("churn = 0", "protocol = \"h2\"\nbeside = \"few\"", "`few` must be an earlier group of HTTP/2"),
        ("churn = 0", "reads = { blocked_after = 9 }", "group `few`: reads = { blocked_after = … } needs protocol"),
        ("churn = 0", "protocol = \"h2\"\nwindows = { connection = 9 }", "a connection's from 65535"),
        ("churn = 0", "protocol = \"h3\"", "unknown variant `h3`"),
        ("churn = 0", "chrun = 0", "did you mean `churn`?"),
        (
            "churn = 0",
            "stages = [{ to = 3, over = \"1s\" }]",
            "the number of streams of a stage is 3: it must be from 0 to 2",
        ),
        ("churn = 0", "stages = [{ to = 0.5, over = \"1s\" }]", "a stage ends at a whole number of streams"),
        (
            "churn = 0",
            "stages = [{ to = 2, over = \"2s\" }]",
            "the duration is 1s: it must be 2s or longer, since its stages or its ramp last so long",
        ),
        ("{ steady = { rate = 100 } }", "{ stages = [] }", "the number of stages is 0: it must be from 1 to 100"),
        ("{ steady = { rate = 100 } }", "{ stages = [{ to = -1, over = \"1s\" }] }", "the rate of a stage is -1"),
        ("{ steady = { rate = 100 } }", "{ stages = [{ to = 1, over = \"9s\" }] }", "it must be 9s or longer"),
        ("{ steady = { rate = 100 } }", "{ ramp = { from = 1, to = 9, over = \"9s\" } }", "it must be 9s or longer"),
        (
            "{ steady = { rate = 100 } }",
            "{ bursts = { rate = 1, factor = 2, every = \"1s\", lasts = \"2s\" } }",
            "the time of a burst is 2s: it must be at most 1s",
        ),
        ("name = \"few\"", "name = \"\"", "the name of a group is its own"),
        ("name = \"few\"", "name = \"a[b\"", "group `a[b`: the name of a group"),
        ("churn = 0", "churn = 0\n[[group]]\nname = \"few\"\ncount = 1", "group `few`: the name of a group is its own"),
        (
            "[[group]]",
            "[[outage]]\nat = \"900ms\"\nlasts = \"200ms\"\n[[group]]",
            "the duration is 1s: it must be 1s 100ms or longer, since its last outage ends then",
        ),
        (
            "[[group]]",
            "[thresholds]\n\"latency_p99[fwe]\" = \"1s\"\n[[group]]",
            "`fwe` is not a group; did you mean `few`?",
        ),
    ] {
        assert!(right.contains(from), "{from}");
        std::fs::write(&path, right.replacen(from, to, 1)).unwrap();
        check(&run_briefly(&["run", &path]), 64, &["out-of-range.toml", expected]);
    }
    let group = |number: usize| format!("[[group]]\nname = \"{number}\"\ncount = 1\n");
    let many: String = right.split("[[group]]").take(1).map(str::to_owned).chain((0..65).map(group)).collect();
    std::fs::write(&path, many).unwrap();
    check(&run_briefly(&["run", &path]), 64, &["the number of groups is 65: it must be from 1 to 64"]);
    check(
        &run_briefly(&["run", "/dev/zero"]),
        64,
        &["/dev/zero: it is too long for a scenario: more than 1000000 bytes"],
    );
}

#[test]
fn an_unknown_scenario_is_reported_with_the_known_ones() {
    check(
        &run(&["run", "smoek"]),
        64,
        &["`smoek` is neither a scenario nor a file; did you mean `smoke`? the scenarios are smoke, hot-symbol"],
    );
}

#[test]
fn a_scenario_that_the_bare_loop_cannot_run_is_rejected() {
    check(&run(&["floor", "churn"]), 64, &["floor churn: group `pages` leaves and comes back"]);
}

#[test]
fn an_error_in_a_scenario_names_its_place() {
    let path = format!("{}/wrong-scenario.toml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, "about = \"x\"\nduration = \"10 parsecs\"\n").unwrap();
    check(&run(&["run", &path]), 64, &["line 2, column 12", "`10 parsecs` is not a time"]);
}

#[test]
fn a_missing_gateway_and_a_rejected_configuration_are_reported() {
    let output = run(&["run", "smoke", "--gateway", "/nowhere/tickfan"]);
    check(&output, 1, &["no gateway at /nowhere/tickfan: build it with `cargo build --release`"]);
    let wrong = Gateway::start(&gateway_program(), "[fanout]\nrign = 5\n").unwrap_err().to_string();
    assert!(wrong.contains("does not serve") && wrong.contains("rign"), "{wrong}");
}

#[test]
fn an_address_that_cannot_be_loaded_is_reported() {
    let h2 = ["streams", "--url", "http://127.0.0.1:1", "--symbols", "A", "--http2"];
    check(&run(&h2), 64, &["HTTP/2 is spoken over TLS only, as by browsers: http://127.0.0.1:1 is not https"]);
    for (url, expected) in
        [("ftp://127.0.0.1", "write http://HOST:PORT or https://HOST:PORT"), ("http://127.0.0.1:1/v1", "has a path")]
    {
        check(&run(&["streams", "--url", url, "--symbols", "A"]), 64, &[expected]);
    }
}

#[test]
fn completions_and_manual_pages_know_the_commands() {
    let output = run(&["completions", "bash"]);
    let script = String::from_utf8(output.stdout).unwrap();
    assert!(script.contains("find-limit") && script.contains("tickfan-loadtest"), "{script}");
    let folder = std::env::temp_dir().join(format!("tickfan-loadtest-manual-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    check(&run(&["man", folder.to_str().unwrap()]), 0, &[]);
    let page = std::fs::read_to_string(folder.join("tickfan-loadtest-run.1")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(page.contains("threshold"), "{page}");
    check(&run(&["man", "/nowhere"]), 1, &["/nowhere"]);
}
