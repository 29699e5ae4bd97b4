//! Where the ticks of an owner go: into its tape, and from there to the bus.
//!
//! The feed's ingest and the shard's task share it. Ingest never waits for the bus: whatever the connection has no room
//! for is published a moment later, in order, or skipped, and followers ask for it.

use super::{
    bus::{Bus, Sent, Subject},
    cache_book::new_tick,
    clock::{Boot, Moment},
    report::Traffic,
    tape::Tape,
};
use crate::{
    cache::{Tap, Tapped},
    ingest,
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// The way of an owner's ticks to the bus.
#[derive(Debug)]
pub(super) struct Outlet<B> {
    /// Whether the node still owns the shard by this tape.
    is_open: AtomicBool,
    /// A std mutex, and a leaf: ingest locks it under the lock of a symbol.
    tape: Mutex<Tape>,
    /// When ingest began with the updates that it publishes: one look at the clock for all of them.
    began: AtomicU64,
    bus: B,
    live: Subject,
    traffic: Arc<Traffic>,
    /// Until when the shard's task sleeps, in µs of the boot clock.
    wakes_at: AtomicU64,
    /// Wakes it where the tape is due earlier.
    wake: Arc<Notify>,
}

impl<B: Bus> Outlet<B> {
    /// The way of an owner that has just opened its tape.
    pub(super) fn new(tape: Tape, bus: B, live: Subject, traffic: Arc<Traffic>, wake: Arc<Notify>) -> Self {
        let began = AtomicU64::new(Moment::read().boot.0);
        let wakes_at = AtomicU64::new(u64::MAX);
        Self { is_open: AtomicBool::new(true), tape: Mutex::new(tape), began, bus, live, traffic, wakes_at, wake }
    }

    /// When the tape has something to publish. The shard's task wakes then, or as soon as that is earlier.
    pub(super) fn due(&self) -> Option<Boot> {
        // First: ingest that comes in between wakes the task.
        self.wakes_at.store(u64::MAX, Ordering::Release);
        let due = self.tape().due();
        self.wakes_at.fetch_min(due.map_or(u64::MAX, |due| due.0), Ordering::AcqRel);
        due
    }

    /// The tape. No symbol may be locked while it is.
    pub(super) fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No tick comes from now on: another node may own the shard.
    pub(super) fn close(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    /// Publishes whatever is due by now, in order: under the lock, since ingest does the same.
    pub(super) fn send(&self, now: Moment) {
        let mut tape = self.tape();
        let mut messages = tape.take(now).into_iter();
        if messages.len() == 0 {
            return;
        }
        let mut left = 0;
        while let Some(message) = messages.next() {
            let length = message.len();
            if self.bus.publish(&self.live, message) == Sent::Dropped {
                // The others would only make the hole larger.
                left = messages.len() + 1;
                break;
            }
            self.traffic.sent.add(length, 0);
        }
        let skipped = tape.published(left, now.boot);
        self.traffic.refused.fetch_add(skipped as u64, Ordering::Relaxed);
    }
}

impl<B: Bus> Tap for Outlet<B> {
    fn tick(&self, tick: &Tapped<'_>) {
        self.tape().push(&new_tick(tick), Boot(self.began.load(Ordering::Relaxed)));
        self.traffic.sent.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

impl<B: Bus> ingest::Outlet for Outlet<B> {
    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    fn may_take(&self) -> bool {
        self.is_open() && self.tape().may_take(Moment::read())
    }

    fn begin(&self) {
        self.began.store(Moment::read().boot.0, Ordering::Relaxed);
    }

    fn flush(&self) {
        self.send(Moment::read());
        let due = self.tape().due().map_or(u64::MAX, |due| due.0);
        if due < self.wakes_at.fetch_min(due, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }
}
