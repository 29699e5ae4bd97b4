//! Which symbols a connection asks for the latest state of, and when: over HTTP, in the venue's batches and pace, one
//! request at a time. Pure: the clock is passed in.

use crate::{market::FeedSymbol, telemetry::labels::labels, venue::SnapshotRule};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// So many failures in a row, and the connection rests: the stream brings the state anyway, if later.
const FAILURES_MAX: u32 = 3;
/// How long it rests, unless it is replaced.
const REST: Duration = Duration::from_secs(600);
/// The wait after a failure that may pass, doubled by each one that follows.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait that a venue may ask for: minutes later the stream itself has spoken for most symbols.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

labels! {
    /// Label `result` of [`FEED_SNAPSHOTS`](crate::telemetry::catalog::FEED_SNAPSHOTS): what came of a request for the
    /// latest state of symbols.
    pub enum SnapshotResult {
        /// The answer was read.
        Read = "read",
        /// The connection did not open, or broke.
        Io = "io",
        /// The TLS handshake failed.
        Tls = "tls",
        /// No whole answer came in time.
        Timeout = "timeout",
        /// The venue rejects the key, or the plan lacks these data.
        Denied = "denied",
        /// Too many requests.
        RateLimited = "rate_limited",
        /// The venue answers that it is in trouble itself.
        ServerError = "server_error",
        /// Another answer than 200, or not an answer of HTTP.
        Http = "http",
        /// An answer longer than the limit.
        Oversize = "oversize",
        /// An answer that cannot be decoded.
        Unreadable = "unreadable",
    }
}

impl SnapshotResult {
    /// Whether the same request may succeed later.
    fn may_pass(self) -> bool {
        matches!(self, Self::Io | Self::Timeout | Self::RateLimited | Self::ServerError)
    }
}

/// The requests of one connection. All of it is at most as long as the connection's list.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// `None` where the venue has no such requests.
    rule: Option<SnapshotRule>,
    wanted: BTreeSet<FeedSymbol>,
    /// All that were wanted on this connection.
    known: BTreeSet<FeedSymbol>,
    /// Those of the request that is open.
    asked: Vec<FeedSymbol>,
    not_before: Option<Instant>,
    rests_until: Option<Instant>,
    /// In a row, on this connection.
    failures: u32,
}

impl Snapshots {
    pub(super) fn new(rule: Option<SnapshotRule>) -> Self {
        Self {
            rule,
            wanted: BTreeSet::new(),
            known: BTreeSet::new(),
            asked: Vec::new(),
            not_before: None,
            rests_until: None,
            failures: 0,
        }
    }

    /// The venue's limits, if it has such requests.
    pub(super) fn rule(&self) -> Option<SnapshotRule> {
        self.rule
    }

    /// The state of these symbols is wanted.
    pub(super) fn want(&mut self, symbols: impl IntoIterator<Item = FeedSymbol>) {
        if self.rule.is_some() {
            for symbol in symbols {
                self.wanted.insert(symbol);
                self.known.insert(symbol);
            }
        }
    }

    /// All symbols are stale: those of the list are to be asked for again. A request that is open does not count.
    pub(super) fn start_over(&mut self, is_listed: impl Fn(FeedSymbol) -> bool) {
        self.asked.clear();
        self.known.retain(|symbol| is_listed(*symbol));
        self.wanted.clone_from(&self.known);
    }

    /// The connection has ended: what it wanted, the next one wants by itself. The pace is kept.
    pub(super) fn reset(&mut self) {
        self.wanted.clear();
        self.known.clear();
        self.asked.clear();
        self.rests_until = None;
        self.failures = 0;
    }

