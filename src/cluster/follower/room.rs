//! What the followers of a node hold together while something is missing: buffered batches and parts of snapshots.

use super::Follower;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The most bytes that all followers of a node hold together. As many symbols as a cache may have take 13 MB in
/// snapshots; the rest is for the batches that come meanwhile.
pub const ROOM_BYTES_MAX: usize = 128 << 20;

/// The room that the followers of a node share. Clones are the same room; a new one belongs to one follower.
#[derive(Debug, Clone, Default)]
pub struct Room(Arc<AtomicUsize>);

/// What one holder has of the room, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    room: Room,
    bytes: usize,
}

impl Room {
    /// How many bytes are held.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Nothing yet.
    pub(super) fn held(&self) -> Held {
        Held { room: self.clone(), bytes: 0 }
    }
}

impl Held {
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds more. The holder lets go of something if [`Held::is_too_much`] then.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.room.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.room.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn clear(&mut self) {
        self.release(self.bytes);
    }

    /// Whether it holds more than this, or all holders together more than there is room for.
    pub(super) fn is_too_much(&self, own_max: usize) -> bool {
        self.bytes > own_max || self.room.bytes() > ROOM_BYTES_MAX
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Held {}

impl Follower {
    /// The same follower, of which fewer bytes of batches wait, for a simulation.
    #[doc(hidden)]
    #[must_use]
    pub fn with_buffer_bytes_max(mut self, bytes_max: usize) -> Self {
        self.buffer.set_bytes_max(bytes_max);
        self
    }

    /// The same follower, which has not begun, in a room that it shares with others.
    #[must_use]
    pub fn in_room(mut self, room: &Room) -> Self {
        self.buffer.move_to(room);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_the_followers_of_a_node_hold_128_mib_together() {
        let room = Room::default();
        let (mut one, mut other) = (room.held(), room.held());
        one.add(ROOM_BYTES_MAX - 10);
        other.add(10);
        assert!(!one.is_too_much(usize::MAX) && !other.is_too_much(usize::MAX) && other.is_too_much(9));
        other.add(1);
        assert!(one.is_too_much(usize::MAX) && other.is_too_much(usize::MAX));
        drop(one);
        assert_eq!((other.is_too_much(usize::MAX), room.bytes()), (false, 11));
        other.clear();
        assert_eq!((other.bytes(), room.bytes()), (0, 0));
    }
}
