//! The batches that arrive while older ones are missing.

use super::room::{Held, Room};
use crate::cluster::clock::Boot;
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// The most bytes of batches that wait.
pub const BUFFER_BYTES_MAX: usize = 64 << 20;
/// How long a batch waits for one that is missing. Whatever is missing for longer is not repaired: a snapshot is asked
/// for. While that comes, which may take as long as it takes, the batches wait within the bytes.
pub const BUFFER_AGE_MAX: Duration = Duration::from_secs(5);
/// What a batch costs besides its bytes.
const ENTRY_BYTES: usize = size_of::<Waiting>();

#[derive(Debug)]
struct Waiting {
    arrived: Boot,
    bytes: Bytes,
}

/// Batches without a hole, the newest of the owner: `first..next`.
#[derive(Debug)]
pub(super) struct Buffer {
    /// The number of the oldest batch, and that of the next; `None` before the first message.
    range: Option<(u64, u64)>,
    batches: VecDeque<Waiting>,
    held: Held,
    /// Of the newest message that shows that the batches are the newest: when it was sent, by the owner's clock, and
    /// when it arrived.
    newest: Option<(Boot, Boot)>,
    /// At most so many bytes wait.
    bytes_max: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        let (batches, held) = (VecDeque::new(), Held::default());
        Self { range: None, batches, held, newest: None, bytes_max: BUFFER_BYTES_MAX }
    }
}

impl Buffer {
    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    pub(super) fn clear(&mut self) {
        self.range = None;
        self.batches.clear();
        self.held.clear();
        self.newest = None;
    }

    /// The room that it shares with others.
    pub(super) fn room(&self) -> &Room {
        self.held.room()
    }

    /// Shares another room. It is empty.
    pub(super) fn move_to(&mut self, room: &Room) {
        self.held = room.held();
    }

    /// The number of the oldest batch, or, where there is none, of the next.
    pub(super) fn first(&self) -> Option<u64> {
        self.range.map(|(first, _)| first)
    }

    /// The number of the batch that comes next.
    pub(super) fn next(&self) -> Option<u64> {
        self.range.map(|(_, next)| next)
    }

    pub(super) fn newest(&self) -> Option<(Boot, Boot)> {
        self.newest
    }

    pub(super) fn bytes(&self) -> usize {
        self.held.bytes()
    }

    /// When the oldest batch has waited too long for one that is missing.
    pub(super) fn due(&self) -> Option<Boot> {
        self.batches.front().map(|oldest| oldest.arrived.after(BUFFER_AGE_MAX))
    }

    /// Begins with this batch, unless messages have shown another begin.
    pub(super) fn begin_at(&mut self, first: u64) {
        self.range.get_or_insert((first, first));
    }

    /// Adds a batch. Returns false if it is here, or older than those that are. If one is missing before it, the older
    /// ones go: they do not lead to it.
    pub(super) fn push(&mut self, number: u64, sent: Boot, bytes: Bytes, now: Boot) -> bool {
        if self.range.is_some_and(|(_, next)| number < next) {
            return false;
        }
        self.restart_unless_next(number);
        self.held.add(bytes.len() + ENTRY_BYTES);
        self.batches.push_back(Waiting { arrived: now, bytes });
        let first = self.range.map_or(number, |(first, _)| first);
        self.range = Some((first, number + 1));
        self.newest = Some((sent, now));
        true
    }

    /// Notes that `last` is the newest batch of the owner. `shown`: when a message that shows it was sent, and arrived.
    pub(super) fn announce(&mut self, last: u64, shown: Option<(Boot, Boot)>) {
        let next = last.saturating_add(1);
        if self.range.is_some_and(|(_, expected)| next < expected) {
            return;
        }
        self.restart_unless_next(next);
        self.newest = shown.or(self.newest);
    }

    fn restart_unless_next(&mut self, number: u64) {
        if self.range.is_none_or(|(_, next)| next != number) {
            self.clear();
            self.range = Some((number, number));
        }
    }

    /// Drops all batches. Those that follow still have to join them.
    pub(super) fn let_go(&mut self) {
        self.batches.clear();
        self.held.clear();
        self.range = self.range.map(|(_, next)| (next, next));
    }