    /// When the next request is due; `None` where none is, or one is open.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        (self.asked.is_empty() && !self.wanted.is_empty()).then(|| self.not_before.max(self.rests_until).unwrap_or(now))
    }

    /// The symbols of the next request, if it is due: it is open from now on.
    pub(super) fn next(&mut self, now: Instant) -> Option<&[FeedSymbol]> {
        let rule = self.rule?;
        if self.deadline(now).is_none_or(|due| due > now) {
            return None;
        }
        while self.asked.len() < rule.symbols_max
            && let Some(symbol) = self.wanted.pop_first()
        {
            self.asked.push(symbol);
        }
        self.not_before = Some(now + rule.between_requests);
        Some(&self.asked)
    }

    /// The request does not begin before then: its symbols are asked for with the next one.
    pub(super) fn postpone(&mut self, until: Instant) {
        self.wanted.extend(self.asked.drain(..));
        self.not_before = Some(until);
    }

    /// The venue wants no request before then.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.not_before
    }

    /// The open request has ended. A failure that may pass is tried again, after a wait.
    pub(super) fn ended(&mut self, result: SnapshotResult, retry_after: Option<Duration>, now: Instant) {
        let asked = std::mem::take(&mut self.asked);
        if result == SnapshotResult::Read {
            self.failures = 0;
            return;
        }
        self.failures += 1;
        if result.may_pass() {
            self.wanted.extend(asked);
        }
        if self.failures >= FAILURES_MAX {
            self.rests_until = Some(now + REST);
        }
        if result.may_pass() {
            let wait = FIRST_WAIT * 2_u32.pow(self.failures.min(FAILURES_MAX) - 1);
            let until = now + wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
            self.not_before = self.not_before.max(Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_millis(600);

    fn snapshots(symbols: u32) -> Snapshots {
        let rule = SnapshotRule { symbols_max: 200, between_requests: PACE, answer_bytes_max: 1 };
        let mut snapshots = Snapshots::new(Some(rule));
        snapshots.want((0..symbols).map(FeedSymbol));
        snapshots
    }

    fn next(snapshots: &mut Snapshots, now: Instant) -> usize {
        snapshots.next(now).map_or(0, <[_]>::len)
    }

    #[test]
    fn rule_10_a_list_is_asked_for_in_batches_one_at_a_time_in_the_venues_pace() {
        let start = Instant::now();
        let mut snapshots = snapshots(450);
        snapshots.want([FeedSymbol(0)]);
        assert_eq!(snapshots.deadline(start), Some(start));
        assert_eq!(next(&mut snapshots, start), 200);
        assert_eq!((snapshots.deadline(start), next(&mut snapshots, start + PACE)), (None, 0), "one is open");
        snapshots.ended(SnapshotResult::Read, None, start);
        assert_eq!((snapshots.deadline(start), next(&mut snapshots, start)), (Some(start + PACE), 0));
        assert_eq!(next(&mut snapshots, start + PACE), 200);
        snapshots.ended(SnapshotResult::Read, None, start + PACE);
        assert_eq!(next(&mut snapshots, start + 2 * PACE), 50, "each symbol once");
        snapshots.ended(SnapshotResult::Read, None, start + 2 * PACE);
        assert_eq!(snapshots.deadline(start), None);
    }

    #[test]
    fn after_a_silence_all_that_is_still_listed_is_asked_for_again() {
        let start = Instant::now();
        let mut snapshots = snapshots(3);
        assert_eq!(next(&mut snapshots, start), 3);
        snapshots.start_over(|symbol| symbol != FeedSymbol(1));
        let again = snapshots.next(start + PACE).unwrap().to_vec();
        assert_eq!(again, [FeedSymbol(0), FeedSymbol(2)], "what is open does not count");
        snapshots.ended(SnapshotResult::Read, None, start + PACE);
        snapshots.reset();
        snapshots.start_over(|_| true);
        assert_eq!(next(&mut snapshots, start + 2 * PACE), 0, "the next connection wants them by itself");
    }

    #[test]
    fn a_request_that_has_no_turn_is_made_later_with_the_same_symbols() {
        let start = Instant::now();
        let mut snapshots = snapshots(201);
        assert_eq!(next(&mut snapshots, start), 200);
        snapshots.postpone(start + 5 * PACE);
        assert_eq!((snapshots.deadline(start), next(&mut snapshots, start)), (Some(start + 5 * PACE), 0));
        assert_eq!(snapshots.next(start + 5 * PACE).unwrap()[0], FeedSymbol(0), "none is left out");
    }

    #[test]
    fn a_venue_without_snapshots_is_asked_for_nothing() {
        let mut snapshots = Snapshots::new(None);
        snapshots.want([FeedSymbol(0)]);
        let now = Instant::now();
        assert_eq!((snapshots.deadline(now), snapshots.next(now)), (None, None));
    }

    #[test]
    fn a_failure_that_may_pass_is_tried_again_after_a_wait_and_any_other_drops_its_batch() {
        let start = Instant::now();
        let after = |result, retry_after: Option<u64>| {
            let mut snapshots = snapshots(3);
            next(&mut snapshots, start);
            snapshots.ended(result, retry_after.map(Duration::from_secs), start);
            let wait = snapshots.deadline(start).map(|due| due - start);
            (wait.map(|wait| wait.as_secs()), snapshots.wanted.len())
        };
        use SnapshotResult::{Io, RateLimited, ServerError, Timeout};
        for result in [Io, Timeout, RateLimited, ServerError] {
            assert_eq!(after(result, None), (Some(5), 3), "{result}");
        }
        assert_eq!(after(RateLimited, Some(30)), (Some(30), 3));
        assert_eq!(after(RateLimited, Some(1)), (Some(5), 3));
        assert_eq!(after(RateLimited, Some(86_400)), (Some(120), 3), "rule 10: a limit for waits");
        use SnapshotResult::{Denied, Http, Oversize, Tls, Unreadable};
        for result in [Tls, Denied, Http, Oversize, Unreadable] {
            assert_eq!(after(result, Some(30)), (None, 0), "{result}");
        }
    }

    #[test]
    fn rule_10_after_failures_in_a_row_a_connection_rests_and_the_next_one_does_not() {
        for (result, asked) in [(SnapshotResult::Timeout, 200), (SnapshotResult::Http, 200)] {
            let mut now = Instant::now();
            let mut snapshots = snapshots(1_000);
            for _ in 0..FAILURES_MAX {
                assert_eq!(next(&mut snapshots, now), asked, "{result}");
                snapshots.ended(result, None, now);
                now += Duration::from_secs(60);
            }
            snapshots.want([FeedSymbol(7)]);
            let after = now - Duration::from_secs(60) + REST;
            assert_eq!((snapshots.deadline(now), next(&mut snapshots, now)), (Some(after), 0), "{result}");
            assert_eq!(next(&mut snapshots, after), asked, "{result}: what is left goes on");
            snapshots.ended(result, None, after);
            assert_eq!(snapshots.deadline(after), Some(after + REST), "{result}: one attempt at a time");
            now = after + Duration::from_secs(60);
            snapshots.reset();
            snapshots.want([FeedSymbol(7)]);
            assert_eq!(next(&mut snapshots, now), 1, "{result}");
            snapshots.ended(SnapshotResult::Read, None, now);
            assert_eq!(snapshots.failures, 0);
        }
    }
}
