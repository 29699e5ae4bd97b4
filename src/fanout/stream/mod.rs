//! A stream: its transport, its cursors, and how far it is on its way to its end.

mod changes;
mod changing;
mod greeting;
mod leaving;
mod rights_end;
mod writing;

use super::{
    close_reason::CloseReason,
    cursors::{Cursors, Slot},
    h2::{ConnectionKey, key_of},
    missed::Missed,
    options::Options,
    phase::{Farewell, Phase},
    room::Room,
    schedule::{Deadlines, Due},
    stream_permit::StreamPermit,
    symbols::Symbols,
    transport::{ClientSide, Protocol, Stall, Transport},
    unlisted::Unlisted,
};
use crate::{
    market::{Now, UnixMicros},
    telemetry::ClientName,
    wire::{Bye, StreamName},
};
use bytes::Bytes;
use changes::Changes;
pub(super) use greeting::Greeting;
use rights_end::RightsEnd;
use std::{
    io, mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// One client's open stream.
pub(super) struct Stream<T> {
    name: StreamName,
    /// The kernel forgets the address of a connection that was reset, just when an operator asks for it.
    client: ClientName,
    transport: T,
    cursors: Cursors,
    options: Options,
    /// When its client's rights end, if they do: from then on no tick is written.
    rights_end: Option<RightsEnd>,
    phase: Phase,
    /// What its goodbye says.
    bye: Bye,
    room: Room,
    /// Before this moment its `max_rate` allows no write, except of a changed status.
    not_before: Instant,
    last_write: Instant,
    /// By how many ms its first heartbeat comes early: streams that were opened together do not beat together.
    early_by_millis: u16,
    /// The generation of its last `hello`: a tick of a higher one starts all over.
    generation: u32,
    joined: Instant,
    /// The tail of the block that was begun last.
    tail: Bytes,
    missed: Missed,
    /// Ticks of which its transport took a byte.
    ticks: u64,
    /// Bytes that its transport took.
    bytes: u64,
    /// Whether it lacks something, and waits for its `max_rate` to allow the write.
    is_waiting: bool,
    /// Whether the client has closed its sending side.
    is_half_closed: bool,
    /// Whether a tick was written.
    has_ticked: bool,
    /// Whether a status has changed, which its `max_rate` does not hold back.
    is_urgent: bool,
    /// Whether its client has rights that a `hello` tells.
    has_rights: bool,
    permit: Box<dyn StreamPermit>,
    /// What it keeps for changes. One that is never changed, and carries all that its client named, has none.
    changes: Option<Box<Changes>>,
}

/// The parts of a new stream beside its transport and cursors.
pub(super) struct StreamInit {
    pub(super) name: StreamName,
    pub(super) client: ClientName,
    /// The first block to write.
    pub(super) first_block: Bytes,
    pub(super) options: Options,
    /// The generation of the epoch that its first block tells.
    pub(super) generation: u32,
    /// By how much its first heartbeat comes early.
    pub(super) early_by: Duration,
    /// Whether its client has rights that a `hello` tells.
    pub(super) has_rights: bool,
    /// When its client's rights end.
    pub(super) until: Option<UnixMicros>,
    /// What its client named beside its symbols.
    pub(super) unlisted: Unlisted,
    pub(super) permit: Box<dyn StreamPermit>,
}

impl<T: Transport> Stream<T> {
    pub(super) fn new(transport: T, cursors: Cursors, init: StreamInit, now: Now) -> Self {
        let rights_end = init.until.map(|until| RightsEnd::at(until, now));
        Self {
            name: init.name,
            client: init.client,
            transport,
            cursors,
            options: init.options,
            rights_end,
            phase: Phase::Open { until: rights_end.map(|end| end.instant) },
            bye: Bye::Shutdown,
            room: Room::Free,
            not_before: now.instant,
            last_write: now.instant,
            early_by_millis: u16::try_from(init.early_by.as_millis()).unwrap_or(u16::MAX),
            generation: init.generation,
            joined: now.instant,
            tail: init.first_block,
            missed: Missed::default(),
            ticks: 0,
            bytes: 0,
            is_waiting: false,
            is_half_closed: false,
            has_ticked: false,
            is_urgent: false,
            has_rights: init.has_rights,
            permit: init.permit,
            changes: (!init.unlisted.is_empty()).then(|| Box::new(Changes::new(init.unlisted))),
        }
    }

    /// Attaches the transport under the stream's key.
    ///
    /// # Errors
    /// The system cannot watch the transport.
    pub(super) fn attach(&mut self, key: u64) -> io::Result<()> {
        self.transport.attach(key)
    }

    /// Reads and drops what the client sent; returns whether the client has just closed its sending side.
    ///
    /// # Errors
    /// The reason to end the stream. A client that leaves after its goodbye does what it was asked to.
    pub(super) fn drain_input(&mut self, now: Now) -> Result<bool, CloseReason> {
        let has_goodbye = matches!(self.phase, Phase::Lingering { .. });
        match self.transport.drain_input(now.instant) {
            Ok(ClientSide::Open) => Ok(false),
            Ok(ClientSide::HalfClosed) if !has_goodbye => Ok(!mem::replace(&mut self.is_half_closed, true)),
            Err(error) if !has_goodbye => Err(CloseReason::from(&error)),
            Ok(ClientSide::HalfClosed) | Err(_) => Err(self.farewell_reason()),
        }
    }

    /// The connection that it shares with others.
    pub(super) fn connection(&self) -> Option<ConnectionKey> {
        self.transport.connection().and_then(key_of)
    }

    /// Whether its body is compressed.
    pub(super) fn compresses(&self) -> bool {
        self.options.compresses()
    }

    /// The protocol that carries it.
    pub(super) fn protocol(&self) -> Protocol {
        self.transport.protocol()
    }

    /// It has taken no byte for the stall timeout; says why. Where another stream is the reason, its time begins again.
    pub(super) fn stalled(&mut self, now: Now) -> Stall {
        let stall = self.transport.stalled(now.instant);
        if let Stall::Neighbour(_) = stall {
            self.room.restart(now.instant);
        }
        stall
    }

    /// The other end of its connection: the client, or the proxy before it.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.transport.peer()
    }
}

