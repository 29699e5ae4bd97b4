//! A node's book, as the cache would be: its symbols, and what it shows to streams.

use crate::market::{SYMBOLS, shown};
use rand::{RngExt, rngs::SmallRng};
use std::{
    collections::VecDeque,
    sync::LazyLock,
    time::{Duration, Instant},
};
use tickfan::{
    cluster::{
        batch::NewTick,
        clock::Moment,
        follower::{Book, CutOff, Have, Place, Step},
        lease::Start,
        message::Tick,
        token::Token,
    },
    market::{Guards, Now, Origin, Part, Parts, Reason, Snapshot, State, Symbol, UnixMicros},
    wire::Epoch,
};

/// As many ticks of a symbol can be resumed from.
const RING: usize = 64;
/// As many epochs before the current one are known.
const FORMER: usize = 3;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn now_of(moment: Moment) -> Now {
    Now { unix: moment.wall, instant: *STARTED + Duration::from_micros(moment.boot.0) }
}

/// What a stream is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Hello(Epoch),
    Tick(SentTick),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentTick {
    pub(crate) symbol: usize,
    /// Within the epoch of the last hello.
    pub(crate) seq: u64,
    /// The epoch and `n`: the event's id.
    pub(crate) id: (Epoch, u64),
    /// The number that the owner gave it.
    pub(crate) owners: u64,
    pub(crate) trade: u64,
    pub(crate) live: bool,
}

/// A tick of an owner, as this node has it: it must be the same on all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Record {
    pub(crate) symbol: usize,
    pub(crate) epoch: Epoch,
    pub(crate) seq: u64,
    pub(crate) n: u64,
    pub(crate) snapshot: Snapshot,
}

#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) states: Vec<Kept>,
    /// The epoch of what is shown: the owner's, or one of this node's own while it is cut off.
    epoch: Epoch,
    owners: Option<Epoch>,
    former: VecDeque<Epoch>,
    pub(crate) is_live: bool,
    n: u64,
    random: SmallRng,
    pub(crate) sent: Vec<Sent>,
    pub(crate) records: Vec<Record>,
    /// A planted fault: a book that takes ticks again.
    pub(crate) unchecked: bool,
}

/// A symbol.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) symbol: usize,
    name: Symbol,
    pub(crate) have: Option<Have>,
    n: u64,
    changed: Parts,
    prior: [u64; Part::ALL.len()],
    before: Snapshot,
    pub(crate) shown: Snapshot,
    shown_guards: Guards,
    snapshot: Snapshot,
    guards: Guards,
    /// The newest ticks, without a hole.
    ring: VecDeque<SentTick>,
    /// Counts what is shown while the node is cut off.
    cut_off_seq: u64,
}

impl Shelf {
    /// The symbols in an order of the node's own.
    pub(crate) fn new(node: usize, mut random: SmallRng) -> Self {
        let kept = |place: usize| {
            let symbol = (place + node) % SYMBOLS.len();
            let waiting = Snapshot::waiting(Origin::Market, UnixMicros(0));
            Kept {
                symbol,
                name: SYMBOLS[symbol].parse().unwrap(),
                have: None,
                n: 0,
                changed: Parts::NONE,
                prior: [0; Part::ALL.len()],
                before: waiting,
                shown: waiting,
                shown_guards: Guards::default(),
                snapshot: waiting,
                guards: Guards::default(),
                ring: VecDeque::new(),
                cut_off_seq: 0,
            }
        };
        Self {
            states: (0..SYMBOLS.len()).map(kept).collect(),
            epoch: Epoch::new(random.random()),
            owners: None,
            former: VecDeque::new(),
            is_live: false,
            n: 0,
            random,
            sent: Vec::new(),
            records: Vec::new(),
            unchecked: false,
        }
    }

