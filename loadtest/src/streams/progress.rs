//! What the streams' thread publishes while it runs, and its timeline second by second.

use super::event_loop::EventLoop;
use crate::measure::{Process, Second, StreamTotals};
use std::sync::atomic::Ordering;

impl EventLoop {
    /// Publishes the counts so far.
    pub(super) fn publish(&mut self) {
        let progress = &self.progress;
        progress.tried.store(self.tried, Ordering::Relaxed);
        progress.open.store(self.open, Ordering::Relaxed);
        progress.ticks.store(self.observer.measures.ticks, Ordering::Relaxed);
        progress.bytes.store(self.observer.measures.bytes, Ordering::Relaxed);
        progress.violations.store(self.observer.violations.total(), Ordering::Relaxed);
        progress.last_tick.store(self.observer.last_tick, Ordering::Relaxed);
    }

    /// Closes the current second if it is over, or if this is the end.
    pub(super) fn close_second(&mut self, is_end: bool) {
        let elapsed = self.begun.elapsed();
        let since = self.seconds.last().map_or(0.0, |second| second.at);
        let length = elapsed.as_secs_f64() - since;
        if length < 1.0 && !(is_end && length > 0.2) {
            return;
        }
        let before = self.totals;
        let measures = &self.observer.measures;
        let totals = StreamTotals {
            cpu: Process::own_thread().usage().map_or(before.cpu, |usage| usage.cpu),
            ticks: measures.ticks,
            bytes: measures.bytes,
            holes: measures.holes,
        };
        let asked = self.percentiles;
        let groups = self.observer.measures.groups.iter_mut();
        let (latency_by_group, age_by_group) = groups.map(|group| group.take_second(asked)).unzip();
        self.seconds.push(Second {
            at: elapsed.as_secs_f64(),
            length,
            open: self.open,
            ticks: per_second(totals.ticks - before.ticks, length),
            bytes: per_second(totals.bytes - before.bytes, length),
            holes: per_second(totals.holes - before.holes, length),
            latency: self.observer.latency.percentiles(self.percentiles),
            latency_by_group,
            age_by_group,
            age: self.observer.age.percentiles(self.percentiles),
            own_cpu: totals.cpu.saturating_sub(before.cpu).as_secs_f64() / length,
        });
        self.totals = totals;
        self.observer.latency.reset();
        self.observer.age.reset();
    }
}

fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds) as u64
}
