//! The numbers that the symbols of one shard share: their epoch, and `n`.
//!
//! A shard is what has one order of ticks: a feed, in a cluster of gateways. A single gateway has one shard for all its
//! feeds, which counts from 1 and whose epoch never changes.

use super::{shared::Shared, wants::WantChanges};
use crate::{market::Now, wire::Epoch};
use smallvec::SmallVec;
use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// How many former epochs a shard knows.
pub const FORMER_EPOCHS_MAX: usize = 3;

/// The epochs that a shard had before its owner's current one, newest first.
pub type FormerEpochs = SmallVec<[Epoch; FORMER_EPOCHS_MAX]>;

/// The numbers that the symbols of one shard share.
///
/// A call that changes the epoch has to be followed by one for each of the shard's states, which moves that state: its
/// clients see the new epoch with the tick of that call.
#[derive(Debug)]
pub struct Shard {
    name: Arc<str>,
    counting: Counting,
    /// The newest `n`.
    n: AtomicU64,
    /// How many states it has.
    states: AtomicU32,
    /// The generation in which its epoch was set.
    generation: AtomicU32,
    epochs: RwLock<Epochs>,
    wants: WantChanges,
    shared: Arc<Shared>,
}

/// How `n` is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// From 1 on.
    FromOne,
    /// By the time, in µs since 1970, and at least one more than the last: numbers of all shards can be compared, and
    /// the next owner's are higher than those of the one before.
    ByTime,
}

#[derive(Debug)]
struct Epochs {
    /// What clients see.
    shown: Epoch,
    /// That of the shard's owner, as far as it is known: in it are the ids of all ticks.
    owner: Option<Epoch>,
    former: FormerEpochs,
    is_cut_off: bool,
}

impl Epochs {
    fn set_owner(&mut self, epoch: Epoch) {
        if let Some(before) = self.owner.replace(epoch).filter(|before| *before != epoch) {
            self.former.insert(0, before);
        }
        let mut known = FormerEpochs::new();
        for former in self.former.drain(..) {
            if former != epoch && !known.contains(&former) && known.len() < FORMER_EPOCHS_MAX {
                known.push(former);
            }
        }
        self.former = known;
    }
}

impl Shard {
    /// The only shard of a single gateway.
    pub(super) fn single(epoch: Epoch, shared: Arc<Shared>) -> Self {
        Self::new("".into(), Counting::FromOne, shared, epoch, Some(epoch))
    }

    /// A shard of a cluster. It is cut off, with this epoch, until its owner is known.
    pub(super) fn clustered(name: Arc<str>, drawn: Epoch, shared: Arc<Shared>) -> Self {
        Self::new(name, Counting::ByTime, shared, drawn, None)
    }

