//! How many instructions each step of a tick's path takes, counted by valgrind, against the figures in
//! `instructions.toml`. Times vary on a shared machine. Counts are the same on every machine with this compiler.
//!
//! Each step runs N and 2N times, in a process each. Both counts include the start and the end of a process, so their
//! difference is N times the step. A step whose count rose by more than a tenth fails the run; `TICKFAN_BLESS=1` writes
//! new figures.

#![expect(clippy::print_stdout, reason = "a program of its own")]

mod support;

use bytes::Bytes;
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use support::{Fanout, Session, Updates, alpaca, cache, http2::Http2, keep_ticks, recording::Recording, venues};
use tickfan::{
    market::Now,
    venue::{self, Batch},
    wire::tick_frame,
};

/// More than a ring holds, so that the ring is full and steady where a step uses one.
const TIMES: usize = 2_000;
/// The seed of the recording: a generated one is the same on each machine.
const SEED: u64 = 1;
const STREAMS: usize = 100;
/// The highest ratio of a count to its figure.
const RATIO_MAX: f64 = 1.1;
/// The highest ratio of a venue's reader to Binance's.
const VENUE_RATIO_MAX: f64 = 2.0;
const FIGURES: &str = "benches/instructions.toml";
/// The variables of a counted process: the step, and how often it runs.
const STEP: &str = "TICKFAN_COUNTED_STEP";
const COUNT: &str = "TICKFAN_COUNTED_TIMES";

/// A step, and how many operations it does each time.
struct Step {
    name: String,
    operations: usize,
    run: Box<dyn Fn(usize)>,
}

fn steps() -> Vec<Step> {
    let step = |name: &str, operations, run: fn(usize)| Step { name: name.to_owned(), operations, run: Box::new(run) };
    let mut steps = vec![
        step("read a quote of Binance", 1, |times| read("@bookTicker", times)),
        step("read a trade of Binance", 1, |times| read("@trade", times)),
        step("read an update of Alpaca", alpaca::UPDATES, read_alpaca),
        step("publish", 1, publish),
        step("encode", 1, encode),
        step("write a DATA frame of HTTP/2", 1, write_data),
        step("publish, encode, deliver to one stream", 1, |times| deliver(1, times)),
        step("deliver to each of a hundred", STREAMS, |times| deliver(STREAMS, times)),
    ];
    // Beside each other with frames of one kind: those of the fixtures.
    steps.extend(venues::all().map(|spec| Step {
        name: of_fixture(spec.name),
        operations: venues::Reader::new(spec, 1).updates,
        run: Box::new(move |times| read_fixture(spec, times)),
    }));
    steps
}

fn of_fixture(venue: &str) -> String {
    format!("read the fixture of {venue}, an update")
}

/// All rounds are prepared, however many are read.
fn read_fixture(spec: &'static venue::Spec, times: usize) {
    let mut reader = venues::Reader::new(spec, 2 * TIMES);
    for round in 0..times {
        assert_eq!(black_box(reader.read(round)), reader.updates);
    }
}

fn read(kind: &str, times: usize) {
    let mut recording = Recording::generate(SEED);
    recording.frames.retain(|frame| frame.text.contains(kind));
    let mut session = Session::new(&recording);
    for time in 0..times {
        black_box(session.read(time % recording.frames.len()));
    }
}

fn read_alpaca(times: usize) {
    let mut venue = alpaca::venue();
    let mut batch = Batch::default();
    for _ in 0..times {
        batch.updates.clear();
        black_box(venue.read(black_box(alpaca::FRAME.as_bytes()), &mut batch)).ok();
        assert_eq!(batch.updates.len(), alpaca::UPDATES);
    }
}

fn publish(times: usize) {
    let (_cache, states) = cache(1);
    let mut updates = Updates::new(&Recording::generate(SEED));
    let now = Now::read();
    keep_ticks(&states);
    for _ in 0..times {
        black_box(states[0].publish(&updates.next(), now));
    }
}

fn encode(times: usize) {
    let (_cache, states) = cache(1);
    let mut updates = Updates::new(&Recording::generate(SEED));
    let now = Now::read();
    for _ in 0..10 {
        states[0].publish(&updates.next(), now);
    }
    let tick = states[0].newest();
    for _ in 0..times {
        black_box(tick_frame(black_box(states[0].fields(&tick)), None));
    }
}

