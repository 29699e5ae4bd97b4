//! The delay line of one feed.

use super::{
    metrics::DelayMetrics,
    round::{Note, Round},
};
use crate::{
    cache::{Published, SymbolState, Tick, WorkerMask},
    market::{Now, Part, Parts, Symbol, UnixMicros},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// How many symbols are looked at, or shown, without a pause. The slices of a line take their turns evenly over its
/// step, so that the delayed ticks of a large feed do not come all at once, ahead of live ones.
pub(super) const SLICE: usize = 256;

/// A symbol that a line follows.
pub struct Followed {
    live: Arc<SymbolState>,
    delayed: Arc<SymbolState>,
    /// The live version that was noted last.
    noted: u64,
    /// The live version that was shown last, and when its data were received.
    shown: u64,
    shown_recv: Option<UnixMicros>,
}

/// The delay line of one feed.
pub struct Line {
    delay: Duration,
    /// The step of the configuration.
    step_min: Duration,
    /// The step in force: at least that, and doubled as often as the notes were too many.
    step: Duration,
    step_changed: Instant,
    slices: Vec<Vec<Followed>>,
    /// The slice that is looked at next, and when.
    next: usize,
    look_at: Instant,
    /// In the order in which they are due.
    rounds: VecDeque<Round>,
    notes: usize,
    metrics: DelayMetrics,
}

/// Takes a delayed state that has changed, and the workers that want it.
pub(super) type Announce<'a> = dyn FnMut(&Arc<SymbolState>, WorkerMask) + 'a;

impl Followed {
    /// A symbol whose live ticks are to be shown in its delayed state too.
    pub fn new(live: Arc<SymbolState>, delayed: Arc<SymbolState>) -> Self {
        Self { live, delayed, noted: 0, shown: 0, shown_recv: None }
    }

    /// Shows a live tick in the delayed state.
    fn show(&mut self, tick: &Tick, now: Now) -> Published {
        let is_new = |part: &Part| tick.last_change(Parts::from_iter([*part])) > self.shown;
        let changed: Parts = Part::ALL.into_iter().filter(is_new).collect();
        let is_heard = tick.snapshot.recv != self.shown_recv;
        self.shown = tick.version;
        self.shown_recv = tick.snapshot.recv;
        self.delayed.show(tick, changed.union(tick.changed), is_heard, now)
    }
}

impl Line {
    /// A line from `now` on. The step is at most the delay.
    pub fn new(delay: Duration, step: Duration, symbols: Vec<Followed>, metrics: DelayMetrics, now: Now) -> Self {
        metrics.publish(0, step);
        let mut line = Self {
            delay,
            step_min: step,
            step,
            step_changed: now.instant,
            slices: Vec::new(),
            next: 0,
            look_at: now.instant,
            rounds: VecDeque::new(),
            notes: 0,
            metrics,
        };
        line.follow(symbols);
        line
    }

    /// Follows these symbols too. One that it has already, as it was not told that the symbol left, begins again.
    pub(super) fn follow(&mut self, symbols: Vec<Followed>) {
        self.leave(&symbols.iter().map(|followed| followed.live.symbol().clone()).collect());
        let mut symbols = symbols.into_iter().peekable();
        for slice in &mut self.slices {
            let room = SLICE.saturating_sub(slice.len());
            slice.extend(symbols.by_ref().take(room));
        }
        while symbols.peek().is_some() {
            self.slices.push(symbols.by_ref().take(SLICE).collect());
        }
    }

    /// Leaves these symbols, and drops its notes of them. A slice may be empty then: rounds name slices by their
    /// places.
    pub(super) fn leave(&mut self, symbols: &HashSet<Symbol>) {
        for (slice, number) in self.slices.iter_mut().zip(0..) {
            // Where each symbol is afterwards.
            let mut places = Vec::with_capacity(slice.len());
            let mut next = 0;
            for followed in slice.iter() {
                let stays = !symbols.contains(followed.live.symbol());
                places.push(stays.then_some(next));
                next += u32::from(stays);
            }
            if next as usize == slice.len() {
                continue;
            }
            slice.retain(|followed| !symbols.contains(followed.live.symbol()));
            for round in self.rounds.iter_mut().filter(|round| round.slice == number) {
                let moved = |note: Note| places[note.place as usize].map(|place| Note { place, ..note });
                round.notes = std::mem::take(&mut round.notes).into_iter().filter_map(moved).collect();
            }
        }
        self.rounds.retain(|round| !round.notes.is_empty());
        self.notes = self.rounds.iter().map(|round| round.notes.len()).sum();
    }

    /// How many notes it holds.
    pub(super) fn notes(&self) -> usize {
        self.notes
    }

    /// How many notes its next look may add.
    pub(super) fn next_notes_max(&self) -> usize {
        self.slices.get(self.next).map_or(0, Vec::len)
    }

    /// When it has something to do.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        if self.slices.is_empty() {
            return None;
        }
        Some(self.rounds.front().map_or(self.look_at, |round| round.due.min(self.look_at)))
    }

    /// Whether it has something to show.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.rounds.front().is_some_and(|round| round.due <= now)
    }

    /// Shows the notes of the round that is due.
    pub(super) fn show(&mut self, now: Now, announce: &mut Announce<'_>) {
        let Some(round) = self.rounds.pop_front_if(|round| round.due <= now.instant) else { return };
        self.notes -= round.notes.len();
        let slice = &mut self.slices[round.slice as usize];
        for note in round.notes {
            let symbol = &mut slice[note.place as usize];
            if let Published::Tick { interest } = symbol.show(&note.tick, now) {
                announce(&symbol.delayed, interest);
            }
        }
    }

    /// Notes what has changed in the next slice, if it is its turn.
    pub(super) fn look(&mut self, now: Now) {
        if self.look_at > now.instant {
            return;
        }
        let mut notes = Vec::new();
        // A tick may have been received since the clock was read.
        let mut youngest = now.instant;
        for (place, symbol) in (0..).zip(&mut self.slices[self.next]) {
            if let Some(tick) = symbol.live.newest_after(symbol.noted) {
                symbol.noted = tick.version;
                youngest = youngest.max(tick.published);
                notes.push(Note { place, tick });
            }
        }
        if !notes.is_empty() {
            notes.shrink_to_fit();
            self.notes += notes.len();
            let before = self.rounds.back().map(|round| round.due);
            let due = (youngest + self.delay).max(before.unwrap_or(youngest));
            self.rounds.push_back(Round { slice: self.next as u32, due, notes });
        }
        self.next = (self.next + 1) % self.slices.len();
        if self.next == 0 {
            self.metrics.publish(self.notes, self.step);
        }
        self.pass(now.instant);
    }

    /// The next slice has its turn after an even share of the step. What a stall has left out is made up for at once,
    /// but no slice is looked at twice for it.
    fn pass(&mut self, now: Instant) {
        let share = self.step / self.slices.len() as u32;
        let at = self.look_at + share;
        // The last of the slices has its turn now, and the next one when it is due.
        let earliest = (now + share * 2).checked_sub(self.step);
        self.look_at = earliest.filter(|_| at <= now).map_or(at, |earliest| at.max(earliest));
    }

    /// Whether a longer step would leave fewer notes. From a step over the delay on, a symbol has one.
    pub(super) fn can_double(&self) -> bool {
        self.step <= self.delay
    }

    /// Doubles the step, also for what is noted: every second round of a slice is taken into the one behind it.
    pub(super) fn double(&mut self, now: Instant) {
        self.step *= 2;
        self.step_changed = now;
        self.metrics.doubled();
        let mut open: HashMap<u32, Round> = HashMap::new();
        let mut kept = Vec::with_capacity(self.rounds.len());
        for mut round in std::mem::take(&mut self.rounds) {
            match open.remove(&round.slice) {
                Some(earlier) => {
                    round.take_in(earlier);
                    kept.push(round);
                }
                None => _ = open.insert(round.slice, round),
            }
        }
        kept.extend(open.into_values());
        kept.sort_by_key(|round| round.due);
        self.notes = kept.iter().map(|round| round.notes.len()).sum();
        self.rounds = kept.into();
    }

    /// Halves a step that was doubled, at most once in the time of the delay.
    pub(super) fn halve(&mut self, now: Instant) {
        if self.step > self.step_min && now.saturating_duration_since(self.step_changed) > self.delay {
            self.step = (self.step / 2).max(self.step_min);
            self.step_changed = now;
        }
    }

    /// The step in force.
    pub(super) fn step(&self) -> Duration {
        self.step
    }
}
