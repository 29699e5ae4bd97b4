//! Readers of a shared connection that stop for longer than the reader check admits, and come back or do not.

use crate::{
    h2_peer::INITIAL_WINDOW_SIZE,
    heartbeats,
    world::{Settings, World},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::time::Duration;
use tickfan::fanout::{CloseMode, CloseReason};

const STEP: Duration = Duration::from_millis(30);
/// Streams whose readers stop, and all.
const STOPPING: usize = 3;
const STREAMS: usize = 5;

/// What the runs have seen: without it, a run proves nothing.
#[derive(Debug, Default)]
struct Seen {
    most_held: u64,
    released: usize,
    changed: usize,
    drained: usize,
    closed: u64,
}

/// A connection of five streams, each of a symbol of its own.
struct Run {
    world: World,
    random: SmallRng,
    shared: usize,
    clients: Vec<usize>,
    /// In which step each reader stops, and in which it comes back.
    pauses: Vec<(usize, usize)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let settings = Settings { symbols: STREAMS, workers: 1, interrupts: 0.0, ..Settings::default() };
        let mut world = World::new(seed, settings);
        let shared = world.connect(0, usize::MAX, &[(INITIAL_WINDOW_SIZE, 1 << 20)]);
        world.peer(shared).window_update(0, 1 << 24);
        let clients = (0..STREAMS).map(|symbol| world.join_on(shared, &[symbol], heartbeats(), None)).collect();
        world.turn_all(0);
        let mut random = SmallRng::seed_from_u64(seed);
        // They are held after 10.5 s, and closed 3 s later.
        let mut pause = || {
            let from = random.random_range(1..100);
            (from, from + random.random_range(330..480))
        };
        let pauses = (0..STOPPING).map(|_| pause()).collect();
        Self { world, random, shared, clients, pauses }
    }

    /// Readers stop and come back, and all symbols have news; returns how many streams are held.
    fn step(&mut self, step: usize, seen: &mut Seen) -> u64 {
        let held_before = self.world.counts(0).held;
        let mut has_come_back = false;
        for (place, &(from, to)) in self.pauses.iter().enumerate() {
            let client = self.clients[place];
            let stream = self.world.client(client).stream;
            if step == from {
                self.world.peer(self.shared).unread.push(stream);
            } else if step == to {
                self.world.peer(self.shared).unread.retain(|other| *other != stream);
                self.world.peer(self.shared).read(stream);
                has_come_back |= self.world.client(client).is_open();
            }
        }
        self.world.turn_all(0);
        let held = self.world.counts(0).held;
        seen.released += usize::from(has_come_back && held < held_before);
        for symbol in 0..STREAMS {
            self.world.publish(symbol);
            self.world.publish(symbol);
        }
        self.world.turn_all(0);
        for &client in &self.clients[STOPPING..] {
            assert_eq!(self.world.client(client).lacks(), 0, "rule 4: in step {step}, with {held} held");
        }
        self.world.advance(STEP);
        seen.most_held = seen.most_held.max(held);
        held
    }

    /// The list of one whose reader has stopped changes to its own symbol and another.
    fn change(&mut self) {
        let place = self.random.random_range(0..STOPPING);
        self.world.change_list(self.clients[place], &[place, STOPPING]);
    }
}

/// Whatever becomes of a stream that is held, those beside it miss nothing, and no check of a step fails.
#[test]
fn rules_1_to_5_hold_where_readers_of_a_connection_stop_and_come_back() {
    let mut seen = Seen::default();
    for seed in 3_700..3_740 {
        let mut run = Run::new(seed);
        let (changes, drains) = (seed % 2 == 1, seed % 4 == 2);
        let mut has_changed = false;
        for step in 0..600 {
            let held = run.step(step, &mut seen);
            if changes && held > 0 && !has_changed {
                has_changed = true;
                run.change();
                seen.changed += 1;
            }
            if drains && held > 1 {
                seen.drained += 1;
                run.world.drain(Duration::from_millis(500));
                break;
            }
        }
        if run.world.counts(0).held > 0 && drains {
            drained(&mut run);
            continue;
        }
        run.world.settle();
        for &client in &run.clients[STOPPING..] {
            let client = run.world.client(client);
            let seqs = &client.symbols.values().next().unwrap().seqs;
            let all = seqs.last().unwrap() - seqs[0] + 1;
            assert_eq!(seqs.len() as u64, all, "rule 2: a neighbour of seed {seed} misses nothing");
        }
        seen.closed += run.world.counts(0).closed[CloseReason::Window as usize];
    }
    let has_seen_all =
        seen.most_held >= 2 && seen.released >= 5 && seen.changed >= 5 && seen.drained >= 3 && seen.closed >= 3;
    assert!(has_seen_all, "{seen:?}");
}

/// A drain ends those that are held as those that stall, and all others with a goodbye.
fn drained(run: &mut Run) {
    for _ in 0..200 {
        run.world.turn_all(0);
        run.world.advance(STEP);
    }
    for (place, &client) in run.clients.iter().enumerate() {
        let client = run.world.client(client);
        assert!(client.closed.is_some(), "rule 12: stream {place} is not ended");
        if place >= STOPPING {
            assert_eq!((client.goodbyes, client.closed), (1, Some(CloseMode::Finish)), "rule 12: stream {place}");
        }
    }
}
