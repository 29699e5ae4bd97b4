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
}