    /// The node owns the shard: its states draw the numbers from now on.
    pub(crate) fn own(&mut self, token: Token, start: Start, now: Moment) {
        self.is_live = true;
        if start == Start::NewEpoch {
            self.enter(token.epoch);
            for place in 0..self.states.len() {
                let state = &mut self.states[place];
                let Some(have) = state.have.filter(|have| have.seq > 0) else {
                    state.have = Some(Have { epoch: token.epoch, seq: 0 });
                    continue;
                };
                let changed = state.snapshot.outage(Reason::Reconnect, &mut state.guards, now_of(now));
                let changed = if changed.is_empty() { state.changed } else { changed };
                state.have = Some(Have { epoch: token.epoch, ..have });
                state.ring.clear();
                self.tick(place, changed, now);
            }
        }
        self.epoch = token.epoch;
        self.hello();
    }

    fn enter(&mut self, epoch: Epoch) {
        if self.owners != Some(epoch) {
            self.former.extend(self.owners);
            self.owners = Some(epoch);
            while self.former.len() > FORMER {
                self.former.pop_front();
            }
        }
    }

    /// Changes a symbol as its owner; whether there is a new tick.
    pub(crate) fn change(
        &mut self,
        place: usize,
        now: Moment,
        change: impl FnOnce(&mut Snapshot, &mut Guards, Now) -> Parts,
    ) -> bool {
        let state = &mut self.states[place];
        let changed = change(&mut state.snapshot, &mut state.guards, now_of(now));
        if !changed.is_empty() {
            self.tick(place, changed, now);
            self.show(place);
        }
        !changed.is_empty()
    }

    fn tick(&mut self, place: usize, changed: Parts, now: Moment) {
        self.n = (self.n + 1).max(now.wall.0 as u64);
        let (n, state) = (self.n, &mut self.states[place]);
        let have = state.have.expect("an owner's symbols have its epoch");
        for part in state.changed.iter() {
            state.prior[part as usize] = have.seq;
        }
        (state.before, state.shown, state.shown_guards) = (state.shown, state.snapshot, state.guards);
        self.keep(place, Have { seq: have.seq + 1, ..have }, n, changed);
    }

    fn keep(&mut self, place: usize, have: Have, n: u64, changed: Parts) {
        let state = &mut self.states[place];
        (state.have, state.n, state.changed) = (Some(have), n, changed);
        let (symbol, snapshot) = (state.symbol, state.shown);
        let tick = SentTick {
            symbol,
            seq: have.seq,
            id: (have.epoch, n),
            owners: have.seq,
            trade: shown(&snapshot),
            live: snapshot.state() == State::Live,
        };
        state.ring.push_back(tick);
        if state.ring.len() > RING {
            state.ring.pop_front();
        }
        self.records.push(Record { symbol, epoch: have.epoch, seq: have.seq, n, snapshot });
    }

