//! The counts of the hot loop, in plain integers, published now and then.

use super::{
    ConnectResult, DisconnectReason, FeedMetrics, MessageKind, RotationResult, SnapshotResult, status::FeedCounts,
};
use crate::{
    market::{Now, UnixMicros, Update},
    telemetry::labels::Tally,
    venue::DecodeError,
};
use std::time::{Duration, Instant};

/// A histogram keeps each sample until it is drained: a hundred a second tell the distribution as well as all would.
const LAG_SAMPLE_EVERY: Duration = Duration::from_millis(10);

/// As far behind our clock as a time may be ahead of it.
const OLD_MICROS: i64 = 60_000_000;

/// Counts of one connection of a feed.
#[derive(Debug)]
pub(super) struct FeedCounters {
    metrics: FeedMetrics,
    /// Whether the data are old on purpose, held back by contract or recorded: their age is not a lag then.
    is_delayed: bool,
    /// Whether the connection that there is has been granted something.
    is_up: bool,
    kinds: Tally<MessageKind>,
    /// All since the gateway's start, as of the last publishing.
    counts: FeedCounts,
    last_message: Option<UnixMicros>,
    skew_micros: Option<i64>,
    /// Times that were dropped since the last publishing, and by how much the last one differs from our clock.
    implausible: Option<(u64, i64)>,
    sampled: Option<Instant>,
}

impl FeedCounters {
    /// `counts` are those of the connection's runs before this one.
    pub(super) fn new(metrics: FeedMetrics, is_delayed: bool, counts: FeedCounts) -> Self {
        metrics.up.add();
        Self {
            metrics,
            is_delayed,
            is_up: false,
            kinds: Tally::default(),
            counts,
            last_message: None,
            skew_micros: None,
            implausible: None,
            sampled: None,
        }
    }

    /// Counts a message that holds no data.
    pub(super) fn message(&mut self, kind: MessageKind) {
        self.kinds.count(kind);
    }

    /// Counts what was taken at once, `ineligible` trades beside it.
    pub(super) fn batch(&mut self, updates: &[Update], ineligible: u64, now: Now) {
        self.kinds.add(MessageKind::Ineligible, ineligible);
        self.last_message = Some(now.unix);
        for update in updates {
            let parts = [
                (MessageKind::Trade, update.trade.is_some()),
                (MessageKind::Quote, update.quote.is_some()),
                (MessageKind::Stats, update.stats.is_some()),
                (MessageKind::Status, update.status.is_some() || update.correction.is_some()),
            ];
            parts.into_iter().filter(|(_, is_there)| *is_there).for_each(|(kind, _)| self.kinds.count(kind));
            for time in times(update).into_iter().flatten().filter(|time| time.plausible(now.unix).is_none()) {
                let dropped = self.implausible.map_or(0, |(dropped, _)| dropped);
                self.implausible = Some((dropped + 1, now.unix.0.saturating_sub(time.0)));
            }
        }
        let Some(time) = updates.iter().rev().find_map(event_time) else { return };
        if time.plausible(now.unix).is_some() {
            self.lag(now.unix.0 - time.0, now.instant);
        } else if time.plausible(UnixMicros(i64::MAX)).is_some() {
            // Our clock may be behind: what is dropped for it must show here. A time before 1990 is none at all.
            self.skew_micros = Some(now.unix.0.saturating_sub(time.0));
        }
    }

    /// Publishes how many of the venue's times were dropped; returns that, and by how much the last one differs from
    /// our clock, in µs.
    pub(super) fn publish_implausible(&mut self) -> Option<(u64, i64)> {
        let implausible = self.implausible.take();
        if let Some((dropped, _)) = implausible {
            self.metrics.implausible_times.increment(dropped);
        }
        implausible
    }

    /// How old the newest time of the venue was when it came, in µs, if no usual delay explains it. Before it is
    /// published.
    pub(super) fn old_times(&self) -> Option<i64> {
        self.skew_micros.filter(|&micros| micros > OLD_MICROS && !self.is_delayed)
    }

