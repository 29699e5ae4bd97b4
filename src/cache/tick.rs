//! A tick: a version of a symbol's snapshot, its numbers, and its frame once a worker needs it.

use crate::{
    market::{Part, Parts, Snapshot, UnixMicros},
    wire::{Epoch, EventId},
};
use bytes::Bytes;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// A new version of a symbol's snapshot.
#[derive(Debug)]
pub struct Tick {
    /// The whole latest state.
    pub snapshot: Snapshot,
    /// The feed that says it, where the symbol has two.
    pub source: Option<Arc<str>>,
    /// Its number among this node's ticks of the symbol, without holes: rings and cursors go by it. It is never sent.
    pub version: u64,
    /// Its number among the symbol's ticks in its epoch. 0 is the symbol before its first: no tick yet, but sent like
    /// one.
    pub seq: u64,
    /// Its id among all ticks of the shard; `n` is 0 for `seq` 0. A tick that the gateway makes while the shard is cut
    /// off has the id of its owner's last one.
    pub id: EventId,
    /// The [generation](super::Cache::generation) in which the numbers began of which `seq` is one.
    pub generation: u32,
    /// The parts that it is called after on the wire: those that its update changed.
    pub kind: Parts,
    /// The parts that have changed since the version before. More than those of its kind where ticks in between are
    /// lost, or the numbers begin.
    pub changed: Parts,
    /// The version before this one that last changed each part, by [`Part`].
    pub prior: [u64; Part::ALL.len()],
    /// When it was received from the venue, or made by the gateway.
    pub published: Instant,
    /// The same moment by the wall clock.
    pub time: UnixMicros,
    /// The first worker that needs it encodes it.
    pub(super) frame: OnceLock<Bytes>,
    /// Its other form, boxed since most ticks never need it. The first worker that needs it encodes it.
    pub(super) patch: OnceLock<Box<Bytes>>,
    /// Both for streams that compress, boxed for the same reason.
    pub(super) compressed: OnceLock<Box<Compressed>>,
}

/// What the next tick of a symbol goes on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) version: u64,
    pub(super) seq: u64,
    pub(super) epoch: Epoch,
    pub(super) generation: u32,
    /// The version that last changed each part.
    pub(super) last_changes: [u64; Part::ALL.len()],
}

/// The forms of a tick for streams that compress. The first worker that needs one makes it.
#[derive(Debug, Default)]
pub(super) struct Compressed {
    pub(super) whole: CompressedForm,
    pub(super) patch: CompressedForm,
}

/// A frame or a patch, for streams that compress.
#[derive(Debug, Default)]
pub(super) struct CompressedForm {
    /// Compressed. Once it is there, all streams get it.
    pub(super) small: OnceLock<Bytes>,
    /// As it is, in the frame of what is compressed.
    pub(super) stored: OnceLock<Bytes>,
}

impl Tick {
    /// Whether a worker has needed its frame.
    pub fn is_encoded(&self) -> bool {
        self.frame.get().is_some()
    }

    /// Whether a worker has needed its patch.
    pub fn is_patch_encoded(&self) -> bool {
        self.patch.get().is_some()
    }

    /// Whether clients count it as the next one after another tick of the symbol, which this node has just before it.
    /// None follows the one before the first: its place may be taken by one that names its feed.
    pub fn follows(&self, before: &Self) -> bool {
        let is_next = self.version == before.version + 1 && self.seq == before.seq + 1;
        is_next && before.version > 0 && self.generation == before.generation
    }

    /// The version that last changed one of these parts: they are news to a stream that has an older tick.
    pub fn last_change(&self, parts: Parts) -> u64 {
        if self.changed.intersects(parts) { self.version } else { self.last_change_before(parts) }
    }

    /// The version that last changed this part: cheaper than [`Tick::last_change`] of a set.
    pub fn changed_at(&self, part: Part) -> u64 {
        if self.changed.contains(part) { self.version } else { self.prior[part as usize] }
    }

    /// Its numbers.
    pub(super) fn numbers(&self) -> Numbers {
        Numbers {
            version: self.version,
            seq: self.seq,
            epoch: self.id.epoch,
            generation: self.generation,
            last_changes: self.last_changes(),
        }
    }

    /// The version before this one that last changed one of these parts.
    pub fn last_change_before(&self, parts: Parts) -> u64 {
        parts.iter().map(|part| self.prior[part as usize]).max().unwrap_or(0)
    }
}