    fn new(name: Arc<str>, counting: Counting, shared: Arc<Shared>, shown: Epoch, owner: Option<Epoch>) -> Self {
        let epochs = Epochs { shown, owner, former: FormerEpochs::new(), is_cut_off: owner.is_none() };
        Self {
            name,
            counting,
            n: AtomicU64::new(0),
            states: AtomicU32::new(0),
            generation: AtomicU32::new(shared.generation()),
            epochs: RwLock::new(epochs),
            wants: WantChanges::default(),
            shared,
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its name; empty in a single gateway.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which of its symbols the streams of this node begin and cease to want.
    pub fn wants(&self) -> &WantChanges {
        &self.wants
    }

    /// The epoch that clients see.
    pub fn epoch(&self) -> Epoch {
        self.read().shown
    }

    /// The epoch of its owner, whose ids all ticks carry; `None` as long as no owner is known.
    pub fn owner_epoch(&self) -> Option<Epoch> {
        self.read().owner
    }

    /// The epochs that its owners had before, newest first.
    pub fn former(&self) -> FormerEpochs {
        self.read().former.clone()
    }

    /// Whether it is cut off from its owner.
    pub fn is_cut_off(&self) -> bool {
        self.read().is_cut_off
    }

    /// Whether an id of this epoch is one of the shard's.
    pub fn knows(&self, epoch: Epoch) -> bool {
        let epochs = self.read();
        epochs.owner == Some(epoch) || epochs.former.contains(&epoch)
    }

    /// Learns of former epochs that other nodes know, newest first.
    pub fn remember(&self, former: &[Epoch]) {
        let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        let missing = former.iter().filter(|epoch| Some(**epoch) != epochs.owner && !epochs.former.contains(epoch));
        let missing: FormerEpochs = missing.copied().collect();
        epochs.former.extend(missing);
        epochs.former.truncate(FORMER_EPOCHS_MAX);
    }

    /// This node owns the shard from now on, in this epoch. [`open`](super::SymbolState::open) follows for each state
    /// if the epoch is new, and [`restore`](super::SymbolState::restore) if it goes on but the shard is cut off.
    pub fn begin(&self, epoch: Epoch) {
        self.change(|epochs| {
            if epochs.owner == Some(epoch) && !epochs.is_cut_off {
                return false;
            }
            epochs.set_owner(epoch);
            epochs.shown = epoch;
            epochs.is_cut_off = false;
            true
        });
    }

    /// The shard is cut off from its owner, or as its owner: `drawn` is an epoch of this node's own.
    /// [`show_cut_off`](super::SymbolState::show_cut_off) follows for each state.
    pub fn cut_off(&self, drawn: Epoch) {
        self.change(|epochs| {
            epochs.shown = drawn;
            epochs.is_cut_off = true;
            true
        });
    }

    /// Ends the cut-off: what the owner says in this epoch is shown. [`restore`](super::SymbolState::restore) follows
    /// for each state.
    pub fn restore(&self, epoch: Epoch) {
        self.begin(epoch);
    }

    /// The owner has said something in this epoch.
    pub(super) fn follow(&self, epoch: Epoch) {
        self.change(|epochs| {
            if epochs.owner == Some(epoch) {
                return false;
            }
            epochs.set_owner(epoch);
            if epochs.is_cut_off {
                return false;
            }
            epochs.shown = epoch;
            true
        });
    }

    /// The generation in which its epoch was set.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Draws the number of the next tick.
    pub(super) fn next_n(&self, now: Now) -> u64 {
        match self.counting {
            Counting::FromOne => self.n.fetch_add(1, Ordering::Relaxed) + 1,
            Counting::ByTime => {
                let time = u64::try_from(now.unix.0).unwrap_or(0);
                let next = |last: u64| (last + 1).max(time);
                let last = self.n.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
                next(last.unwrap_or_else(|last| last))
            }
        }
    }

    /// Another node has drawn this number.
    pub(super) fn raise_n(&self, n: u64) {
        self.n.fetch_max(n, Ordering::Relaxed);
    }

    /// Whether it is the shard of a single gateway.
    pub(super) fn is_single(&self) -> bool {
        self.counting == Counting::FromOne
    }

    /// The number of a new state's first tick, which waits for data: 0, as long as no symbol has ticked. Later the
    /// state's `seq` begins with it too. `n` counts the ticks of all symbols, so that is above each `seq` that a state
    /// of the same name had before. The symbols of a cluster are all there before the first tick.
    pub(super) fn first_n(&self, now: Now) -> u64 {
        if self.is_single() && self.n.load(Ordering::Relaxed) > 0 { self.next_n(now) } else { 0 }
    }

    /// Counts one more state; returns its place.
    pub(super) fn next_place(&self) -> u32 {
        self.states.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes the epochs. If `change` returns true, a generation begins.
    fn change(&self, change: impl FnOnce(&mut Epochs) -> bool) {
        self.shared.begin_generation(|next| {
            let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
            let has_changed = change(&mut epochs);
            if has_changed {
                self.generation.store(next, Ordering::Release);
            }
            has_changed
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Epochs> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The epoch that clients of these shards are told: that of the shards if they have the same, else one that stands for
/// all of theirs. It is the same on every node. A shard counts once, however often it is named.
pub(super) fn epoch_of<'a>(named: impl IntoIterator<Item = &'a Arc<Shard>>) -> Epoch {
    let mut shards: SmallVec<[&Arc<Shard>; 4]> = SmallVec::new();
    for shard in named {
        if !shards.iter().any(|known| Arc::ptr_eq(known, shard)) {
            shards.push(shard);
        }
    }
    shards.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let epochs: SmallVec<[Epoch; 4]> = shards.iter().map(|shard| shard.epoch()).collect();
    match epochs.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => *first,
        _ => Epoch::new(fnv_1a(epochs.iter().flat_map(|epoch| epoch.bits().to_le_bytes()))),
    }
}

/// FNV-1a of 64 bits.
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
