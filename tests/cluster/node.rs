//! A node: the machines of the cluster with the least around them that tasks would be.

use crate::{
    Planted,
    market::{SYMBOLS, Trade},
    shelf::Shelf,
};
use bytes::Bytes;
use rand::{SeedableRng, rngs::SmallRng};
use std::{collections::VecDeque, time::Duration};
use tickfan::{
    cluster::{
        batch::BATCH_TICKS_MAX,
        clock::{Boot, Moment},
        follower::{self, AskId, BUFFER_BYTES_MAX},
        give::GiveMessage,
        history::{Answer, HISTORY_BYTES_MAX, OWNER_BEFORE_FIRST, SnapshotWriter},
        lease::{self, LeaseTiming, LeaveReason, Start, Validity},
        members::{Fitness, Members, REPORT_INTERVAL},
        message::Ask,
        names::{Instance, NodeName, ShardName},
        node_report::NodeReport,
        shard::{Action, Event, GiveCause, ShardConfig, ShardNode},
        symbol_list::SymbolList,
        tape::Tape,
        token::Token,
        wants::{WantsMessage, WantsSender, WantsTable},
    },
    feed::FeedState,
    market::{Reason, Symbol},
};

/// A stopping process that has handed over answers for its last batches for so long.
const LINGER: Duration = Duration::from_millis(500);
/// A stopping process exits after this long in any case.
const STOP_MAX: Duration = Duration::from_secs(5);
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_millis(1);

/// The limits of a node, which a world may make so small that they are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Of batches that a follower keeps.
    pub(crate) buffer_bytes: usize,
    /// Of batches that an owner keeps.
    pub(crate) history_bytes: usize,
    pub(crate) batch_ticks: u16,
    /// Of a message of a snapshot.
    pub(crate) snapshot_symbols: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            buffer_bytes: BUFFER_BYTES_MAX,
            history_bytes: HISTORY_BYTES_MAX,
            batch_ticks: BATCH_TICKS_MAX,
            snapshot_symbols: u16::MAX,
        }
    }
}

impl Limits {
    /// An opening is two batches, and a snapshot four messages. A follower keeps the batches of about a second, and an
    /// owner those of three.
    pub(crate) const SMALL: Self =
        Self { buffer_bytes: 2 << 10, history_bytes: 6 << 10, batch_ticks: 2, snapshot_symbols: 1 };
}

/// A message between nodes.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Of the live subject, and when it was sent, by true time.
    Live {
        shard: usize,
        bytes: Bytes,
        sent: u64,
    },
    /// An ask of a process.
    Ask {
        shard: usize,
        id: AskId,
        life: u64,
        bytes: Vec<u8>,
    },
    /// An answer, for that process, and when it was sent, by true time.
    Answer {
        shard: usize,
        id: AskId,
        life: u64,
        bytes: Bytes,
        sent: u64,
    },
    Report(Vec<u8>),
    Give(Vec<u8>),
    Wants {
        shard: usize,
        bytes: Vec<u8>,
    },
}

/// Which connections a message uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Live,
    Asks,
    /// Leaves on the connection for asks and arrives on the live one.
    Reports,
}

impl Message {
    pub(crate) fn channel(&self) -> Channel {
        match self {
            Self::Live { .. } => Channel::Live,
            Self::Report(_) => Channel::Reports,
            _ => Channel::Asks,
        }
    }

    /// It is of a version that its receiver does not read.
    pub(crate) fn change_version(&mut self) {
        match self {
            Self::Live { bytes, .. } | Self::Answer { bytes, .. } => {
                let mut changed = bytes.to_vec();
                changed[2] += 1;
                let sum = crc32fast::hash(&[&changed[..4], &changed[8..]].concat());
                changed[4..8].copy_from_slice(&sum.to_le_bytes());
                *bytes = changed.into();
            }
            Self::Ask { bytes, .. } => bytes[2] += 1,
            // These stay as they are for as long as versions are not spoken at once.
            Self::Report(_) | Self::Give(_) | Self::Wants { .. } => {}
        }
    }
}