    fn lag(&mut self, micros: i64, now: Instant) {
        self.skew_micros = Some(micros);
        if !self.is_delayed && self.sampled.is_none_or(|sampled| now - sampled >= LAG_SAMPLE_EVERY) {
            self.sampled = Some(now);
            self.metrics.lag.record(micros.max(0) as f64 / 1e6);
        }
    }

    /// Counts an attempt to connect.
    pub(super) fn connect(&mut self, result: ConnectResult) {
        self.metrics.connects.count(result);
        self.counts.connects.count(result);
    }

    /// The connection is up.
    pub(super) fn up(&mut self) {
        if !std::mem::replace(&mut self.is_up, true) {
            self.metrics.up.up();
        }
    }

    /// Counts the end of a connection, or of an attempt at one. However many attempts it takes to be up again, it is
    /// one gap.
    pub(super) fn disconnected(&mut self, reason: DisconnectReason) {
        self.metrics.disconnects.count(reason);
        self.counts.disconnects.count(reason);
        if self.down() {
            self.metrics.gaps.increment(1);
        }
    }

    /// Counts the end of a connection that was to succeed another one, which serves on: no gap. What the venue plans is
    /// no failure.
    pub(super) fn lost_successor(&mut self, reason: DisconnectReason) {
        if !reason.is_planned() {
            self.metrics.disconnects.count(reason);
            self.counts.disconnects.count(reason);
        }
    }

    /// Counts a change of connection that was planned.
    pub(super) fn rotated(&mut self, result: RotationResult) {
        self.metrics.rotations.count(result);
        self.counts.rotations.count(result);
    }

    /// Counts what came of a request for the latest state of symbols.
    pub(super) fn snapshot(&mut self, result: SnapshotResult) {
        self.metrics.snapshots.count(result);
        self.counts.snapshots.count(result);
    }

    /// No connection is up any more. Returns whether one was.
    pub(super) fn down(&mut self) -> bool {
        let was_up = std::mem::take(&mut self.is_up);
        if was_up {
            self.metrics.up.down();
        }
        was_up
    }

    /// Moves all that was counted into the registered handles; returns what was counted since the start.
    pub(super) fn publish(&mut self, errors: &mut Tally<DecodeError>, now: Now) -> &FeedCounts {
        self.counts.at = now.unix;
        self.counts.messages.merge(&self.kinds);
        self.counts.decode_errors.merge(errors);
        self.metrics.messages.publish(&mut self.kinds);
        self.metrics.decode_errors.publish(errors);
        if let Some(micros) = self.skew_micros.take() {
            self.metrics.clock_skew.set(micros as f64 / 1e6);
        }
        if let Some(received) = self.last_message.take() {
            self.metrics.last_message.set(received.0 as f64 / 1e6);
        }
        &self.counts
    }
}

impl Drop for FeedCounters {
    /// The run has ended: the connection no longer counts among the feed's.
    fn drop(&mut self) {
        self.down();
        self.metrics.up.remove();
    }
}

/// The venue's times of all parts of an update.
fn times(update: &Update) -> [Option<UnixMicros>; 4] {
    [
        update.trade.and_then(|trade| trade.sequence.time),
        update.quote.and_then(|quote| quote.sequence.time),
        update.stats.and_then(|stats| stats.sequence.time),
        update.status.and_then(|status| status.sequence.time),
    ]
}

