//! What goes wrong in the world.

use crate::{
    bus::Cut,
    node::Input,
    world::{FAULTS_END, Item, MILLI, SECOND, World},
};
use rand::{RngExt, rngs::SmallRng};

/// The longest time for which a message is held back.
const HELD_MAX: u64 = 20 * SECOND;
/// A connection that is gone without a word is noticed after at most this long.
const NOTICED_MAX: u64 = 2 * SECOND;

impl World {
    /// A random fault, and when the next one comes.
    pub(crate) fn fault(&mut self) {
        let left = FAULTS_END.saturating_sub(self.now);
        if left < 10 * MILLI {
            return;
        }
        let span = |random: &mut SmallRng, longest: u64| random.random_range(MILLI..(longest.min(left)).max(2 * MILLI));
        let now = self.now;
        let machine = self.random.random_range(0..self.machines.len());
        match self.random.random_range(0..if self.settings.loses { 16 } else { 14 }) {
            0 | 1 => {
                let until = now + span(&mut self.random, 20 * SECOND);
                let stops = self.stops && self.random.random();
                let of = &mut self.machines[machine];
                of.paused_until = of.paused_until.max(until);
                // The whole machine, or the process alone.
                if stops {
                    of.stopped_until = of.stopped_until.max(until);
                    of.clock.stop(now);
                    self.push(until, Item::Unpause { machine });
                }
                self.trace(|| format!("gw-{machine} is paused until {until}, from outside: {stops}"));
            }
            2 => {
                self.end(machine);
                let at = now + span(&mut self.random, 10 * SECOND);
                self.push(at, Item::Start { machine });
            }
            3 | 4 if left > 8 * SECOND => {
                self.trace(|| format!("gw-{machine} drains"));
                self.drain(machine);
            }
            5 => {
                let shard = self.random.random_range(0..self.settings.shards);
                let life = self.machines[machine].life;
                self.push(now, Item::Input { machine, life, input: Input::GiveAway { shard, to: None } });
            }
            6 | 7 => {
                let until = now + span(&mut self.random, 15 * SECOND);
                self.cut_live(machine, until);
            }
            8 => {
                let until = now + span(&mut self.random, 15 * SECOND);
                self.trace(|| format!("gw-{machine} has no connection for asks and leases until {until}"));
                self.machines[machine].asks.until = until;
                self.machines[machine].store_cut_until = until;
            }
            9 => {
                let until = now + span(&mut self.random, 15 * SECOND);
                self.trace(|| format!("gw-{machine} has no store until {until}"));
                self.machines[machine].store_cut_until = until;
            }
            10 => {
                self.store.leaderless_until = now + span(&mut self.random, 11 * SECOND);
                self.trace(|| "the store has no leader".into());
            }
            11 => self.slow_until = now + span(&mut self.random, 10 * SECOND),
            12 => {
                let earliest = if self.stops { 0 } else { -30 };
                let by = self.random.random_range(earliest..=30) * SECOND as i64;
                self.trace(|| format!("gw-{machine}'s wall clock is set by {by}"));
                let of = &mut self.machines[machine];
                of.clock.set_wall(by);
                // Each shard sees it with its next event.
                of.stopped_until = of.stopped_until.max(now);
            }
            13 => {
                let to = self.random.random_range(0..self.machines.len());
                let until = now + span(&mut self.random, HELD_MAX);
                let channel = self.random.random_range(0..3);
                self.machines[machine].links[to][channel].held_until = until;
                self.trace(|| format!("gw-{to} hears gw-{machine} late until {until}, channel {channel}"));
            }
            14 => {
                let writes = self.random.random_range(1..6);
                self.store.lose(writes);
                self.trace(|| format!("the store loses {writes} writes"));
            }
            15 => {
                self.store.lose(usize::MAX);
                self.trace(|| "the store is lost".into());
            }
            _ => {}
        }
        let next = now + self.random.random_range(100 * MILLI..4 * SECOND);
        self.push(next, Item::Fault);
    }

    /// Cuts the live connection: the node notices, at once or late; or its broker is cut off from the others, which it
    /// does not notice, and messages come later.
    fn cut_live(&mut self, machine: usize, until: u64) {
        let holds: bool = self.random.random();
        let noticed = self.now + if self.random.random() { 0 } else { self.random.random_range(0..NOTICED_MAX) };
        let of = &mut self.machines[machine];
        let life = of.life;
        if of.live.until > self.now {
            return;
        }
        let connection = of.live.connection + u64::from(!holds);
        of.live = Cut { until, holds, connection };
        self.trace(|| format!("gw-{machine}'s live connection is cut until {until}, holds: {holds}"));
        if !holds && noticed < until {
            self.push(noticed, Item::Input { machine, life, input: Input::Connected(false) });
            self.push(until, Item::Input { machine, life, input: Input::Connected(true) });
        }
    }
}
