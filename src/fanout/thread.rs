//! The thin loop around a worker: epoll, the clocks, and the counts that other threads read.

use super::{
    command::WorkerInbox,
    counts::SharedCounts,
    pace::Wait,
    transport::{Ready, Transport},
    worker::Worker,
};
use crate::market::Now;
use mio::{Events, Poll, Token};
use std::{
    io::{self, ErrorKind},
    sync::PoisonError,
    time::{Duration, Instant},
};

/// The token of the waker: no stream's key, which is never all ones.
pub(super) const WAKE: Token = Token(usize::MAX);
/// How many transports one poll may report.
const EVENTS_PER_POLL: usize = 1024;
/// How old the counts that other threads read may be.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// Runs a worker until its work is over.
///
/// # Errors
/// The system no longer lets the thread wait, and the worker cannot go on.
pub(super) fn run<T: Transport>(
    mut poll: Poll,
    inbox: &WorkerInbox<T>,
    mut worker: Worker<T>,
    counts: &SharedCounts,
) -> io::Result<()> {
    let mut events = Events::with_capacity(EVENTS_PER_POLL);
    let mut ready = Vec::with_capacity(EVENTS_PER_POLL);
    let mut publish_at = Instant::now();
    let mut timeout = Some(Duration::ZERO);
    loop {
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        ready.clear();
        ready.extend(events.iter().filter(|event| event.token() != WAKE).map(|event| Ready {
            key: event.token().0 as u64,
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable(),
        }));
        let now = Now::read();
        let wait = worker.turn(now, &ready);
        let took = now.instant.elapsed();
        let pause = worker.pause_after(now, took, wait);
        if now.instant >= publish_at || worker.is_done() {
            counts.lock().unwrap_or_else(PoisonError::into_inner).clone_from(worker.counts());
            publish_at = now.instant + PUBLISH_EVERY;
        }
        if worker.is_done() && inbox.close() {
            return Ok(());
        }
        let until = match wait {
            Wait::No => now.instant,
            Wait::Until(at) => at.min(publish_at),
            Wait::Forever => publish_at,
        };
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        let idle = until.saturating_duration_since(now.instant + took + pause);
        timeout = Some(if !idle.is_zero() && inbox.sleep() { idle } else { Duration::ZERO });
    }
}