    /// Drops the oldest batches beyond the limits: that of bytes and, if `expires`, that of age. Returns whether there
    /// were some.
    pub(super) fn trim(&mut self, expires: bool, now: Boot) -> bool {
        let before = self.batches.len();
        let is_too_old = |oldest: &Waiting| expires && now >= oldest.arrived.after(BUFFER_AGE_MAX);
        while let Some(oldest) = self.batches.front()
            && (self.held.is_too_much(self.bytes_max) || is_too_old(oldest))
        {
            self.held.release(oldest.bytes.len() + ENTRY_BYTES);
            self.batches.pop_front();
            self.range = self.range.map(|(first, next)| (first + 1, next));
        }
        self.batches.len() < before
    }

    /// Takes all batches out, oldest first, with the number of the batch after them.
    pub(super) fn drain(&mut self) -> Option<(Vec<Bytes>, u64)> {
        let (_, next) = self.range?;
        let batches = std::mem::take(&mut self.batches).into_iter().map(|waiting| waiting.bytes).collect();
        self.clear();
        Some((batches, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(buffer: &mut Buffer, number: u64, bytes: usize, at: u64) -> bool {
        buffer.push(number, Boot(number), Bytes::from(vec![0; bytes]), Boot(at))
    }

    #[test]
    fn batches_wait_without_a_hole() {
        let mut buffer = Buffer::default();
        assert_eq!(buffer.drain(), None);
        assert!(push(&mut buffer, 4, 1, 0) && push(&mut buffer, 5, 2, 0));
        assert!(!push(&mut buffer, 5, 2, 0) && !push(&mut buffer, 3, 1, 0));
        buffer.announce(4, Some((Boot(90), Boot(90))));
        assert_eq!((buffer.first(), buffer.newest().map(|(sent, _)| sent)), (Some(4), Some(Boot(5))), "an old beat");
        buffer.announce(5, Some((Boot(91), Boot(95))));
        assert_eq!((buffer.first(), buffer.newest()), (Some(4), Some((Boot(91), Boot(95)))));
        assert!(push(&mut buffer, 7, 3, 0), "6 is missing");
        assert_eq!(buffer.first(), Some(7));
        buffer.announce(9, None);
        assert_eq!((buffer.first(), buffer.newest(), buffer.bytes()), (Some(10), None, 0), "8 and 9 are missing");
        assert!(push(&mut buffer, 10, 4, 0));
        assert_eq!(buffer.drain().map(|(batches, next)| (batches.len(), next)), Some((1, 11)));
        assert_eq!(buffer.first(), None);
    }

    #[test]
    fn rule_10_what_waits_goes_if_the_other_followers_of_the_node_hold_too_much() {
        let room = Room::default();
        let mut others = room.held();
        let mut buffer = Buffer::default();
        buffer.move_to(&room);
        push(&mut buffer, 1, 100, 0);
        others.add(super::super::ROOM_BYTES_MAX);
        assert!(buffer.trim(false, Boot(0)));
        assert_eq!((buffer.first(), buffer.bytes()), (Some(2), 0));
        drop(others);
        push(&mut buffer, 2, 100, 0);
        assert!(!buffer.trim(false, Boot(0)));
    }

    #[test]
    fn rule_10_what_waits_has_a_limit_of_bytes_and_of_age() {
        let mut buffer = Buffer::default();
        let megabyte = 1 << 20;
        for number in 1..=70 {
            push(&mut buffer, number, megabyte, 0);
            buffer.trim(true, Boot(0));
            assert!(buffer.bytes() <= BUFFER_BYTES_MAX);
        }
        assert_eq!(buffer.first(), Some(8), "63 are left");
        push(&mut buffer, 71, 1, 1_000_000);
        assert_eq!(buffer.due(), Some(Boot(5_000_000)));
        assert!(!buffer.trim(true, Boot(4_999_999)) && !buffer.trim(false, Boot(5_000_000)));
        assert!(buffer.trim(true, Boot(5_000_000)));
        assert_eq!(buffer.first(), Some(71));
        assert!(buffer.trim(true, Boot(6_000_000)));
        assert_eq!((buffer.first(), buffer.bytes(), buffer.due()), (Some(72), 0, None));
        push(&mut buffer, 72, 9, 0);
        buffer.let_go();
        assert_eq!((buffer.first(), buffer.next(), buffer.bytes()), (Some(73), Some(73), 0));
    }
}
