//! Counting the frames of a connection, to find the ones that are missing.

/// Compares the frames that arrived with the number that the venue says it has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::venue) struct FrameCount {
    arrived: u64,
}

impl FrameCount {
    /// Counts a frame.
    pub(in crate::venue) fn count(&mut self) {
        self.arrived += 1;
    }

    /// Whether frames are missing. The venue has sent `sent` frames before the one that says so.
    pub(in crate::venue) fn has_gap(self, sent: u64) -> bool {
        sent > self.arrived
    }

    /// Counts a frame that the venue numbers from 0. Returns whether frames before it are missing.
    pub(in crate::venue) fn numbered(&mut self, number: u64) -> bool {
        let has_gap = self.has_gap(number);
        self.arrived = number.saturating_add(1);
        has_gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_did_not_arrive_is_a_gap() {
        let mut count = FrameCount::default();
        assert!(!count.has_gap(0));
        count.count();
        assert!(!count.has_gap(1));
        assert!(count.has_gap(2));
        count.count();
        assert!(!count.has_gap(1), "frames in excess are not a loss");
    }

    #[test]
    fn numbers_show_each_gap_once() {
        let mut count = FrameCount::default();
        assert_eq!([0, 1, 3, 4, 4, 5].map(|number| count.numbered(number)), [false, false, true, false, false, false]);
        count.count();
        assert!(!count.numbered(7), "a frame without a number may have had one");
        assert!(!count.numbered(8));
        count.count();
        assert!(!count.numbered(9), "or may have had none");
        assert!(count.numbered(11));
        assert!(count.numbered(u64::MAX));
        assert!(!count.numbered(u64::MAX));
    }
}
