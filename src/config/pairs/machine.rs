//! What the machine must have for the limits.

use super::{Found, found};
use crate::config::{Config, DELAY_NOTE_BYTES, DELAY_NOTES_MAX, Feed, Limits};

/// An open stream: what the process and the kernel hold for it.
const STREAM_BYTES: u64 = 5 << 10;
/// What TLS adds to a stream that has a connection of its own.
const TLS_STREAM_BYTES: u64 = 5 << 10;
/// A symbol of a stream: its slot, and the symbol's entry for it.
const SUBSCRIPTION_BYTES: u64 = 72;
/// A tick in a ring, with its frame.
const TICK_BYTES: u64 = 600;
/// A symbol's state without the ticks of its ring.
const STATE_BYTES: u64 = 1 << 10;
/// A point of a symbol's history.
const POINT_BYTES: u64 = 48;
/// The rest of a symbol's history.
const TRAIL_BYTES: u64 = 200;
/// What a core takes in: more ticks a second than this never reach a ring.
const TICKS_PER_SECOND_MAX: u64 = 1_000_000;
/// Over this many connections the listener's own queue is the limit. As many newcomers may wait in the process.
const BACKLOG: u64 = 4096;

/// What the machine has. `None` where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Descriptors that are left for clients.
    pub client_descriptors: Option<u64>,
    /// Bytes of memory: the machine's, or less where a control group limits the process.
    pub memory: Option<u64>,
    /// The longest queue of connections that wait to be accepted: `net.core.somaxconn`.
    pub somaxconn: Option<u64>,
}

/// What full limits may take, in bytes, by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryAtLimits {
    /// Open streams, in the process and in the kernel.
    pub streams: u64,
    /// The symbols of all streams.
    pub subscriptions: u64,
    /// The rings.
    pub rings: u64,
    /// Requests whose rest still comes, or that are being answered.
    pub requests: u64,
    /// The prices that delay lines hold, and what delayed states keep of those that they have shown.
    pub delayed: u64,
    /// The history of all symbols.
    pub history: u64,
}

impl MemoryAtLimits {
    /// As these settings have it, with as many streams as have descriptors.
    pub fn of(config: &Config, machine: &Machine) -> Self {
        let streams = (config.limits.streams as u64).min(machine.client_descriptors.unwrap_or(u64::MAX));
        let symbols: usize = config.feeds.iter().map(|feed| feed.symbols_max()).sum();
        let with_delay = |feed: &&Feed| feed.tier.line().is_some();
        let states = symbols + config.feeds.iter().filter(with_delay).map(|feed| feed.symbols.len()).sum::<usize>();
        let arriving = TICKS_PER_SECOND_MAX.saturating_mul(config.fanout.ring_age.as_secs().max(1));
        let ticks = (symbols as u64 * config.fanout.ring as u64).min(arriving);
        let stream = STREAM_BYTES + if config.tls.is_some() { TLS_STREAM_BYTES } else { 0 };
        Self {
            streams: streams * stream,
            subscriptions: config.limits.subscriptions as u64 * SUBSCRIPTION_BYTES,
            rings: ticks * TICK_BYTES,
            requests: config.limits.connections as u64 * request_bytes(config),
            delayed: delayed_bytes(config),
            history: history(config, states as u64),
        }
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.streams + self.subscriptions + self.rings + self.requests + self.delayed + self.history
    }
}

/// What a connection of HTTP/1.1 may hold for its request, and beside it a request over HTTP/2, whose decoded head may
/// be twice as long: there may be as many of each.
fn request_bytes(config: &Config) -> u64 {
    let (head, body) = (config.limits.head_bytes as u64, config.limits.body_bytes_max() as u64);
    let http2 = config.tls.as_ref().is_some_and(|tls| tls.http2);
    head + body + if http2 { 2 * head + body } else { 0 }
}

