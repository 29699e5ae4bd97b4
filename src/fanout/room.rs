//! Whether a stream's transport takes bytes.

use std::time::Instant;

/// Whether a stream's transport takes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// The transport took all of the last offer.
    Free,
    /// The transport has reported room. It has not taken a byte since it was full.
    Reported { full_since: Instant },
    /// The transport is full: nothing is written until it reports room.
    Full { since: Instant },
}

impl Room {
    /// Whether nothing may be written.
    pub(super) fn is_full(self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// Since when the transport took no byte: what the stall timeout counts from.
    pub(super) fn full_since(self) -> Option<Instant> {
        match self {
            Self::Free => None,
            Self::Reported { full_since: since } | Self::Full { since } => Some(since),
        }
    }

    /// The transport reports room.
    pub(super) fn report(&mut self) {
        if let Self::Full { since } = *self {
            *self = Self::Reported { full_since: since };
        }
    }

    /// Another stream is the cause that the transport is full.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Self::Full { since } = self {
            *since = now;
        }
    }

    /// The transport has room, and the stream has nothing to write into it.
    pub(super) fn leave_unused(&mut self) {
        if let Self::Reported { .. } = self {
            *self = Self::Free;
        }
    }

    /// A write offered bytes.
    pub(super) fn written(&mut self, any_taken: bool, is_full: bool, now: Instant) {
        let full_since = self.full_since().filter(|_| !any_taken);
        *self = match full_since {
            _ if is_full => Self::Full { since: full_since.unwrap_or(now) },
            Some(full_since) => Self::Reported { full_since },
            None => Self::Free,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_stall_timeout_counts_from_the_last_byte_taken_and_not_from_a_report_of_room() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut room = Room::Free;
        room.written(true, true, start);
        assert_eq!(room, Room::Full { since: start });
        room.report();
        assert_eq!((room.is_full(), room.full_since()), (false, Some(start)));
        room.written(false, true, after(1));
        assert_eq!(room, Room::Full { since: start });
        room.report();
        room.written(true, true, after(2));
        assert_eq!(room, Room::Full { since: after(2) });
        room.report();
        room.written(true, false, after(3));
        assert_eq!(room, Room::Free);
    }

    #[test]
    fn room_that_a_stream_has_no_use_for_ends_its_stall() {
        let mut room = Room::Reported { full_since: Instant::now() };
        room.leave_unused();
        assert_eq!(room, Room::Free);
    }
}
