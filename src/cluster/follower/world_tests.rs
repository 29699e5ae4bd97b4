//! An owner, a follower and what can go wrong between them, from seeds: loss, repetition, backlogs, disconnects,
//! pauses, crashes and hand-overs, under clocks of any offset.

use super::*;
use crate::cluster::{
    history::SnapshotWriter,
    support::{OwnSymbol, places, token},
};
use owners::Owner;
use proptest::prelude::*;
use rand::RngExt;
use shelf::{Clock, Entry, FOLLOWERS, SECOND, Shelf};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

#[path = "owners_tests.rs"]
mod owners;
#[path = "shelf_tests.rs"]
mod shelf;

const STALE_AFTER: Duration = Duration::from_secs(2);
/// What is shown as live is never older.
const OLD_MICROS: u64 = 2_500_000;
const BEAT_AFTER: u64 = 250_000;
/// The owner's symbols; the follower lacks the last one, and has one that the owner lacks ([`FOLLOWERS`]).
const OWNERS: [&str; 5] = ["A", "B", "C", "D", "NOT-HERE"];

enum Happens {
    /// The owner of this index may send ticks, or a beat.
    Turn(usize),
    /// Something arrives at the follower, which takes it unless it is stopped.
    Arrives(Event),
    Asked(AskId, Ask),
    /// The next symbol of a snapshot is read.
    Read {
        owner: usize,
        id: AskId,
        writer: SnapshotWriter,
        next: usize,
    },
    Fault,
    /// An owner follows the one before it; a crash if its epoch is new.
    Succession {
        crash: bool,
    },
}

