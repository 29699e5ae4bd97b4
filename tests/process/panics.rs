//! A panic in any thread or task ends the process. A test cannot make the gateway panic from outside, so this program
//! runs itself: a child installs the gateway's hook, and panics.

use std::{
    env,
    io::Read as _,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{Cache, RingLimits},
    cli::abort_on_panic,
    config::Config,
    fanout::{
        ClientSide, CloseMode, NewStream, Options, ResponseHead, Taken, Transport, TransportError, Unlisted, WorkerPool,
    },
    market::{Now, Origin},
    telemetry::{
        LogFilter,
        logs::{self, Format},
    },
    wire::{Epoch, StreamName},
};
use tokio::runtime::Runtime;

/// Where the child panics.
const PLACE: &str = "TEST_PANIC_IN";
/// The signal of an abort.
const SIGABRT: i32 = 6;
/// How long a child lives whose panic does not end it.
const LIFE: Duration = Duration::from_secs(5);

/// A transport that panics in its worker.
struct Panics;

impl Transport for Panics {
    fn attach(&mut self, _: u64) -> std::io::Result<()> {
        Ok(())
    }

    fn start(&mut self, _: &ResponseHead, _: bytes::Bytes) -> bytes::Bytes {
        panic!("a deliberate panic in a worker");
    }

    fn try_write(&mut self, _: &[&bytes::Bytes], _: Instant) -> std::io::Result<Taken> {
        unreachable!("it is never started")
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        unreachable!("it is never started")
    }

    fn close(&mut self, _: CloseMode) {}
}

fn panic_in_a_worker() {
    let config = Config::default();
    let cache = Cache::new(Epoch::new(1 << 20), RingLimits { count: 1024, age: Duration::from_secs(10) });
    let state = cache.register("AAPL".parse().unwrap(), "test".into(), Origin::Market, Now::read()).unwrap();
    let stream = NewStream {
        name: StreamName::new(0),
        client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
        head: ResponseHead::default(),
        hello: Box::new(bytes::Bytes::new()),
        symbols: Box::new([state]),
        unlisted: Unlisted::default(),
        options: Options::new(LIFE),
        dictionary: None,
        resume: None,
        generation: 0,
        has_rights: false,
        until: None,
        permit: Box::new(()),
    };
    let (pool, _threads) = WorkerPool::start(&config.fanout).unwrap();
    pool.open_with(stream, |_| Ok(Panics)).unwrap();
    thread::sleep(LIFE);
}

/// Panics in a place; returns if the process lives on.
fn panic_in(place: &str) {
    abort_on_panic();
    match place {
        "thread" => drop(thread::spawn(|| panic!("a deliberate panic in a thread")).join()),
        "task" => Runtime::new().unwrap().block_on(async {
            let task = tokio::spawn(async { panic!("a deliberate panic in a task") });
            drop(tokio::time::timeout(LIFE, task).await);
        }),
        "worker" => panic_in_a_worker(),
        "log" | "unread log" => {
            logs::init(LogFilter::default(), Format::Text).unwrap();
            // As many as a pipe holds, or more than pipe and queue together.
            let lines = if place == "log" { 1_000 } else { 1 << 16 };
            (0..lines).for_each(|_| logs::say("the line before the panic that the log may hold up\n"));
            drop(thread::spawn(|| panic!("a deliberate panic behind a log")).join());
        }
        other => panic!("{other} is not a place to panic in"),
    }
}

#[test]
fn a_panic_in_a_thread_a_task_or_a_worker_ends_the_process() {
    if let Ok(place) = env::var(PLACE) {
        return panic_in(&place);
    }
    for place in ["thread", "task", "worker"] {
        let output = child("a_panic_in_a_thread_a_task_or_a_worker_ends_the_process", place).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(&format!("a deliberate panic in a {place}")), "{errors}");
        assert_eq!(output.status.signal(), Some(SIGABRT), "{place}: {}", output.status);
    }
}

#[test]
fn a_panic_is_reported_behind_the_log_and_a_log_that_nothing_reads_does_not_hold_up_the_end() {
    if let Ok(place) = env::var(PLACE) {
        return panic_in(&place);
    }
    for place in ["log", "unread log"] {
        let test = "a_panic_is_reported_behind_the_log_and_a_log_that_nothing_reads_does_not_hold_up_the_end";
        let mut child = child(test, place).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(SIGABRT), "{place}");
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(errors.starts_with("the line before"), "{errors}");
        let (_, report) = errors.rsplit_once("hold up\n").unwrap();
        assert_eq!(report.contains("a deliberate panic behind a log"), place == "log", "{place}: {report}");
    }
}

/// This program again, as the child of a test.
fn child(test: &str, place: &str) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", &format!("panics::{test}"), "--nocapture"]).env(PLACE, place);
    child
}

#[test]
fn the_program_installs_the_hook_before_all_else() {
    let program = include_str!("../../src/main.rs");
    assert!(program.contains("fn main() -> ExitCode {\n    abort_on_panic();\n"));
}
