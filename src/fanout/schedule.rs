//! The deadlines of streams, and which of them is next.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

/// The deadlines of a worker's streams, earliest first.
///
/// Deletion is lazy: stale entries stay in the heap and are ignored when they pop. A stream re-arms when its entry
/// pops, so activity costs nothing here.
pub(super) struct Schedule<Key> {
    entries: BinaryHeap<Reverse<(Instant, Key)>>,
}

impl<Key: Ord + Copy> Schedule<Key> {
    pub(super) fn new() -> Self {
        Self { entries: BinaryHeap::new() }
    }

    pub(super) fn add(&mut self, at: Instant, key: Key) {
        self.entries.push(Reverse((at, key)));
    }

    /// The next entry that is due by `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, Key)> {
        let Reverse((at, key)) = *self.entries.peek()?;
        if at > now {
            return None;
        }
        self.entries.pop();
        Some((at, key))
    }

    /// When the next entry is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((at, _))| *at)
    }
}

/// The entries of one stream that count: the earliest, and the later one that it displaced, which counts again after
/// the earliest has popped. If the displaced entry were not remembered, a stream with a `max_rate` would leave a stale
/// entry with each write. Other entries stay in the heap and are ignored when they pop.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Armed {
    next: Option<Instant>,
    behind: Option<Instant>,
}

impl Armed {
    /// An entry has popped; returns whether it was the next one. Any other entry is stale.
    pub(super) fn popped(&mut self, at: Instant) -> bool {
        let was_next = self.next == Some(at);
        if was_next {
            self.next = self.behind.take();
        }
        was_next
    }

    /// The stream has a deadline at `at`; returns whether the schedule needs an entry for it. An earlier entry serves
    /// as well: nothing is due when it pops, and the stream re-arms.
    pub(super) fn wants(&mut self, at: Instant) -> bool {
        let needs_entry = self.next.is_none_or(|next| at < next);
        if needs_entry {
            self.behind = self.behind.or(self.next);
            self.next = Some(at);
        }
        needs_entry
    }
}

/// The moments that a stream's deadlines follow from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Since when the transport took no byte.
    pub(super) full_since: Option<Instant>,
    pub(super) last_write: Instant,
    /// By how much its first heartbeat comes early: streams that were opened together do not beat together.
    pub(super) early_by: Duration,
    /// The earliest write that its `max_rate` allows, if changes wait.
    pub(super) write: Option<Instant>,
    /// When its end asks for attention.
    pub(super) end: Option<Instant>,
}

/// The action that a stream's deadline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Write,
    Heartbeat,
    Stalled,
    End,
}

impl Deadlines {
    /// The earliest deadline.
    pub(super) fn next(&self, heartbeat: Duration, stall_timeout: Duration) -> Instant {
        let silence = self.silence(heartbeat, stall_timeout);
        [self.end, self.write].into_iter().flatten().fold(silence, Instant::min)
    }

    /// The action that is due `now`; the end comes before all else.
    pub(super) fn due(&self, now: Instant, heartbeat: Duration, stall_timeout: Duration) -> Due {
        if self.end.is_some_and(|end| end <= now) {
            return Due::End;
        }
        match self.full_since {
            _ if self.write.is_some_and(|write| write <= now) => Due::Write,
            _ if now < self.silence(heartbeat, stall_timeout) => Due::Nothing,
            Some(_) => Due::Stalled,
            None => Due::Heartbeat,
        }
    }