/// What happens to a node.
#[derive(Debug)]
pub(crate) enum Input {
    /// The timer fires; the world counts how often it was set.
    Timer(u64),
    Event {
        shard: usize,
        event: Event,
    },
    Message {
        from: usize,
        message: Message,
    },
    /// The live connection is up, or down.
    Connected(bool),
    /// The venue sends trades on this connection.
    Venue {
        shard: usize,
        connection: u64,
        trades: Vec<Trade>,
    },
    /// The venue cannot be reached, on this connection.
    VenueLost {
        shard: usize,
        connection: u64,
    },
    /// An answer that was to come later.
    Reply {
        shard: usize,
        to: Asker,
        messages: Vec<Bytes>,
    },
    /// The next symbol of a snapshot is read.
    Read {
        shard: usize,
        to: Asker,
        writer: SnapshotWriter,
        next: usize,
    },
    Drain,
    GiveAway {
        shard: usize,
        to: Option<usize>,
    },
    /// A first stream wants the symbol, or the last one has gone.
    Wants {
        shard: usize,
        symbol: usize,
        wanted: bool,
    },
}

/// Who asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    machine: usize,
    id: AskId,
    life: u64,
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Output {
    /// A read or a write of a lease.
    Lease {
        shard: usize,
        action: Action,
    },
    /// To one node, or to all others.
    Send {
        to: Option<usize>,
        message: Message,
    },
    /// Ask whatever answers for the shard.
    Ask {
        shard: usize,
        id: AskId,
        ask: Ask,
    },
    /// A message of an owner.
    Live {
        shard: usize,
        bytes: Bytes,
    },
    /// Connect to the venue under this number.
    Connect {
        shard: usize,
        connection: u64,
    },
    /// The next symbol of a snapshot is to be read.
    Read(Input),
    /// This input comes after so long.
    After(Duration, Input),
    /// The feed is closed once this input comes.
    Closes(Input),
    Owns {
        shard: usize,
        token: Token,
        start: Start,
    },
    Left {
        reason: LeaveReason,
    },
    /// The node gives a shard away because its feed fails.
    GivesAwayFailed,
    HandedOver {
        clean: bool,
        granted: bool,
    },
    Exit,
}

/// One run of a node's process.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: NodeName,
    instance: Instance,
    members: Members,
    pub(crate) shards: Vec<Shard>,
    report_at: Boot,
    connected: bool,
    /// Counts connections to the venue.
    connections: u64,
    /// Since when the process stops.
    pub(crate) stops_since: Option<Boot>,
    exits_at: Option<Boot>,
    planted: Option<Planted>,
    pub(crate) limits: Limits,
}

#[derive(Debug)]
pub(crate) struct Shard {
    name: ShardName,
    pub(crate) node: ShardNode,
    pub(crate) shelf: Shelf,
    pub(crate) tape: Option<Tape>,
    /// The tape before: it answers for its batches.
    retired: Option<Tape>,
    /// The connection to the venue, and what it has sent.
    feed: Option<(u64, VecDeque<Trade>)>,
    /// The venue could not be reached once.
    has_failed: bool,
    sender: WantsSender,
    pub(crate) wanted: WantsTable,
}