    /// The symbol's newest tick, as an owner sends it.
    pub(crate) fn read(&self, place: usize) -> NewTick<'_> {
        let state = &self.states[place];
        NewTick {
            index: place as u32,
            name: &state.name,
            seq: state.have.map_or(0, |have| have.seq),
            n: state.n,
            changed: state.changed,
            prior: state.prior,
            before: &state.before,
            snapshot: &state.shown,
            guards: &state.shown_guards,
        }
    }

    pub(crate) fn place_of(&self, symbol: usize) -> usize {
        self.states.iter().position(|state| state.symbol == symbol).unwrap()
    }

    /// What is sent for a symbol now.
    fn newest(&self, place: usize) -> Option<SentTick> {
        let state = &self.states[place];
        let newest = *state.ring.back()?;
        if self.is_live {
            return (newest.id.0 == self.epoch).then_some(newest);
        }
        Some(SentTick { seq: state.cut_off_seq, live: false, ..newest })
    }

    fn show(&mut self, place: usize) {
        if !self.is_live {
            self.states[place].cut_off_seq += 1;
        }
        self.sent.extend(self.newest(place).map(Sent::Tick));
    }

    /// The beginning of a stream, again: its epoch is another, or it was cut off.
    fn hello(&mut self) {
        self.sent.push(Sent::Hello(self.epoch));
        (0..self.states.len()).for_each(|place| self.show(place));
    }

    /// A stream that begins, perhaps behind an id of another node.
    pub(crate) fn join(&self, last: Option<(Epoch, u64)>) -> Vec<Sent> {
        let known = last.filter(|(epoch, _)| self.owners == Some(*epoch) || self.former.contains(epoch));
        let mut ticks = Vec::new();
        for (place, state) in self.states.iter().enumerate() {
            if let Some((_, n)) = known.filter(|_| self.is_live) {
                ticks.extend(state.ring.iter().filter(|tick| tick.id.0 == self.epoch && tick.id.1 > n));
            }
            ticks.extend(self.newest(place));
        }
        ticks.sort_by_key(|tick| tick.id.1);
        ticks.dedup();
        [Sent::Hello(self.epoch)].into_iter().chain(ticks.into_iter().map(Sent::Tick)).collect()
    }

    /// The ring's number behind this one, if the ring holds it.
    pub(crate) fn holds(&self, symbol: usize, epoch: Epoch, seq: u64) -> bool {
        let state = &self.states[self.place_of(symbol)];
        self.is_live && state.ring.iter().any(|tick| tick.id.0 == epoch && tick.owners == seq)
    }
}

impl Book for Shelf {
    fn len(&self) -> u32 {
        self.states.len() as u32
    }

    fn find(&self, name: &str) -> Option<Place> {
        self.states.iter().position(|state| state.name.as_str() == name).map(|place| Place(place as u32))
    }

    fn have(&self, place: Place) -> Option<Have> {
        self.states[place.0 as usize].have
    }

    fn take(&mut self, place: Place, epoch: Epoch, tick: &Tick<'_>, step: Step) {
        let place = place.0 as usize;
        let state = &mut self.states[place];
        let before = state.have;
        match step {
            _ if self.unchecked => {}
            Step::Next => assert_eq!(before, Some(Have { epoch, seq: tick.seq - 1 })),
            Step::Jump { missed } => assert_eq!(before, Some(Have { epoch, seq: tick.seq - missed - 1 })),
            Step::Epoch => assert!(before.is_none_or(|have| have.epoch != epoch) && !self.is_live, "{before:?}"),
        }
        if step != Step::Next {
            assert!(tick.full.is_some());
            state.ring.clear();
        }
        for part in state.changed.iter() {
            state.prior[part as usize] = before.map_or(0, |have| have.seq);
        }
        if let Some(full) = tick.full {
            state.prior = full.prior;
        }
        // What it had as an owner and did not show is not the next owner's.
        (state.before, state.snapshot, state.guards) = (state.shown, state.shown, state.shown_guards);
        tick.merge_into(&mut state.snapshot, &mut state.guards);
        (state.shown, state.shown_guards) = (state.snapshot, state.guards);
        self.n = self.n.max(tick.n);
        self.enter(epoch);
        if tick.seq == 0 {
            self.states[place].have = Some(Have { epoch, seq: 0 });
            return;
        }
        self.keep(place, Have { epoch, seq: tick.seq }, tick.n, tick.changed);
        self.show(place);
    }

    fn absent(&mut self, _: Place) {
        panic!("all nodes have the same symbols");
    }

    fn cut_off(&mut self, _: CutOff) {
        assert!(std::mem::replace(&mut self.is_live, false));
        self.epoch = Epoch::new(self.random.random());
        self.states.iter_mut().for_each(|state| state.cut_off_seq = 0);
        self.hello();
    }

    fn restore(&mut self) {
        assert!(!std::mem::replace(&mut self.is_live, true));
        self.epoch = self.owners.expect("the owner's ticks were taken");
        self.hello();
    }
}