    /// When it has stalled, if its transport is full; otherwise when it needs a heartbeat.
    fn silence(&self, heartbeat: Duration, stall_timeout: Duration) -> Instant {
        match self.full_since {
            Some(since) => since + stall_timeout,
            None => self.last_write + heartbeat.saturating_sub(self.early_by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn just_opened(now: Instant) -> Deadlines {
        Deadlines { full_since: None, last_write: now, early_by: Duration::ZERO, write: None, end: None }
    }

    /// Adds a stream's next deadline if no earlier entry serves it.
    fn arm(schedule: &mut Schedule<()>, armed: &mut Armed, at: Instant) {
        if armed.wants(at) {
            schedule.add(at, ());
        }
        assert!(schedule.entries.len() <= 2, "{} entries", schedule.entries.len());
    }

    #[test]
    fn entries_pop_in_order_and_only_when_due() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::new();
        for (seconds, key) in [(3, 'c'), (1, 'a'), (2, 'b')] {
            schedule.add(at(seconds), key);
        }
        assert_eq!(schedule.next(), Some(at(1)));
        assert_eq!(schedule.pop(at(0)), None);
        assert_eq!(schedule.pop(at(2)), Some((at(1), 'a')));
        assert_eq!(schedule.pop(at(2)), Some((at(2), 'b')));
        assert_eq!(schedule.pop(at(2)), None);
    }

    #[test]
    fn rule_10_a_stream_that_is_written_at_its_own_rate_has_two_entries_at_most() {
        let start = Instant::now();
        let heartbeat = Duration::from_secs(60);
        let stall = Duration::from_secs(30);
        let mut schedule = Schedule::new();
        let mut armed = Armed::default();
        let mut deadlines = just_opened(start);
        arm(&mut schedule, &mut armed, deadlines.next(heartbeat, stall));
        for cycle in 1..=10_000 {
            let write = start + cycle * Duration::from_millis(10);
            deadlines.write = Some(write); // a symbol has changed
            arm(&mut schedule, &mut armed, deadlines.next(heartbeat, stall));
            while deadlines.write.is_some() {
                let (at, ()) = schedule.pop(write).expect("there is an entry for each deadline");
                assert!(armed.popped(at), "each of the two serves");
                if deadlines.due(at, heartbeat, stall) == Due::Write {
                    deadlines.write = None;
                    deadlines.last_write = at;
                }
                arm(&mut schedule, &mut armed, deadlines.next(heartbeat, stall));
            }
        }
    }

    #[test]
    fn an_entry_that_two_earlier_ones_have_made_stale_is_ignored() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut armed = Armed::default();
        assert_eq!([9, 6, 7, 3].map(|seconds| armed.wants(at(seconds))), [true, true, false, true]);
        assert_eq!([3, 6, 9].map(|seconds| armed.popped(at(seconds))), [true, false, true]);
        assert!(armed.wants(at(12)));
    }

    #[test]
    fn a_full_stream_has_no_heartbeat_and_a_silent_one_does_not_stall() {
        let start = Instant::now();
        let heartbeat = Duration::from_secs(15);
        let stall = Duration::from_secs(30);
        let after = |seconds| start + Duration::from_secs(seconds);
        let open = just_opened(start);
        let full = Deadlines { full_since: Some(start), ..open };
        let early = Deadlines { early_by: Duration::from_secs(4), ..open };
        let paced = Deadlines { write: Some(after(2)), ..open };
        let ending = Deadlines { end: Some(after(5)), ..full };
        for (deadlines, seconds, due) in [
            (open, 14, Due::Nothing),
            (open, 15, Due::Heartbeat),
            (early, 10, Due::Nothing),
            (early, 11, Due::Heartbeat),
            (paced, 1, Due::Nothing),
            (paced, 2, Due::Write),
            (full, 15, Due::Nothing),
            (full, 30, Due::Stalled),
            (ending, 4, Due::Nothing),
            (ending, 30, Due::End),
        ] {
            assert_eq!(deadlines.due(after(seconds), heartbeat, stall), due, "{deadlines:?} after {seconds} s");
        }
        assert_eq!(open.next(heartbeat, stall), after(15));
        assert_eq!(full.next(heartbeat, stall), after(30));
        assert_eq!(ending.next(heartbeat, stall), after(5));
        assert_eq!(paced.next(heartbeat, stall), after(2));
    }
}