impl<T> Stream<T> {
    pub(super) fn name(&self) -> StreamName {
        self.name
    }

    /// Its client, for operators.
    pub(super) fn client(&self) -> &ClientName {
        &self.client
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn slots(&self) -> &[Slot] {
        self.cursors.slots()
    }

    /// When it was opened.
    pub(super) fn joined(&self) -> Instant {
        self.joined
    }

    /// The ticks that it missed so far.
    pub(super) fn missed(&self) -> Missed {
        self.missed
    }

    /// The ticks of which its transport took a byte so far.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The bytes that its transport took so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether its transport is full.
    pub(super) fn is_full(&self) -> bool {
        self.room.is_full()
    }

    /// Since when its transport took no byte, if it was full then.
    pub(super) fn full_since(&self) -> Option<Instant> {
        self.room.full_since()
    }

    /// Whether a write now may have something to send.
    pub(super) fn takes_writes(&self) -> bool {
        !self.is_full() && !matches!(self.phase, Phase::Lingering { .. })
    }

    /// Since when the oldest of its unsent ticks is published, if its rings still hold any.
    pub(super) fn oldest_unsent(&self, symbols: &Symbols) -> Option<Instant> {
        self.cursors.unsent(symbols, self.options.parts()).min()
    }

    /// A symbol has changed. `status`: the version of its newest status, if that has changed too; it is sent at once.
    pub(super) fn mark(&mut self, slot: u32, status: Option<u64>) {
        self.cursors.mark(slot);
        if status.is_some_and(|version| self.cursors.lacks(slot, version)) {
            self.is_urgent = true;
        }
    }

    /// Marks the slots whose symbols have changes that wait for the next round; returns whether there are any.
    pub(super) fn mark_waiting(&mut self, symbols: &Symbols) -> bool {
        let parts = self.options.parts();
        let mut any = false;
        for slot in 0..self.cursors.slots().len() {
            let symbol = self.cursors.slots()[slot].symbol;
            if symbols.get(symbol).waits_for_round.intersects(parts) {
                self.cursors.mark(slot as u32);
                any = true;
            }
        }
        any
    }

    /// A subscriber's place in its symbol's list has changed.
    pub(super) fn subscriber_moved(&mut self, slot: u32, subscriber: u32) {
        self.cursors.moved(slot, subscriber);
    }

    /// Whether its own `max_rate` holds it back. The tail of a block never waits, nor does a status or a change.
    pub(super) fn must_wait(&self, now: Now) -> bool {
        now.instant < self.not_before && !self.is_urgent && self.tail.is_empty() && self.event().is_none()
    }

    /// It waits for its `max_rate`, by its own choice: its transport has room.
    pub(super) fn wait(&mut self) {
        self.is_waiting = true;
        self.room.leave_unused();
    }

    /// It no longer waits for its `max_rate`.
    pub(super) fn stop_waiting(&mut self) {
        self.is_waiting = false;
    }

    /// The stream's earliest deadline.
    pub(super) fn next_deadline(&self, stall_timeout: Duration) -> Instant {
        self.deadlines().next(self.options.heartbeat(), stall_timeout)
    }

    /// The action that is due `now`.
    pub(super) fn due(&self, now: Now, stall_timeout: Duration) -> Due {
        if self.is_expired(now) && self.phase.is_before_end() {
            return Due::End; // the wall clock was set forward
        }
        self.deadlines().due(now.instant, self.options.heartbeat(), stall_timeout)
    }

    fn deadlines(&self) -> Deadlines {
        Deadlines {
            full_since: self.room.full_since(),
            last_write: self.last_write,
            early_by: Duration::from_millis(u64::from(self.early_by_millis)),
            write: self.is_waiting.then_some(self.not_before),
            end: self.phase.deadline(),
        }
    }
}
