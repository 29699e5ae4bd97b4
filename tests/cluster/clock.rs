//! The clocks of a simulated machine.

use tickfan::{
    cluster::clock::{Boot, Moment},
    market::UnixMicros,
};

const UNIX_START: i64 = 1_732_283_045_000_000;

/// A machine's clocks, as functions of true time in µs.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    rate: f64,
    offset: u64,
    /// How long the machine was stopped from outside: `CLOCK_BOOTTIME` did not count it.
    stopped: u64,
    stopped_since: Option<u64>,
    wall_offset: i64,
    /// The wall clock is not read: it seems to run with the other one.
    only_boot: bool,
}

impl Clock {
    pub(crate) fn new(rate: f64, offset: u64, only_boot: bool) -> Self {
        Self { rate, offset, stopped: 0, stopped_since: None, wall_offset: 0, only_boot }
    }

    pub(crate) fn read(&self, now: u64) -> Moment {
        let stopped = self.stopped + self.stopped_since.map_or(0, |since| now - since);
        let boot = self.offset + ((now - stopped) as f64 * self.rate) as u64;
        let wall = if self.only_boot { boot as i64 } else { self.wall_offset + now as i64 };
        Moment { boot: Boot(boot), wall: UnixMicros(UNIX_START + wall) }
    }

    /// The true time of a moment, while the machine is not stopped again.
    pub(crate) fn true_time(&self, boot: Boot) -> u64 {
        (boot.0.saturating_sub(self.offset) as f64 / self.rate).ceil() as u64 + self.stopped
    }

    pub(crate) fn stop(&mut self, now: u64) {
        self.stopped_since.get_or_insert(now);
    }

    pub(crate) fn go_on(&mut self, now: u64) {
        self.stopped += self.stopped_since.take().map_or(0, |since| now - since);
    }

    pub(crate) fn set_wall(&mut self, by: i64) {
        self.wall_offset += by;
    }
}
