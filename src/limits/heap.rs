//! Memory that ended streams leave behind: when it goes back to the system.
//!
//! glibc keeps what the process frees for its next allocations. After a storm of streams that is most of what they
//! took, and other processes of the machine lack it.

use std::time::{Duration, Instant};

/// What open streams take, by estimate.
const STREAM_BYTES: usize = 5 << 10;
const SUBSCRIPTION_BYTES: usize = 72;
/// Less than this is not worth a trim.
const FREED_MIN: usize = 4 << 20;
/// A trim locks the heap's arenas for some milliseconds, so streams that come and go in waves must not cause one each.
const TRIM_EVERY: Duration = Duration::from_secs(10);

/// Decides when the process returns freed memory: once streams have left less than half of the highest use since.
#[derive(Debug, Default)]
pub struct HeapTrim {
    highest: usize,
    last: Option<Instant>,
}

impl HeapTrim {
    /// Takes the numbers of open streams and of their symbols. Returns whether a trim is due.
    pub fn is_due(&mut self, streams: usize, subscriptions: usize, now: Instant) -> bool {
        let used = streams * STREAM_BYTES + subscriptions * SUBSCRIPTION_BYTES;
        self.highest = self.highest.max(used);
        let is_worth_it = self.highest - used >= FREED_MIN.max(self.highest / 2);
        let is_early = self.last.is_some_and(|last| now.saturating_duration_since(last) < TRIM_EVERY);
        if !is_worth_it || is_early {
            return false;
        }
        self.highest = used;
        self.last = Some(now);
        true
    }
}

/// Returns the memory that the process has freed to the system, as far as its allocator is glibc's.
#[cfg_attr(
    target_env = "gnu",
    expect(
        unsafe_code,
        reason = "after a storm of streams nothing else returns the memory: docs/decisions/0010-allocator.md"
    )
)]
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` may be called at any time and from any thread. It gives back only pages that hold no
    // allocation, and takes each arena's own lock to do so.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_once_when_most_streams_of_a_storm_have_ended() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (storm, left, is_due) in [
            ((15_000, 7_500_000), (0, 0), true),
            ((15_000, 7_500_000), (7_000, 3_500_000), true),
            ((15_000, 7_500_000), (8_000, 4_000_000), false),
            ((20_000, 20_000), (100, 100), true),
            ((20, 10_000), (0, 0), false),
            ((0, 0), (0, 0), false),
        ] {
            let mut trim = HeapTrim::default();
            assert!(!trim.is_due(storm.0, storm.1, at(0)), "while it grows");
            assert_eq!(trim.is_due(left.0, left.1, at(1)), is_due, "{storm:?} {left:?}");
            assert!(!trim.is_due(left.0, left.1, at(60)), "once");
        }
    }

    #[test]
    fn waves_of_streams_cause_few_trims_and_the_last_wave_one() {
        let start = Instant::now();
        let mut trim = HeapTrim::default();
        let trims = (0..100)
            .filter(|&second| {
                let streams = if second % 2 == 0 { 10_000 } else { 0 };
                trim.is_due(streams, streams, start + Duration::from_secs(second))
            })
            .count();
        assert!((9..=11).contains(&trims), "{trims}");
        let late = (100..120).filter(|&second| trim.is_due(0, 0, start + Duration::from_secs(second)));
        assert_eq!(late.count(), 1);
    }
}