/// The venue's time of a trade or quote. Statistics may be sent at any time, so theirs says nothing about the lag.
fn event_time(update: &Update) -> Option<UnixMicros> {
    let trade = update.trade.and_then(|trade| trade.sequence.time);
    trade.or_else(|| update.quote.and_then(|quote| quote.sequence.time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Field, Sequence, TradeUpdate};
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn a_feed_that_runs_again_is_up_again_and_counts_on() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = metrics::with_local_recorder(&recorder, || FeedMetrics::register("x"));
        let is_up = || recorder.handle().render().contains("tickfan_feed_up{feed=\"x\"} 1\n");
        let mut counts = FeedCounts::default();
        for run in 1..=3 {
            let mut connections = [0, 1].map(|_| FeedCounters::new(metrics.clone(), false, counts.clone()));
            connections[0].up();
            assert!(!is_up(), "one of two, run {run}");
            connections[1].up();
            assert!(is_up(), "run {run}");
            connections[0].connect(ConnectResult::Connected);
            counts = connections[0].publish(&mut Tally::default(), Now::read()).clone();
            assert_eq!(counts.connects.of(ConnectResult::Connected), run);
            drop(connections);
            assert!(!is_up(), "it rests after run {run}");
        }
    }

    #[test]
    fn the_age_of_data_that_are_delayed_by_contract_is_not_a_lag() {
        for (is_delayed, samples) in [(false, 1), (true, 0)] {
            let recorder = PrometheusBuilder::new().build_recorder();
            let mut counters = metrics::with_local_recorder(&recorder, || {
                FeedCounters::new(FeedMetrics::register("x"), is_delayed, FeedCounts::default())
            });
            let now = Now::read();
            let sequence = Sequence { time: Some(UnixMicros(now.unix.0 - 900_000_000)), ..Sequence::default() };
            let trade = TradeUpdate { price: Field::Set("1".parse().unwrap()), sequence, ..TradeUpdate::default() };
            counters.batch(&[Update { trade: Some(trade), ..Update::default() }], 0, now);
            assert_eq!(counters.old_times().is_some(), !is_delayed);
            counters.publish(&mut Tally::default(), now);
            let text = recorder.handle().render();
            let counted = format!("tickfan_feed_lag_seconds_count{{feed=\"x\"}} {samples}\n");
            assert!(text.contains(&counted), "{text}");
            assert!(text.contains("tickfan_feed_clock_skew_seconds{feed=\"x\"} 900"), "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_shows_in_the_skew_and_each_dropped_time_is_counted() {
        const HOUR: i64 = 3_600;
        for (name, ahead, skew, dropped) in [
            ("right", 0, 0, 0),
            ("our clock is a little behind", 50, -50, 0),
            ("our clock is behind", 61, -61, 1),
            ("our clock is hours behind", 5 * HOUR, -5 * HOUR, 1),
            ("our clock is ahead", -90, 90, 0),
            ("our clock is hours ahead", -5 * HOUR, 5 * HOUR, 0),
        ] {
            let recorder = PrometheusBuilder::new().build_recorder();
            let register = || FeedCounters::new(FeedMetrics::register("x"), false, FeedCounts::default());
            let mut counters = metrics::with_local_recorder(&recorder, register);
            let now = Now::read();
            let mut tells = |micros| {
                let sequence = Sequence { time: Some(UnixMicros(micros)), ..Sequence::default() };
                let trade = Some(TradeUpdate { sequence, ..TradeUpdate::default() });
                counters.batch(&[Update { trade, ..Update::default() }], 0, now);
                counters.publish_implausible().map_or(0, |(dropped, _)| dropped)
            };
            assert_eq!(tells(now.unix.0 + ahead * 1_000_000), dropped, "{name}");
            // In the wrong unit, or not set: it is counted, and says nothing of the clocks.
            assert_eq!([tells(now.unix.0 / 1_000), tells(0)], [1, 1], "{name}");
            assert_eq!(counters.old_times(), (skew > 60).then_some(skew * 1_000_000), "{name}");
            counters.publish(&mut Tally::default(), now);
            let text = recorder.handle().render();
            assert!(text.contains(&format!("tickfan_feed_clock_skew_seconds{{feed=\"x\"}} {skew}\n")), "{name} {text}");
            let counted = format!("tickfan_feed_implausible_times_total{{feed=\"x\"}} {}\n", dropped + 2);
            assert!(text.contains(&counted), "{name} {text}");
        }
    }
}
