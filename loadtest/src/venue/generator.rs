//! The thread that generates updates when they are due.

use super::{batch::Batch, command::ConnectionCommand, load::Load, setup::Setup, shared::Shared};
use std::{
    hint,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::broadcast;

/// The most updates in a batch.
const BATCH_MAX: usize = 2_000;
/// How much later than asked a sleep may end. The end of a long wait is spent spinning, so that an update leaves when
/// it is due.
const WAKE_LATE: Duration = Duration::from_micros(150);
/// The shortest wait that ends with spinning. In a shorter one, spinning would be most of the processor time.
const LONG_WAIT: Duration = Duration::from_millis(2);
/// The longest sleep, so that the thread notices in time that it has to stop.
const SLEEP_MAX: Duration = Duration::from_millis(50);

pub(super) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

pub(super) struct Generator {
    shared: Arc<Shared>,
    load: Load,
    batch_interval: Duration,
    commands: broadcast::Sender<ConnectionCommand>,
    /// When the load began, by both clocks; `None` until the first subscription.
    begun: Option<(Instant, u64)>,
    next: u64,
}

impl Generator {
    pub(super) fn new(shared: Arc<Shared>, setup: &Setup, commands: broadcast::Sender<ConnectionCommand>) -> Self {
        Self { shared, load: setup.load.clone(), batch_interval: setup.batch_interval, commands, begun: None, next: 0 }
    }

    pub(super) fn run(mut self) {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            let wait = self.turn().max(self.batch_interval).min(SLEEP_MAX);
            if wait < LONG_WAIT {
                thread::sleep(wait);
                continue;
            }
            let until = Instant::now() + wait;
            thread::sleep(wait - WAKE_LATE);
            while Instant::now() < until {
                hint::spin_loop();
            }
        }
    }

    /// Sends the due updates; returns the time until the next one.
    fn turn(&mut self) -> Duration {
        let Some((begin, begin_micros)) = self.begin() else { return Duration::from_millis(1) };
        let mut batch = Batch::default();
        let mut unwanted = 0;
        let mut market = self.shared.market();
        let elapsed = begin.elapsed();
        let wait = loop {
            let Some(due) = self.load.due(self.next) else { break SLEEP_MAX };
            if due > elapsed {
                break due - elapsed;
            }
            if batch.len() == BATCH_MAX {
                break Duration::ZERO;
            }
            if batch.is_empty() {
                self.shared.counts.note_lateness(elapsed - due);
            }
            let due_micros = begin_micros + due.as_micros() as u64;
            let is_wanted = match &self.load {
                Load::Recording { recording, .. } => {
                    let index = (self.next % recording.updates.len() as u64) as usize;
                    let update = &recording.updates[index];
                    market.replay(&update.name, &update.change, due_micros, &mut batch)
                }
                _ => market.walk(due_micros, &mut batch),
            };
            unwanted += u64::from(!is_wanted);
            self.next += 1;
        };
        self.shared.counts.updates.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.shared.counts.unwanted.fetch_add(unwanted, Ordering::Relaxed);
        if !batch.is_empty() {
            // Sent under the market's lock, so that batches leave in the order of their generation.
            let _ = self.commands.send(ConnectionCommand::Send(Arc::new(batch)));
        }
        drop(market);
        wait
    }

    /// Begins with the first subscription; what changes over time not before
    /// [`Venue::begin_load`](super::Venue::begin_load).
    fn begin(&mut self) -> Option<(Instant, u64)> {
        let may_begin = !self.load.changes() || self.shared.load_begun.get().is_some();
        if self.begun.is_none() && may_begin && self.shared.market().wanted() > 0 {
            let now = *self.shared.due_since.get_or_init(Instant::now);
            self.begun = Some((now, unix_micros().saturating_sub(now.elapsed().as_micros() as u64)));
        }
        self.begun
    }
}