impl Node {
    pub(crate) fn new(
        index: usize,
        shards: usize,
        timing: LeaseTiming,
        seed: u64,
        planted: Option<Planted>,
        limits: Limits,
        now: Moment,
    ) -> Self {
        let enforced = if planted == Some(Planted::NoLimits) { Limits::default() } else { limits };
        let name: NodeName = node_name(index);
        let instance = Instance::new(seed);
        let shard = |shard: usize| {
            let seed = seed.wrapping_add(shard as u64);
            let shard_name: ShardName = format!("feed-{shard}.0").parse().unwrap();
            let (node, name) = (name.clone(), shard_name.clone());
            let room = follower::Room::default();
            let config = ShardConfig { node, instance, shard: name, timing, stale_after: STALE_AFTER, room };
            let of_lease = match planted {
                Some(Planted::CountsFromAnswer) => Some(lease::PlantedFault::CountsFromAnswer),
                Some(Planted::HeirKeepsEpoch) => Some(lease::PlantedFault::KeepsEpoch),
                Some(Planted::NeverSuspends) => Some(lease::PlantedFault::NeverSuspends),
                _ => None,
            };
            let of_follower = match planted {
                Some(Planted::LowerTokenTaken) => Some(follower::PlantedFault::TakesLowerTokens),
                Some(Planted::AgeWithoutBacklog) => Some(follower::PlantedFault::AgesWithoutBacklog),
                Some(Planted::MergesWithoutSeq) => Some(follower::PlantedFault::MergesWithoutSeq),
                Some(Planted::SnapshotAlone) => Some(follower::PlantedFault::TakesSnapshotsAlone),
                _ => None,
            };
            let mut shelf = Shelf::new(index, SmallRng::seed_from_u64(!seed));
            shelf.unchecked = of_follower.is_some() || of_lease.is_some();
            Shard {
                name: shard_name,
                node: ShardNode::new(config, seed, now)
                    .with_faults(of_lease, of_follower)
                    .with_buffer_bytes_max(enforced.buffer_bytes),
                shelf,
                tape: None,
                retired: None,
                feed: None,
                has_failed: false,
                sender: WantsSender::new(node_name(index), instance, now.boot),
                wanted: WantsTable::default(),
            }
        };
        Self {
            members: Members::new(name.clone(), instance),
            shards: (0..shards).map(shard).collect(),
            name,
            instance,
            report_at: now.boot,
            connected: false,
            connections: 0,
            stops_since: None,
            exits_at: None,
            planted,
            limits: enforced,
        }
    }

    /// When the node's timer is to fire.
    pub(crate) fn due(&self) -> Boot {
        let of_shards = self.shards.iter().flat_map(|shard| {
            let tape = shard.tape.as_ref().and_then(Tape::due);
            [shard.node.due(), tape, Some(shard.sender.due())].into_iter().flatten()
        });
        let exit = self.exits_at.or(self.stops_since.map(|since| since.after(STOP_MAX)));
        of_shards.chain(exit).fold(self.report_at, Boot::min)
    }