/// What delay lines hold, and the states that they show: each has a ring, which a step gives one tick.
fn delayed_bytes(config: &Config) -> u64 {
    let held = delay_notes(config).min(DELAY_NOTES_MAX as u64) * DELAY_NOTE_BYTES;
    let shown = config.feeds.iter().filter_map(|feed| Some((feed.tier.line()?, feed.symbols.len() as u64)));
    let rings = shown.map(|(line, symbols)| {
        let steps = config.fanout.ring_age.as_nanos() / line.step.as_nanos().max(1) + 1;
        let ticks = u64::try_from(steps).unwrap_or(u64::MAX).min(config.fanout.ring as u64);
        symbols * (STATE_BYTES + ticks * TICK_BYTES)
    });
    rings.fold(held, u64::saturating_add)
}

/// How many prices all delay lines would hold without a limit, if every symbol changed in every step.
fn delay_notes(config: &Config) -> u64 {
    config.feeds.iter().map(Feed::delay_notes).fold(0, u64::saturating_add)
}

pub(super) fn delay_steps(config: &Config, _: &Machine) -> Option<Found> {
    let notes = delay_notes(config);
    if notes <= DELAY_NOTES_MAX as u64 {
        return None;
    }
    let factor = notes.div_ceil(DELAY_NOTES_MAX as u64);
    found(
        format!(
            "`delay` and `delay_step` make up to {notes} notes of the feeds' symbols, and {DELAY_NOTES_MAX} are kept"
        ),
        format!(
            "if so many symbols change in each step, steps double until their notes fit; a `delay_step` {factor} times as long fits always"
        ),
    )
}

/// What the trails of so many symbols take, if all move all the time.
fn history(config: &Config, symbols: u64) -> u64 {
    let settings = &config.history;
    if settings.keep.is_zero() {
        return 0;
    }
    let points = settings.keep.as_nanos().div_ceil(settings.every.as_nanos().max(1));
    let trail = TRAIL_BYTES + u64::try_from(points).unwrap_or(u64::MAX).saturating_mul(POINT_BYTES);
    symbols.saturating_mul(trail).min(settings.bytes_max as u64)
}

pub(super) fn descriptors(config: &Config, machine: &Machine) -> Option<Found> {
    let Limits { streams, connections, .. } = config.limits;
    let left = machine.client_descriptors?;
    let missing = (streams as u64 + connections as u64 + BACKLOG).checked_sub(left).filter(|missing| *missing > 0)?;
    found(
        format!(
            "`streams` ({streams}) and `connections` ({connections}) are lowered: the limit of open files leaves {left} descriptors for clients"
        ),
        format!(
            "raise the limit of open files by {missing} (`ulimit -n`, or LimitNOFILE= of the service), or lower `streams`"
        ),
    )
}

pub(super) fn memory(config: &Config, machine: &Machine) -> Option<Found> {
    let memory = machine.memory?;
    let needed = MemoryAtLimits::of(config, machine);
    if needed.total() <= memory {
        return None;
    }
    let mega = |bytes: u64| bytes / 1_000_000;
    found(
        format!("full limits take {} MB, and the memory is {} MB", mega(needed.total()), mega(memory)),
        format!(
            "`streams` take {} MB, `subscriptions` {} MB, requests on `connections` {} MB, the rings of all `symbols` {} MB, delay lines {} MB, the history of all symbols {} MB; lower the largest (for rings, `ring` or `ring_age`; for delay lines, raise `delay_step`; for history, lower `bytes_max`), or give the process more memory",
            mega(needed.streams),
            mega(needed.subscriptions),
            mega(needed.requests),
            mega(needed.rings),
            mega(needed.delayed),
            mega(needed.history)
        ),
    )
}

pub(super) fn backlog(config: &Config, machine: &Machine) -> Option<Found> {
    let queue = machine.somaxconn?;
    let connections = config.limits.connections as u64;
    if queue >= connections.min(BACKLOG) {
        return None;
    }
    found(
        format!("`connections` ({connections}) is above net.core.somaxconn ({queue})"),
        format!(
            "in a storm the kernel drops connects over {queue}, and their clients wait a second; raise net.core.somaxconn, or lower `connections`"
        ),
    )
}