struct World {
    time: u64,
    random: SmallRng,
    agenda: BinaryHeap<Reverse<Entry<Happens>>>,
    entries: u64,
    owners: Vec<Owner>,
    follower: Follower,
    clock: Clock,
    shelf: Shelf,
    /// Until when the live connection is down.
    down_until: u64,
    paused_until: u64,
    /// What arrived while it was stopped.
    waiting: VecDeque<Event>,
    /// In percent: messages that are lost, and that come twice.
    loss: u32,
    repetition: u32,
    /// The longest delay of a live message.
    delay: u64,
    has_faults: bool,
    trades: bool,
    n: u64,
    /// For each epoch and batch, when the newest message was sent that showed the shard so.
    shown_at: BTreeMap<(Epoch, u64), u64>,
    as_of: u64,
    highest: Option<Token>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let clock = Clock::random(&mut random);
        let mut world = Self {
            time: 0,
            agenda: BinaryHeap::new(),
            entries: 0,
            owners: Vec::new(),
            follower: Follower::new(STALE_AFTER, random.random()),
            clock,
            shelf: Shelf::default(),
            down_until: 0,
            paused_until: 0,
            waiting: VecDeque::new(),
            loss: 0,
            repetition: 0,
            delay: 3_000,
            has_faults: true,
            trades: true,
            n: 0,
            shown_at: BTreeMap::new(),
            as_of: 0,
            highest: None,
            random,
        };
        let symbols = OWNERS.iter().zip(0..).map(|(name, index)| OwnSymbol::new(index, name)).collect();
        world.start_owner(token(1, 1), 0, symbols);
        world.later(500_000, Happens::Fault);
        world
    }

    fn later(&mut self, after: u64, what: Happens) {
        self.entries += 1;
        self.agenda.push(Reverse(Entry { at: self.time + after, number: self.entries, what }));
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn fault(&mut self) {
        if !self.has_faults {
            return;
        }
        match self.random.random_range(0..9) {
            0 => self.loss = self.random.random_range(0..20),
            1 => self.repetition = self.random.random_range(0..20),
            2 => self.delay = self.random.random_range(1_000..20 * SECOND),
            3 => {
                let after = self.random.random_range(0..3 * SECOND);
                self.down_until = self.down_until.max(self.time + after);
                self.later(0, Happens::Arrives(Event::Connected(false)));
                self.later(self.down_until - self.time, Happens::Arrives(Event::Connected(true)));
            }
            4 => {
                let pause = self.random.random_range(0..15 * SECOND);
                self.paused_until = self.paused_until.max(self.time + pause);
            }
            5 | 6 => {
                if let Some(index) = self.current() {
                    self.owners[index].is_alive = false;
                    let after = self.random.random_range(0..10 * SECOND);
                    self.later(after, Happens::Succession { crash: true });
                }
            }
            7 => {
                if let Some(index) = self.current() {
                    self.turn(index);
                    self.owners[index].is_alive = false;
                    let after = self.random.random_range(0..300_000);
                    self.later(after, Happens::Succession { crash: false });
                }
            }
            _ => self.heal(),
        }
        let after = self.random.random_range(0..4 * SECOND);
        self.later(after, Happens::Fault);
    }

    fn heal(&mut self) {
        (self.loss, self.repetition, self.delay) = (0, 0, 3_000);
    }

    /// Gives the follower an event, and checks what it shows.
    fn follow(&mut self, event: Event) {
        let now = self.clock.at(self.time);
        let actions = self.follower.on(event, now, &mut self.shelf);
        for action in actions {
            if let Action::Ask(id, ask) = action
                && !self.percent(self.loss)
            {
                let after = self.random.random_range(100..self.delay.min(300_000));
                self.later(after, Happens::Asked(id, ask));
            }
        }
        assert!(self.follower.buffered_bytes() <= BUFFER_BYTES_MAX);
        assert!(self.highest <= self.follower.token(), "tokens only rise");
        self.highest = self.follower.token();
        self.check_age();
        if let Some(due) = self.follower.due() {
            let left = due.0.saturating_sub(now.0) + 1;
            self.later(left + left / 50, Happens::Arrives(Event::Due));
        }
    }

    fn check_age(&mut self) {
        if let Some(applied) = self.follower.applied() {
            self.as_of = self.as_of.max(self.shown_at.get(&applied).copied().unwrap_or(0));
        }
        assert_eq!(self.shelf.is_live, self.follower.is_fresh());
        if self.follower.is_fresh() {
            assert!(self.time - self.as_of <= OLD_MICROS, "live, and {} µs old", self.time - self.as_of);
        }
    }

    fn run(&mut self, until: u64) {
        while let Some(Reverse(entry)) = self.agenda.pop() {
            if entry.at > until {
                self.agenda.push(Reverse(entry));
                break;
            }
            self.time = entry.at;
            self.happen(entry.what);
        }
        self.time = until;
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Turn(owner) => self.turn(owner),
            Happens::Asked(id, ask) => self.asked(id, ask),
            Happens::Read { owner, id, writer, next } => self.read(owner, id, writer, next),
            Happens::Fault => self.fault(),
            Happens::Succession { crash } => self.succession(crash),
            Happens::Arrives(event) => {
                self.waiting.push_back(event);
                if self.time >= self.paused_until {
                    while let Some(event) = self.waiting.pop_front() {
                        self.follow(event);
                    }
                } else {
                    self.later(self.paused_until - self.time, Happens::Arrives(Event::Due));
                }
            }
        }
    }

    fn check_end(&self) {
        let owner = &self.owners[self.current().unwrap()];
        assert_eq!(self.follower.state(), State::Live);
        assert!(self.follower.is_fresh());
        assert_eq!(self.follower.token(), Some(owner.token));
        for (place, name) in FOLLOWERS.iter().enumerate() {
            let Some(symbol) = owner.symbols.iter().find(|symbol| symbol.name.as_str() == *name) else {
                assert!(self.shelf.is_absent[place]);
                continue;
            };
            let (have, snapshot, guards) = self.shelf.symbols[place].as_ref().unwrap();
            assert_eq!((have.epoch, have.seq), (owner.token.epoch, symbol.seq), "{name}");
            assert_eq!((snapshot, places(guards)), (&symbol.shown, places(&symbol.shown_guards)), "{name}");
        }
        let missed: u64 = self.shelf.taken.values().map(|taken| taken.missed).sum();
        assert_eq!(self.follower.counts().lost, missed);
        for taken in self.shelf.taken.values() {
            assert_eq!(taken.count + taken.missed, taken.last - taken.first + 1, "each tick came once, or is counted");
        }
    }
}

/// Runs a world; returns it once its faults are over and it has rested.
fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.run(40 * SECOND);
    world.has_faults = false;
    world.heal();
    // A crash may have left it without an owner for up to 10 s, and a backlog be up to 20 s long.
    world.run(75 * SECOND);
    world.trades = false;
    world.run(78 * SECOND);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_follower_ends_with_the_owners_book_whatever_happens_on_the_way(seed: u64) {
        world(seed).check_end();
    }
}

#[test]
fn the_world_reaches_each_state_and_each_count() {
    let mut sum = Counts::default();
    for seed in 0..24 {
        let world = world(seed);
        let counts = world.follower.counts();
        sum.fenced += counts.fenced;
        sum.duplicates += counts.duplicates;
        sum.unknown += counts.unknown;
        sum.filled += counts.filled;
        sum.replaced += counts.replaced;
        sum.lost += counts.lost;
    }
    let Counts { fenced, duplicates, unknown, filled, replaced, lost, .. } = sum;
    assert!([fenced, duplicates, unknown, filled, replaced, lost].iter().all(|count| *count > 10), "{sum:?}");
}
