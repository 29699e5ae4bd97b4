//! The budgets of a cluster that one process can measure: what a tick costs its owner more, how many bytes it takes on
//! the bus, and how long a fresh node reads a snapshot. `loadtest/budgets/cluster` prints them beside those that need
//! brokers.
//!
//! Each line has the budget, its figure, what it must be, and whether it is met, between tabs.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own")]

mod support;

use bytes::Bytes;
use std::{
    hint::black_box,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use support::{Updates, keep_ticks, recording::Recording, shelf::Shelf};
use tickfan::{
    cache::{Cache, Published, RingLimits, SymbolState, Tap, Tapped},
    cluster::{
        batch::NewTick,
        clock::{Boot, Moment},
        follower::{AskId, Event, Follower},
        history::SnapshotWriter,
        lease::{Start, Validity},
        message::{Ask, HEAD_BYTES, Message},
        tape::Tape,
        token::Token,
    },
    market::{Guards, Now, Origin, Snapshot},
    wire::Epoch,
};

const SYMBOLS: usize = 200;
/// Ticks of a round, and as many rounds of each kind, in turn: the middle one counts.
const TICKS: usize = 100_000;
const ROUNDS: usize = 15;
/// As many messages of a venue are taken at once, and then published.
const TAKEN: usize = 64;
const FRESH_SYMBOLS: usize = 10_000;

fn token() -> Token {
    Token { term: 1, epoch: Epoch::new(1 << 40) }
}

/// What the owner of a shard does with each tick, and after each turn of ingest: as `cluster::outlet`, with a bus that
/// drops all.
struct Owner {
    tape: Mutex<Tape>,
    began: Boot,
}

impl Owner {
    fn new(symbols: usize) -> Self {
        let mut tape = Tape::new(token(), symbols as u32, Start::NewEpoch, Duration::from_millis(1));
        let now = Moment::read();
        tape.set_lease(Some(Validity { token: token(), counts_from: now, hold: Duration::MAX }), Some(1));
        tape.set_connected(true);
        Self { tape: Mutex::new(tape), began: now.boot }
    }

    /// Publishes what is due, as the end of a turn of ingest does.
    fn flush(&self) -> Vec<Bytes> {
        self.tape.lock().unwrap().take(Moment::read())
    }
}

impl Tap for Owner {
    fn tick(&self, tick: &Tapped<'_>) {
        self.tape.lock().unwrap().push(&new_tick(tick), self.began);
    }
}

fn new_tick<'a>(tick: &Tapped<'a>) -> NewTick<'a> {
    let Tapped { index, name, seq, n, changed, prior, before, snapshot, guards } = *tick;
    NewTick { index, name, seq, n, changed, prior, before, snapshot, guards }
}

/// The symbols of a shard.
fn shard(symbols: usize) -> (Cache, Vec<Arc<SymbolState>>) {
    let cache = Cache::new(Epoch::new(1 << 40), RingLimits { count: 1_024, age: Duration::from_secs(10) });
    let shard = cache.add_shard("bench.0".into(), token().epoch).unwrap();
    let register = |index| {
        let symbol = format!("SYM{index}").parse().unwrap();
        cache.register_in(&shard, symbol, "bench".into(), Origin::Market, Now::read()).unwrap()
    };
    let states = (0..symbols).map(register).collect();
    (cache, states)
}

