//! Thousands of slow heads and slow readers from slowhttptest, which `SLOWHTTPTEST` names. Other clients are served
//! meanwhile.

use crate::support::{Client, process::Process, stream::Stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

const TOOL_VARIABLE: &str = "SLOWHTTPTEST";
const SECONDS: usize = 20;
/// Each probe keeps a port of this machine busy for a minute.
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// The parameters of an attack: the tool's mode, connections, path and speed.
struct Attack {
    mode: &'static str,
    connections: usize,
    path: &'static str,
    more: &'static [&'static str],
}

/// Slow heads grow every 5 s; slow readers read some bytes a second.
const ATTACKS: [Attack; 3] = [
    Attack { mode: "-H", connections: 1_000, path: "/v1/quotes/AAPL", more: &["-i", "5"] },
    // Fewer connections, since each requests ten large responses at once: thousands would test how fast these are made.
    Attack { mode: "-X", connections: 200, path: "/v1/symbols?limit=1000", more: &["-k", "10", "-n", "1", "-z", "32"] },
    Attack {
        mode: "-X",
        connections: STREAMS,
        path: "/v1/stream?symbols=AAPL,MSFT,BTC-USDT",
        more: &["-n", "1", "-z", "32"],
    },
];
const STREAMS: usize = 1_000;

#[test]
fn slow_heads_and_slow_readers_by_the_thousand() {
    let Some(tool) = std::env::var_os(TOOL_VARIABLE) else {
        println!("skipped: {TOOL_VARIABLE} does not name slowhttptest");
        return;
    };
    // The tool's, which it takes over from here.
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    // So many symbols that ten lists of them are more than the kernel holds for a client.
    let symbols: Vec<String> = (0..500).map(|number| format!("\"LONG{number:020}-USDT\"")).collect();
    let lists =
        format!("venue = \"binance\"\nname = \"none\"\nurl = \"ws://127.0.0.1:9\"\nsymbols = [{}]", symbols.join(","));
    let limits = "[fanout]\nstall_timeout = \"5s\"\n[limits]\nwrite_timeout = \"5s\"";
    let gateway = Process::start("slow", &format!("[[feed]]\nrate = 500\n[[feed]]\n{lists}\n{limits}\n"));
    let address = gateway.address;
    let tool = Path::new(&tool);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let prober = scope.spawn(|| probe(address, &over));
        let reader = scope.spawn(|| read(address, &over));
        let attacks = ATTACKS.each_ref().map(|wanted| scope.spawn(move || attack(tool, address, wanted)));
        let outcomes = attacks.map(ScopedJoinHandle::join);
        over.store(true, Ordering::Relaxed);
        println!("{} answers and {} ticks meanwhile", prober.join().unwrap(), reader.join().unwrap());
        for (outcome, Attack { mode, connections, path, .. }) in outcomes.into_iter().zip(ATTACKS) {
            let rows = outcome.unwrap();
            assert!(rows.iter().any(|row| row.connected > connections / 2), "{mode} {path} was no attack: {rows:?}");
            assert!(rows.iter().all(|row| row.available), "{mode} {path} found the service unavailable: {rows:?}");
        }
    });
    let given_up = |reason| gateway.metric("tickfan_streams_closed_total", &format!("reason=\"{reason}\"")) as usize;
    let stalled = given_up("stalled") + given_up("timeout");
    assert!(stalled > STREAMS / 2, "only {stalled} of {STREAMS} slow streams were given up");
    gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
    gateway.metric_when("tickfan_http_connections", "", |connections| connections == 0);
}

/// The tool's report of one second.
#[derive(Debug)]
struct Row {
    connected: usize,
    available: bool,
}

/// Runs an attack to its end.
fn attack(tool: &Path, address: SocketAddr, wanted: &Attack) -> Vec<Row> {
    let Attack { mode, connections, path, more } = wanted;
    let file: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("attack{mode}{file}"));
    let connections = connections.to_string();
    let seconds = SECONDS.to_string();
    let mut command = Command::new(tool);
    command.args([mode, "-c", &connections, "-r", "500", "-l", &seconds, "-p", "5", "-u"]);
    command.arg(format!("http://{address}{path}")).args(*more).arg("-g").arg("-o").arg(&report);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let text = std::fs::read_to_string(report.with_extension("csv"));
    let text = text.unwrap_or_else(|error| panic!("{mode} {path}: {status}, and no report: {error}"));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Seconds,Closed,Pending,Connected,Service Available"));
    let row = |line: &str| {
        let numbers: Vec<usize> = line.split(',').map(|number| number.parse().unwrap()).collect();
        Row { connected: numbers[3], available: numbers[4] > 0 }
    };
    lines.map(row).collect()
}

/// Sends requests, each on a new connection, and expects a response to each. Returns their number.
fn probe(address: SocketAddr, over: &AtomicBool) -> usize {
    let mut answers = 0;
    while !over.load(Ordering::Relaxed) {
        assert_eq!(Client::connect(address).get("/v1/quotes/AAPL").status, 200);
        answers += 1;
        thread::sleep(PROBE_EVERY);
    }
    answers
}

/// Reads a stream without a break; returns how many ticks came.
fn read(address: SocketAddr, over: &AtomicBool) -> usize {
    let mut stream = Stream::open(address, "/v1/stream/AAPL");
    stream.named("hello");
    let mut ticks = 0;
    let mut seq = 0;
    while !over.load(Ordering::Relaxed) {
        let next = stream.tick().number("seq");
        assert!(next > seq || ticks == 0, "{next} after {seq}");
        seq = next;
        ticks += 1;
    }
    ticks
}
