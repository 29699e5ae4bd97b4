//! What the streams' thread tells of itself while it runs, and second by second.

use super::event_loop::EventLoop;
use crate::measure::{Process, Second};
use std::sync::atomic::Ordering;

impl EventLoop {
    /// Tells how far it is.
    pub(super) fn publish(&mut self) {
        let progress = &self.progress;
        progress.tried.store(self.tried, Ordering::Relaxed);
        progress.open.store(self.open, Ordering::Relaxed);
        progress.ticks.store(self.observer.measures.ticks, Ordering::Relaxed);
        progress.bytes.store(self.observer.measures.bytes, Ordering::Relaxed);
        progress.violations.store(self.observer.violations.total(), Ordering::Relaxed);
        progress.last_tick.store(self.observer.last_tick, Ordering::Relaxed);
        self.observer.is_measuring = self.tried >= self.streams.len() as u64;
    }

    /// Closes the second if it is over, or in any case at the end.
    pub(super) fn second(&mut self, is_end: bool) {
        let elapsed = self.begun.elapsed();
        let since = self.seconds.last().map_or(0.0, |second| second.at);
        let length = elapsed.as_secs_f64() - since;
        if length < 1.0 && !(is_end && length > 0.2) {
            return;
        }
        let cpu = Process::own_thread().usage().map_or(self.before.0, |usage| usage.cpu);
        let measures = &self.observer.measures;
        let (cpu_before, ticks, bytes, holes) = self.before;
        let per_second = |count: u64| (count as f64 / length) as u64;
        self.seconds.push(Second {
            at: elapsed.as_secs_f64(),
            open: self.open,
            ticks: per_second(measures.ticks - ticks),
            bytes: per_second(measures.bytes - bytes),
            holes: per_second(measures.holes - holes),
            latency: self.observer.latency.percentiles(),
            age: self.observer.age.percentiles(),
            own_cpu: cpu.saturating_sub(cpu_before).as_secs_f64() / length,
        });
        self.before = (cpu, measures.ticks, measures.bytes, measures.holes);
        self.observer.latency.reset();
        self.observer.age.reset();
    }
}