/// Makes ticks as ingest does; returns how long each took, in ns.
fn round(states: &[Arc<SymbolState>], updates: &mut Updates, owner: Option<&Owner>) -> f64 {
    let tap = owner.map(|owner| owner as &dyn Tap);
    let begun = Instant::now();
    let mut made = 0;
    for step in 0..TICKS {
        if step % TAKEN == 0
            && let Some(owner) = owner
        {
            black_box(owner.flush());
        }
        let published = states[step % states.len()].through(tap).publish(&updates.next(), Now::read());
        made += usize::from(matches!(published, Published::Tick { .. }));
    }
    let took = begun.elapsed();
    assert!(made * 2 > TICKS, "most updates are ticks");
    took.as_nanos() as f64 / made as f64
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What a tick takes more on its owner, in µs: the middle of pairs.
fn ingest() -> f64 {
    let mut updates = Updates::new(&Recording::open());
    let (_alone, alone) = shard(SYMBOLS);
    let (_owned, owned) = shard(SYMBOLS);
    keep_ticks(&alone);
    keep_ticks(&owned);
    let owner = Owner::new(SYMBOLS);
    let mut pair = || {
        let without = round(&alone, &mut updates, None);
        (round(&owned, &mut updates, Some(&owner)) - without) / 1_000.0
    };
    pair();
    middle((0..ROUNDS).map(|_| pair()).collect())
}

/// The bytes of a tick on the bus, where a message has this many.
fn bytes(ticks: usize) -> f64 {
    let mut updates = Updates::new(&Recording::open());
    let (_cache, states) = shard(SYMBOLS);
    let owner = Owner::new(SYMBOLS);
    let (mut sum, mut count) = (0, 0);
    for message in 0..20_000 {
        for tick in 0..ticks {
            let state = &states[(message * ticks + tick) % SYMBOLS];
            state.through(Some(&owner)).publish(&updates.next(), Now::read());
        }
        let mut tape = owner.tape.lock().unwrap();
        tape.seal(owner.began);
        for bytes in tape.take(Moment::read()) {
            // A symbol's first tick is larger; and beats have none.
            let of_ticks = Message::open(&bytes).unwrap().ticks().count();
            if message > 1_000 && of_ticks > 0 {
                (sum, count) = (sum + bytes.len(), count + of_ticks);
            }
        }
    }
    sum as f64 / count as f64
}

/// How long a snapshot of many symbols takes to be written and read, in ms, and its bytes.
fn snapshot() -> (f64, usize) {
    let mut updates = Updates::new(&Recording::open());
    let (_cache, states) = shard(FRESH_SYMBOLS);
    for step in 0..4 * FRESH_SYMBOLS {
        states[step % FRESH_SYMBOLS].publish(&updates.next(), Now::read());
    }
    let owner = Owner::new(FRESH_SYMBOLS);
    let mut shelf =
        Shelf(vec![(None, Snapshot::waiting(Origin::Market, Now::read().unix), Guards::default()); FRESH_SYMBOLS]);
    let mut follower = Follower::new(Duration::from_secs(2), 1);
    let beat = owner.flush().remove(0);
    let mut asked = AskId(0);
    for action in follower.on(Event::Live(beat), Moment::read().boot, &mut shelf) {
        if let tickfan::cluster::follower::Action::Ask(id, Ask::Snapshot) = action {
            asked = id;
        }
    }
    let begun = Instant::now();
    let sender = owner.tape.lock().unwrap().sender(Moment::read().boot);
    let mut writer = SnapshotWriter::default();
    writer.prepare(0);
    let messages = Mutex::new(Vec::new());
    {
        let writer = Mutex::new(&mut writer);
        let tap =
            Reads(|tick: &NewTick<'_>| messages.lock().unwrap().extend(writer.lock().unwrap().push(tick, &sender)));
        states.iter().for_each(|state| state.read(&tap));
    }
    let mut messages = messages.into_inner().unwrap();
    messages.extend(owner.tape.lock().unwrap().end_snapshot(writer, Moment::read().boot));
    let length = messages.iter().map(|bytes| bytes.len() - HEAD_BYTES).sum();
    for bytes in messages {
        follower.on(Event::Answer(asked, bytes), Moment::read().boot, &mut shelf);
    }
    assert!(follower.applied().is_some(), "the snapshot is complete");
    (begun.elapsed().as_secs_f64() * 1_000.0, length)
}

struct Reads<F>(F);

impl<F: Fn(&NewTick<'_>)> Tap for Reads<F> {
    fn tick(&self, tick: &Tapped<'_>) {
        (self.0)(&new_tick(tick));
    }
}

fn main() -> ExitCode {
    // Cargo's tests run benches, too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let micros = ingest();
    let of_ten = bytes(10);
    let (millis, length) = snapshot();
    let mut all_met = true;
    let mut row = |budget: &str, figure: String, must: &str, is_met: bool| {
        all_met &= is_met;
        println!("{budget}\t{figure}\t{must}\t{}", if is_met { "yes" } else { "no" });
    };
    row(
        "a tick on its owner takes more, middle of 15 pairs",
        format!("{micros:.3} µs"),
        "at most 0.15 µs",
        micros <= 0.15,
    );
    row(
        "a tick on the bus, ten a message, with the head",
        format!("{of_ten:.1} bytes"),
        "at most 45 bytes",
        of_ten <= 45.0,
    );
    let figure = format!("{millis:.1} ms, {length} bytes");
    row("a snapshot of 10,000 symbols is written and read", figure, "at most 1 s", millis <= 1_000.0);
    if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