    pub(crate) fn on(&mut self, input: Input, now: Moment) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Timer(_) => self.timer(now, &mut out),
            Input::Event { shard, event } => self.event(shard, event, now, &mut out),
            Input::Message { from, message } => self.message(from, message, now, &mut out),
            Input::Connected(connected) => {
                self.connected = connected;
                for shard in 0..self.shards.len() {
                    self.event(shard, Event::Connected(connected), now, &mut out);
                }
            }
            Input::Venue { shard, connection, trades } => {
                let of = &mut self.shards[shard];
                if let Some((_, waiting)) = of.feed.as_mut().filter(|(of, _)| *of == connection) {
                    waiting.extend(trades);
                    if of.has_failed {
                        self.event(shard, Event::Feed(FeedState::Live), now, &mut out);
                    }
                }
            }
            Input::VenueLost { shard, connection } => {
                if self.has_feed(shard, connection) {
                    self.shards[shard].feed = Some((connection, VecDeque::new()));
                    self.shards[shard].has_failed = true;
                    self.outage(shard, now);
                    self.event(shard, Event::Feed(FeedState::Failed), now, &mut out);
                }
            }
            Input::Reply { shard, to, messages } => reply(shard, to, messages, &mut out),
            Input::Read { shard, to, writer, next } => self.read(shard, to, writer, next, now, &mut out),
            Input::Drain => self.drain(now, &mut out),
            Input::GiveAway { shard, to } => {
                self.event(shard, Event::GiveAway { to: to.map(node_name) }, now, &mut out);
            }
            Input::Wants { shard, symbol, wanted } => {
                let (symbol, sender) = (symbol_name(symbol), &mut self.shards[shard].sender);
                if wanted {
                    assert!(sender.add(&symbol, now.boot));
                } else {
                    sender.remove(&symbol, now.boot);
                }
            }
        }
        (0..self.shards.len()).for_each(|shard| self.publish(shard, now, &mut out));
        self.exit_if_done(now, &mut out);
        out
    }

    fn owned(&self) -> u32 {
        self.shards.iter().filter(|shard| shard.node.owns()).count() as u32
    }

    fn timer(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.report_at <= now.boot {
            self.report(now, out);
        }
        for shard in 0..self.shards.len() {
            self.event(shard, Event::Due, now, out);
            let of = &mut self.shards[shard];
            for message in of.sender.take(now.boot) {
                let bytes = message.to_json();
                of.wanted.take(message, now.boot);
                out.push(Output::Send { to: None, message: Message::Wants { shard, bytes } });
            }
            of.wanted.forget(now.boot);
            of.retired.take_if(|tape| tape.is_over(now.boot));
        }
    }

    fn report(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.report_at = now.boot.after(REPORT_INTERVAL);
        let synced = self.shards.iter().filter(|shard| shard.node.is_synced());
        let failed = self.shards.iter().filter(|shard| shard.node.feed_fails(now));
        let list = SymbolList::of(&(0..SYMBOLS.len()).map(symbol_name).collect::<Vec<_>>());
        let report = NodeReport {
            node: self.name.clone(),
            instance: self.instance,
            reads: 1,
            owned: self.owned(),
            streams: 0,
            drains: self.stops_since.is_some(),
            synced: synced.map(|shard| shard.name.clone()).collect(),
            failed: failed.map(|shard| shard.name.clone()).collect(),
            lists: self.shards.iter().map(|shard| (shard.name.clone(), list)).collect(),
        };
        let report = Message::Report(report.to_json());
        out.push(Output::Send { to: Some(node_index(&self.name)), message: report.clone() });
        out.push(Output::Send { to: None, message: report });
        for shard in 0..self.shards.len() {
            let of = &self.shards[shard];
            let own = Fitness {
                synced: of.node.is_synced(),
                failed: of.node.feed_fails(now),
                symbols: list.count(),
                owned: self.owned(),
            };
            let rank = self.members.rank(&of.name, &own, now.boot);
            let successors = self.members.successors(&of.name, list, now.boot);
            let heard = self.members.is_heard(now.boot);
            self.event(shard, Event::Rank { heard, rank, successors }, now, out);
        }
    }

    fn event(&mut self, shard: usize, event: Event, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        for action in of.node.on(event, now, &mut of.shelf) {
            self.act(shard, action, now, out);
        }
    }

    fn act(&mut self, shard: usize, action: Action, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        match action {
            Action::Read { .. } | Action::Write { .. } => out.push(Output::Lease { shard, action }),
            Action::Ask(id, ask) => out.push(Output::Ask { shard, id, ask }),
            Action::SendGive { to, message } => {
                let to = Some(node_index(&to));
                out.push(Output::Send { to, message: Message::Give(message.to_json()) });
            }
            Action::Own { token, start, .. } => {
                of.shelf.own(token, start, now);
                let begins = match (self.planted, start) {
                    (Some(Planted::HeirSkipsABatch), Start::After(last)) => Start::After(last + 1),
                    _ => start,
                };
                let mut tape = Tape::new(token, SYMBOLS.len() as u32, begins, WINDOW)
                    .with_limits(self.limits.history_bytes, self.limits.batch_ticks);
                tape.set_lease(of.node.validity(), of.node.lease().revision());
                if start == Start::NewEpoch {
                    let places = 0..of.shelf.states.len();
                    tape.open(|each| places.for_each(|place| each(&of.shelf.read(place))), now.boot);
                }
                tape.set_feed(FeedState::Live);
                of.tape = Some(tape);
                self.connections += 1;
                of.feed = Some((self.connections, VecDeque::new()));
                out.push(Output::Connect { shard, connection: self.connections });
                out.push(Output::Owns { shard, token, start });
            }
            Action::CloseFeed(cause) => {
                if cause == GiveCause::FeedFails {
                    out.push(Output::GivesAwayFailed);
                }
                of.feed = None;
                self.outage(shard, now);
                let of = &mut self.shards[shard];
                let tape = of.tape.as_mut().expect("an owner has a tape");
                tape.seal(now.boot);
                let last = tape.last();
                self.publish(shard, now, out);
                out.push(Output::Closes(Input::Event { shard, event: Event::FeedClosed { last } }));
            }
            Action::Leave(reason) => {
                (of.tape, of.feed) = (None, None);
                out.push(Output::Left { reason });
            }
            Action::HandedOver { is_clean, to } => {
                of.feed = None;
                of.retired = of.tape.take().filter(|_| is_clean).map(|mut tape| {
                    tape.retire(now.boot);
                    tape
                });
                out.push(Output::HandedOver { clean: is_clean, granted: to.is_some() });
            }
            Action::Suspend | Action::Resume | Action::Entered { .. } => {}
            Action::GiveFailed(_) | Action::Remember(_) | Action::CutOff(_) | Action::Fresh => {}
        }
    }

    /// The connection to the venue is gone: all symbols are stale.
    fn outage(&mut self, shard: usize, now: Moment) {
        let of = &mut self.shards[shard];
        for place in 0..of.shelf.states.len() {
            let change =
                of.shelf.change(place, now, |snapshot, guards, now| snapshot.outage(Reason::Reconnect, guards, now));
            if change && let Some(tape) = &mut of.tape {
                tape.push(&of.shelf.read(place), now.boot);
            }
        }
    }

    /// Whether this is the shard's connection to the venue.
    pub(crate) fn has_feed(&self, shard: usize, connection: u64) -> bool {
        self.shards[shard].feed.as_ref().is_some_and(|(of, _)| *of == connection)
    }

    /// Takes what waits in the venue's socket, and publishes what is due.
    fn publish(&mut self, shard: usize, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        let Some(tape) = &mut of.tape else { return };
        let validity = match self.planted {
            Some(Planted::NoLookAtTheClock) => {
                of.node.lease().held().map(|token| Validity { token, counts_from: now, hold: Duration::MAX })
            }
            _ => of.node.validity(),
        };
        tape.set_lease(validity, of.node.lease().revision());
        tape.set_connected(self.connected);
        while tape.may_take(now)
            && let Some(trade) = of.feed.as_mut().and_then(|(_, waiting)| waiting.pop_front())
        {
            let place = of.shelf.place_of(trade.symbol);
            let update = trade.update();
            if of.shelf.change(place, now, |snapshot, guards, now| snapshot.apply(&update, guards, now).changed) {
                tape.push(&of.shelf.read(place), now.boot);
            }
        }
        out.extend(tape.take(now).into_iter().map(|bytes| Output::Live { shard, bytes }));
    }

    fn message(&mut self, from: usize, message: Message, now: Moment, out: &mut Vec<Output>) {
        match message {
            Message::Live { shard, bytes, .. } => self.event(shard, Event::Live(bytes), now, out),
            Message::Ask { shard, id, life, bytes } => {
                // One of another version is not answered.
                let Ok(ask) = Ask::decode(&bytes) else { return };
                self.answer(shard, Asker { machine: from, id, life }, ask, now, out);
            }
            Message::Answer { shard, id, bytes, .. } => self.event(shard, Event::Answer(id, bytes), now, out),
            Message::Report(bytes) => {
                self.members.heard(NodeReport::from_json(&bytes).unwrap(), now.boot);
            }
            Message::Give(bytes) => {
                let message = GiveMessage::from_json(&bytes).unwrap();
                let shard = self.shards.iter().position(|shard| shard.name == message.shard).unwrap();
                self.event(shard, Event::Give(message), now, out);
            }
            Message::Wants { shard, bytes } => {
                let message = WantsMessage::from_json(&bytes).unwrap();
                self.shards[shard].wanted.take(message, now.boot);
            }
        }
    }

    fn answer(&mut self, shard: usize, to: Asker, ask: Ask, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        if let Some(Answer::History(messages)) = of.retired.as_mut().and_then(|tape| tape.answer(ask, now)) {
            of.retired.as_mut().expect("it has answered").answered();
            return reply(shard, to, messages, out);
        }
        let Some(tape) = &mut of.tape else { return };
        match tape.answer(ask, now) {
            None => {}
            Some(Answer::Messages(messages)) => reply(shard, to, messages, out),
            Some(Answer::Later(messages)) => {
                out.push(Output::After(OWNER_BEFORE_FIRST, Input::Reply { shard, to, messages }));
            }
            Some(Answer::History(messages)) => {
                tape.answered();
                reply(shard, to, messages, out);
            }
            Some(Answer::Snapshot) => {
                let writer = SnapshotWriter::with_symbols_max(self.limits.snapshot_symbols);
                out.push(Output::Read(Input::Read { shard, to, writer, next: 0 }));
            }
        }
    }

    fn read(
        &mut self,
        shard: usize,
        to: Asker,
        mut writer: SnapshotWriter,
        next: usize,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let of = &mut self.shards[shard];
        let Some(tape) = &mut of.tape else { return };
        let sender = tape.sender(now.boot);
        if next == of.shelf.states.len() {
            tape.answered();
            return reply(shard, to, tape.end_snapshot(writer, now.boot), out);
        }
        writer.prepare(tape.last());
        reply(shard, to, writer.push(&of.shelf.read(next), &sender), out);
        out.push(Output::Read(Input::Read { shard, to, writer, next: next + 1 }));
    }

    fn drain(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.stops_since.is_some() {
            return;
        }
        self.stops_since = Some(now.boot);
        self.report(now, out);
        (0..self.shards.len()).for_each(|shard| self.event(shard, Event::Drain, now, out));
    }

    fn exit_if_done(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Some(since) = self.stops_since else { return };
        if self.exits_at.is_none() && self.shards.iter().all(|shard| shard.node.has_left()) {
            self.exits_at = Some(now.boot.after(LINGER));
        }
        if self.exits_at.is_some_and(|at| at <= now.boot) || now.boot >= since.after(STOP_MAX) {
            out.push(Output::Exit);
        }
    }

    /// Whether the process answers asks about the shard.
    pub(crate) fn answers(&self, shard: usize) -> bool {
        self.shards[shard].tape.is_some() || self.shards[shard].retired.is_some()
    }
}

fn reply(shard: usize, to: Asker, messages: impl IntoIterator<Item = Bytes>, out: &mut Vec<Output>) {
    out.extend(messages.into_iter().map(|bytes| Output::Send {
        to: Some(to.machine),
        message: Message::Answer { shard, id: to.id, life: to.life, bytes, sent: 0 },
    }));
}

pub(crate) fn node_name(index: usize) -> NodeName {
    format!("gw-{index}").parse().unwrap()
}

fn node_index(name: &NodeName) -> usize {
    name.as_str().strip_prefix("gw-").unwrap().parse().unwrap()
}

pub(crate) fn symbol_name(symbol: usize) -> Symbol {
    SYMBOLS[symbol].parse().unwrap()
}
