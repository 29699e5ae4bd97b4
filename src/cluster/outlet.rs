//! Where the ticks of an owner go: into its tape, and from there to the bus.
//!
//! The feed's ingest and the shard's task share it. Ingest never waits for the bus: whatever the connection has no room
//! for is published a moment later, in order, or skipped, and followers ask for it.

use super::{
    bus::{Bus, Sent, Subject},
    cache_book::new_tick,
    clock::{Boot, Moment},
    lease::Validity,
    report::Traffic,
    tape::Tape,
};
use crate::{
    cache::{Tap, Tapped},
    ingest,
    market::UnixMicros,
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
    /// Until when ingest may take updates, in µs of the boot clock and of the wall clock; zero: it may not. Ingest asks
    /// with each message, and would contend for the tape.
    valid_until: [AtomicU64; 2],
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
        let valid_until = until(&tape).map(AtomicU64::new);
        let wakes_at = AtomicU64::new(u64::MAX);
        let (is_open, tape) = (AtomicBool::new(true), Mutex::new(tape));
        Self { is_open, tape, began, valid_until, bus, live, traffic, wakes_at, wake }
    }

    /// What the lease says by now.
    pub(super) fn set_lease(&self, validity: Option<Validity>, revision: Option<u64>) {
        let mut tape = self.tape();
        tape.set_lease(validity, revision);
        // A reader may see one of them alone: it needs both, and either ends when a lease ends.
        for (until, new) in self.valid_until.iter().zip(until(&tape)) {
            until.store(new, Ordering::Release);
        }
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

/// Until when the tape's owner may publish, as [`Outlet::valid_until`].
fn until(tape: &Tape) -> [u64; 2] {
    let until = tape.validity().map(Validity::until);
    until.map_or([0; 2], |until| [until.boot.0, wall_micros(until.wall)])
}

fn wall_micros(wall: UnixMicros) -> u64 {
    u64::try_from(wall.0).unwrap_or_default()
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
        let now = Moment::read();
        let [boot, wall] = self.valid_until.each_ref().map(|until| until.load(Ordering::Acquire));
        let may_take = self.is_open() && now.boot.0 < boot && wall_micros(now.wall) < wall;
        if may_take {
            self.began.store(now.boot.0, Ordering::Relaxed);
        }
        may_take
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