/// Of a tick's usual length.
fn write_data(times: usize) {
    let mut http2 = Http2::new();
    let tick = Bytes::from(vec![b'x'; 239]);
    for _ in 0..times {
        assert_eq!(black_box(http2.write(black_box(&[&tick]))), tick.len());
    }
}

fn deliver(streams: usize, times: usize) {
    let mut updates = Updates::new(&Recording::generate(SEED));
    let mut fanout = Fanout::new(1, streams);
    let empty = fanout.bytes.get();
    for _ in 0..times {
        fanout.ticks(0, &[updates.next()]);
    }
    assert!(fanout.bytes.get() > empty, "nothing was delivered");
}

fn main() -> ExitCode {
    if let (Ok(name), Ok(times)) = (env::var(STEP), env::var(COUNT)) {
        let steps = steps();
        let step = steps.iter().find(|step| step.name == name).expect("a step of ours");
        (step.run)(times.parse().expect("a count of ours"));
        return ExitCode::SUCCESS;
    }
    match guard() {
        Ok(code) => code,
        Err(error) => {
            println!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard() -> Result<ExitCode, Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIGURES);
    let figures: BTreeMap<String, f64> = toml::from_str(&fs::read_to_string(&file)?)?;
    let is_blessing = env::var_os("TICKFAN_BLESS").is_some();
    let mut counted = String::new();
    let mut risen = Vec::new();
    let mut all = BTreeMap::new();
    println!("{:48} {:>8} {:>8}  ratio", "instructions", "now", "figure");
    let steps = steps();
    for step in &steps {
        let difference = count(step, 2 * TIMES)?.saturating_sub(count(step, TIMES)?);
        let now = difference as f64 / (TIMES * step.operations) as f64;
        writeln!(counted, "\"{}\" = {now:.0}", step.name)?;
        all.insert(step.name.as_str(), now);
        let figure = figures.get(&step.name).copied();
        let ratio = figure.map(|figure| now / figure);
        let percent = ratio.map_or("none".to_owned(), |ratio| format!("{:.0} %", ratio * 100.0));
        println!("{:48} {now:>8.0} {:>8.0}  {percent}", step.name, figure.unwrap_or(f64::NAN));
        if ratio.is_none_or(|ratio| ratio > RATIO_MAX) {
            risen.push(step.name.as_str());
        }
    }
    let most = VENUE_RATIO_MAX * all[of_fixture("binance").as_str()];
    let is_dear = |venue: &&&venue::Spec| all.get(of_fixture(venue.name).as_str()).is_some_and(|now| *now > most);
    let dear: Vec<&str> = venue::VENUES.iter().filter(is_dear).map(|venue| venue.name).collect();
    if !dear.is_empty() {
        println!("\nMore than {VENUE_RATIO_MAX} times as many as Binance's reader: {}.", dear.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    if is_blessing {
        let head = "# Instructions of each step, counted by benches/instructions.rs on x86-64 with the pinned compiler.\n\
                    # TICKFAN_BLESS=1 cargo bench --bench instructions writes new figures.\n";
        fs::write(&file, format!("{head}{counted}"))?;
        println!("written to {FIGURES}");
        return Ok(ExitCode::SUCCESS);
    }
    if risen.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "\nMore than {:.0} % of its figure, or without a figure: {}.\nTheir profiles are in {}: read them with \
         callgrind_annotate. If the change is worth the instructions, say so in its commit,\nand write new figures: \
         TICKFAN_BLESS=1 cargo bench --bench instructions",
        RATIO_MAX * 100.0,
        risen.join("; "),
        profiles()?.display()
    );
    Ok(ExitCode::FAILURE)
}

/// The instructions of a process that does a step a number of times.
fn count(step: &Step, times: usize) -> Result<u64, Box<dyn Error>> {
    let profile = profiles()?.join(format!("{}.callgrind", step.name.replace([' ', ',', '/'], "-")));
    let mut option = std::ffi::OsString::from("--callgrind-out-file=");
    option.push(&profile);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind".into(), option])
        .arg(env::current_exe()?)
        .env(STEP, &step.name)
        .env(COUNT, times.to_string())
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}): apt-get install valgrind"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.filter(|_| output.status.success()).ok_or_else(|| {
        format!("{} was not counted:\n{report}{}", step.name, String::from_utf8_lossy(&output.stdout)).into()
    })
}

fn profiles() -> Result<PathBuf, Box<dyn Error>> {
    // Beside the program, in the target folder.
    let folder = env::current_exe()?.with_file_name("instructions");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
