//! What the world of a follower is made of: clocks, an agenda, and a book that checks what it is given.

use crate::{
    cluster::{
        clock::Boot,
        follower::{Book, CutOff, Have, Place, Step},
        message::Tick,
    },
    market::{Guards, Origin, Snapshot, UnixMicros},
    wire::Epoch,
};
use rand::{RngExt, rngs::SmallRng};
use std::{cmp::Ordering, collections::HashMap};

pub(super) const SECOND: u64 = 1_000_000;
/// The follower's symbols.
pub(super) const FOLLOWERS: [&str; 5] = ["D", "C", "NOT-THERE", "B", "A"];

/// A machine's clock, by the true time in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    offset: u64,
    parts_per_million: i64,
}

impl Clock {
    pub(super) fn random(random: &mut SmallRng) -> Self {
        Self { offset: random.random_range(0..1 << 50), parts_per_million: random.random_range(-10_000..10_000) }
    }

    pub(super) fn at(self, time: u64) -> Boot {
        let drift = time.cast_signed() * self.parts_per_million / 1_000_000;
        Boot(self.offset + SECOND + time.checked_add_signed(drift).unwrap())
    }
}

/// What happens at a time. Of one time, the lower number comes first.
pub(super) struct Entry<T> {
    pub(super) at: u64,
    pub(super) number: u64,
    pub(super) what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Of a symbol, what the follower has taken in one epoch.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Taken {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u64,
    pub(super) missed: u64,
}

/// The follower's book.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) symbols: [Option<(Have, Snapshot, Guards)>; FOLLOWERS.len()],
    pub(super) is_absent: [bool; FOLLOWERS.len()],
    pub(super) is_live: bool,
    pub(super) taken: HashMap<(Place, Epoch), Taken>,
    /// What the owners published, by symbol, epoch and `seq`.
    pub(super) published: HashMap<(String, Epoch, u64), Snapshot>,
}

impl Book for Shelf {
    fn len(&self) -> u32 {
        FOLLOWERS.len() as u32
    }

    fn find(&self, name: &str) -> Option<Place> {
        FOLLOWERS.iter().position(|known| *known == name).map(|place| Place(place as u32))
    }

    fn have(&self, place: Place) -> Option<Have> {
        self.symbols[place.0 as usize].as_ref().map(|(have, ..)| *have)
    }

    fn take(&mut self, place: Place, epoch: Epoch, tick: &Tick<'_>, step: Step) {
        let slot = &mut self.symbols[place.0 as usize];
        let waiting = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        let (have, mut snapshot, mut guards) = match *slot {
            Some((have, snapshot, guards)) => (Some(have), snapshot, guards),
            None => (None, waiting.0, waiting.1),
        };
        let taken = self.taken.entry((place, epoch)).or_default();
        match (step, have) {
            (Step::Next, Some(have)) => assert_eq!((have.epoch, have.seq + 1), (epoch, tick.seq)),
            (Step::Jump { missed }, Some(have)) => {
                assert!(tick.full.is_some() && have.epoch == epoch && have.seq + 1 + missed == tick.seq);
                taken.missed += missed;
            }
            (Step::Epoch, have) => assert!(tick.full.is_some() && have.is_none_or(|have| have.epoch != epoch)),
            (step, None) => panic!("{step:?} of nothing"),
        }
        tick.merge_into(&mut snapshot, &mut guards);
        let published = &self.published[&(FOLLOWERS[place.0 as usize].to_owned(), epoch, tick.seq)];
        assert_eq!(&snapshot, published, "the same tick everywhere");
        if taken.count == 0 {
            taken.first = tick.seq;
        }
        taken.count += 1;
        taken.last = tick.seq;
        *slot = Some((Have { epoch, seq: tick.seq }, snapshot, guards));
        self.is_absent[place.0 as usize] = false;
    }

    fn absent(&mut self, place: Place) {
        self.is_absent[place.0 as usize] = true;
        self.symbols[place.0 as usize] = None;
    }

    fn cut_off(&mut self, _: CutOff) {
        assert!(std::mem::replace(&mut self.is_live, false));
    }

    fn restore(&mut self) {
        assert!(!std::mem::replace(&mut self.is_live, true));
    }
}
