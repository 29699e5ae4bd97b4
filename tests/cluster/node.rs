//! A node: the machines of the cluster with the least around them that a task would be.

use crate::Planted;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tickfan::{
    cluster::{
        clock::{Boot, Moment},
        give::{Give, GiveMessage, GiveSays, Step},
        lease::{Action, Event, Lease, LeaseState, LeaseTiming, LeaveReason, PlantedFault, Standing, Start},
        members::{Members, NodeReport, REPORT_INTERVAL},
        names::{Instance, NodeName, ShardName},
        token::Token,
    },
    wire::Epoch,
};

/// A stopping process that has handed over answers for its last batches for so long.
const LINGER: Duration = Duration::from_millis(500);
/// A stopping process exits after this long in any case.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How long the venue takes to accept a connection.
const CONNECT: Duration = Duration::from_millis(300);

/// A message on the bus.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// A batch or a beat of an owner.
    Live {
        shard: usize,
        token: Token,
        revision: u64,
        batch: u64,
    },
    /// A node asks the one that may have them for batches.
    Ask {
        shard: usize,
        epoch: Epoch,
    },
    /// The answer: all batches up to this one.
    History {
        shard: usize,
        epoch: Epoch,
        batch: u64,
    },
    Report(Vec<u8>),
    Give(Vec<u8>),
}

/// What happens to a node.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// The timer fires; the world counts how often it was set.
    Timer(u64),
    Lease {
        shard: usize,
        event: Event,
    },
    Message {
        from: usize,
        message: Message,
    },
    /// The venue has news, or a beat is due.
    Market {
        shard: usize,
    },
    Drain,
    GiveAway {
        shard: usize,
    },
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Output {
    Lease {
        shard: usize,
        action: Action,
    },
    /// To one node, or to all others.
    Send {
        to: Option<usize>,
        message: Message,
    },
    Published {
        shard: usize,
        token: Token,
        batch: u64,
    },
    Took {
        shard: usize,
        token: Token,
    },
    Owns {
        shard: usize,
        token: Token,
        start: Start,
    },
    Left {
        reason: LeaveReason,
    },
    Granted,
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
    /// Since when the process stops.
    pub(crate) stops_since: Option<Boot>,
    exits_at: Option<Boot>,
    planted: Option<Planted>,
}

#[derive(Debug)]
pub(crate) struct Shard {
    name: ShardName,
    pub(crate) lease: Lease,
    owner: Option<Owner>,
    follower: Follower,
    giving: Option<Giving>,
    /// The last batch of each epoch that this process published in.
    published: BTreeMap<Epoch, u64>,
}

#[derive(Debug)]
struct Owner {
    token: Token,
    batch: u64,
    connected_at: Boot,
    suspended: bool,
}

#[derive(Debug)]
struct Giving {
    give: Give,
    due: Boot,
    stays: bool,
}

/// What a node has of the owner's batches.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    pub(crate) taken: Option<Token>,
    pub(crate) heard: Option<Boot>,
    applied: Option<(Epoch, u64)>,
}

impl Node {
    pub(crate) fn new(
        index: usize,
        shards: usize,
        timing: LeaseTiming,
        seed: u64,
        planted: Option<Planted>,
        now: Moment,
    ) -> Self {
        let name: NodeName = node_name(index);
        let instance = Instance::new(seed);
        let shard = |shard: usize| {
            let mut lease = Lease::new(name.clone(), instance, timing, seed.wrapping_add(shard as u64), now);
            lease = match planted {
                Some(Planted::CountsFromAnswer) => lease.with_fault(PlantedFault::CountsFromAnswer),
                Some(Planted::HeirKeepsEpoch) => lease.with_fault(PlantedFault::KeepsEpoch),
                _ => lease,
            };
            let name = format!("feed-{shard}.0").parse().unwrap();
            let follower = Follower::default();
            Shard { name, lease, owner: None, follower, giving: None, published: BTreeMap::new() }
        };
        Self {
            members: Members::new(name.clone(), instance),
            shards: (0..shards).map(shard).collect(),
            name,
            instance,
            report_at: now.boot,
            stops_since: None,
            exits_at: None,
            planted,
        }
    }

    /// When the node's timer is to fire.
    pub(crate) fn due(&self) -> Boot {
        let leases = self.shards.iter().filter_map(|shard| shard.lease.due());
        let giving = self.shards.iter().filter_map(|shard| shard.giving.as_ref().map(|giving| giving.due));
        let exit = self.exits_at.or(self.stops_since.map(|since| since.after(STOP_MAX)));
        leases.chain(giving).chain(exit).fold(self.report_at, Boot::min)
    }

    pub(crate) fn on(&mut self, input: Input, now: Moment) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Timer(_) => self.timer(now, &mut out),
            Input::Lease { shard, event } => self.lease(shard, event, now, &mut out),
            Input::Message { from, message } => self.message(from, message, now, &mut out),
            Input::Market { shard } => self.market(shard, now, &mut out),
            Input::Drain => self.drain(now, &mut out),
            Input::GiveAway { shard } => self.give(shard, true, now, &mut out),
        }
        self.exit_if_done(now, &mut out);
        out
    }

    fn owned(&self) -> u32 {
        self.shards.iter().filter(|shard| shard.owner.is_some()).count() as u32
    }

    fn timer(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.report_at <= now.boot {
            self.report(now, out);
        }
        for shard in 0..self.shards.len() {
            if self.shards[shard].lease.due().is_some_and(|due| due <= now.boot) {
                self.lease(shard, Event::Due, now, out);
            }
            if let Some(giving) = &mut self.shards[shard].giving
                && giving.due <= now.boot
            {
                let step = giving.give.due(now.boot);
                self.step(shard, step, now, out);
            }
        }
    }

    fn report(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.report_at = now.boot.after(REPORT_INTERVAL);
        let synced = self.shards.iter().filter(|shard| shard.follower.applied.is_some());
        let report = NodeReport {
            node: self.name.clone(),
            instance: self.instance,
            reads: 1,
            owned: self.owned(),
            drains: self.stops_since.is_some(),
            synced: synced.map(|shard| shard.name.clone()).collect(),
        };
        out.push(Output::Send { to: None, message: Message::Report(report.to_json()) });
        (0..self.shards.len()).for_each(|shard| self.standing(shard, now, out));
    }

    fn standing(&mut self, shard: usize, now: Moment, out: &mut Vec<Output>) {
        let of = &self.shards[shard];
        let synced = of.follower.applied.is_some();
        let rank = self.members.rank(&of.name, self.owned(), synced, now.boot);
        let standing = Standing { rank, synced, applied: of.follower.applied };
        self.lease(shard, Event::Standing(standing), now, out);
    }

    fn lease(&mut self, shard: usize, event: Event, now: Moment, out: &mut Vec<Output>) {
        let mut actions: VecDeque<Action> = self.shards[shard].lease.on(event, now).into();
        while let Some(action) = actions.pop_front() {
            let of = &mut self.shards[shard];
            match action {
                Action::Read { .. } | Action::Write { .. } => out.push(Output::Lease { shard, action }),
                Action::Own { token, start, .. } => {
                    let batch = if let Start::After(batch) = start { batch } else { 0 };
                    let connected_at = now.boot.after(CONNECT);
                    of.owner = Some(Owner { token, batch, connected_at, suspended: false });
                    of.follower.taken = Some(token);
                    of.follower.applied = Some((token.epoch, batch));
                    out.push(Output::Owns { shard, token, start });
                    if self.stops_since.is_some() {
                        self.give(shard, false, now, out);
                    }
                }
                Action::Suspend | Action::Resume => {
                    let owner = of.owner.as_mut().expect("an owner is suspended");
                    owner.suspended = action == Action::Suspend;
                }
                Action::Leave(reason) => {
                    of.owner = None;
                    of.giving = None;
                    out.push(Output::Left { reason });
                }
                Action::HandedOver { revision, value } => {
                    if let LeaseState::Granted { to, .. } = &value.state {
                        let to = Some(node_index(to));
                        let says = GiveSays::Granted { revision, value };
                        out.push(Output::Granted);
                        self.send_give(shard, to, says, out);
                    }
                }
                Action::CatchUp { epoch, .. } => {
                    out.push(Output::Send { to: None, message: Message::Ask { shard, epoch } });
                    // What the lease knows of the batches may be a second old.
                    self.standing(shard, now, out);
                }
            }
        }
    }

    fn message(&mut self, from: usize, message: Message, now: Moment, out: &mut Vec<Output>) {
        match message {
            Message::Live { shard, token, revision, batch } => {
                if self.shards[shard].follower.take(token, batch, now.boot, self.planted) {
                    out.push(Output::Took { shard, token });
                    self.lease(shard, Event::Heard { token, revision }, now, out);
                    if self.shards[shard].follower.lacks(token, batch) {
                        let message = Message::Ask { shard, epoch: token.epoch };
                        out.push(Output::Send { to: Some(from), message });
                    }
                }
            }
            Message::Ask { shard, epoch } => {
                if let Some(&batch) = self.shards[shard].published.get(&epoch) {
                    let message = Message::History { shard, epoch, batch };
                    out.push(Output::Send { to: Some(from), message });
                }
            }
            Message::History { shard, epoch, batch } => {
                if let Some((of, applied)) = &mut self.shards[shard].follower.applied
                    && *of == epoch
                    && batch >= *applied
                {
                    *applied = batch;
                    self.standing(shard, now, out);
                }
            }
            Message::Report(bytes) => {
                self.members.heard(NodeReport::from_json(&bytes).unwrap(), now.boot);
            }
            Message::Give(bytes) => self.give_message(GiveMessage::from_json(&bytes).unwrap(), now, out),
        }
    }

    fn give_message(&mut self, message: GiveMessage, now: Moment, out: &mut Vec<Output>) {
        let shard = self.shards.iter().position(|shard| shard.name == message.shard).unwrap();
        match message.says {
            GiveSays::Ask => {
                let follower = &self.shards[shard].follower;
                let is_fresh = follower.heard.is_some_and(|heard| now.boot.since(heard) < Duration::from_secs(2));
                let says = if is_fresh && self.stops_since.is_none() { GiveSays::Ready } else { GiveSays::Busy };
                self.send_give(shard, Some(node_index(&message.from)), says, out);
            }
            GiveSays::Ready | GiveSays::Busy => {
                if let Some(giving) = &mut self.shards[shard].giving {
                    let ready = message.says == GiveSays::Ready;
                    let step = giving.give.answered(&message.from, ready, now.boot);
                    self.step(shard, step, now, out);
                }
            }
            GiveSays::Granted { revision, value } => {
                self.lease(shard, Event::Announced { revision, value }, now, out);
            }
        }
    }

    fn send_give(&self, shard: usize, to: Option<usize>, says: GiveSays, out: &mut Vec<Output>) {
        let message = GiveMessage { from: self.name.clone(), shard: self.shards[shard].name.clone(), says };
        out.push(Output::Send { to, message: Message::Give(message.to_json()) });
    }

    /// Publishes a batch, if the node owns the shard and the venue is connected.
    fn market(&mut self, shard: usize, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        let Some(owner) = of.owner.as_mut().filter(|owner| owner.connected_at <= now.boot && !owner.suspended) else {
            return;
        };
        let may =
            if self.planted == Some(Planted::NoLookAtTheClock) { of.lease.held() } else { of.lease.publishing(now) };
        if may.is_none() {
            return;
        }
        owner.batch += 1;
        let (token, batch) = (owner.token, owner.batch);
        of.follower.applied = Some((token.epoch, batch));
        of.published.insert(token.epoch, batch);
        let revision = of.lease.revision().unwrap_or_default();
        out.push(Output::Published { shard, token, batch });
        out.push(Output::Send { to: None, message: Message::Live { shard, token, revision, batch } });
    }

    fn drain(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.stops_since.is_some() {
            return;
        }
        self.stops_since = Some(now.boot);
        self.report(now, out);
        for shard in 0..self.shards.len() {
            self.lease(shard, Event::Withdraw, now, out);
            self.give(shard, false, now, out);
        }
    }

    /// Begins to give an owned shard away.
    fn give(&mut self, shard: usize, stays: bool, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        if of.owner.is_none() || of.giving.is_some() {
            return;
        }
        let mut give = Give::new(self.members.successors(&of.name, now.boot));
        let step = give.due(now.boot);
        of.giving = Some(Giving { give, due: now.boot, stays });
        self.step(shard, step, now, out);
    }

    fn step(&mut self, shard: usize, step: Step, now: Moment, out: &mut Vec<Output>) {
        let of = &mut self.shards[shard];
        let Some(giving) = &mut of.giving else { return };
        match step {
            Step::Ask(node) => {
                let Step::Wait(until) = giving.give.due(now.boot) else { panic!("a node that was asked is awaited") };
                giving.due = until;
                self.send_give(shard, Some(node_index(&node)), GiveSays::Ask, out);
            }
            Step::Wait(until) => giving.due = until,
            Step::Successor(to) => {
                let stays = giving.stays && self.stops_since.is_none();
                of.giving = None;
                // The last batch, if it may still be published.
                self.market(shard, now, out);
                let last = self.shards[shard].owner.take().map_or(0, |owner| owner.batch);
                self.lease(shard, Event::HandOver { to, last, stays }, now, out);
            }
        }
    }

    fn exit_if_done(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Some(since) = self.stops_since else { return };
        if self.exits_at.is_none() && self.shards.iter().all(|shard| shard.lease.has_left()) {
            self.exits_at = Some(now.boot.after(LINGER));
        }
        if self.exits_at.is_some_and(|at| at <= now.boot) || now.boot >= since.after(STOP_MAX) {
            out.push(Output::Exit);
        }
    }

    /// The token under which the node may publish, by its lease alone.
    pub(crate) fn publishing(&self, shard: usize, now: Moment) -> Option<Token> {
        self.shards[shard].lease.publishing(now)
    }

    pub(crate) fn follower(&self, shard: usize) -> &Follower {
        &self.shards[shard].follower
    }
}

impl Follower {
    /// Takes a message; `false` if its token is too low.
    fn take(&mut self, token: Token, batch: u64, now: Boot, planted: Option<Planted>) -> bool {
        if self.taken.is_some_and(|taken| token < taken) && planted != Some(Planted::LowerTokenTaken) {
            return false;
        }
        self.taken = Some(token);
        self.heard = Some(now);
        match &mut self.applied {
            Some((epoch, applied)) if *epoch == token.epoch => {
                if batch == *applied + 1 {
                    *applied = batch;
                }
            }
            // As after a snapshot.
            applied => *applied = Some((token.epoch, batch)),
        }
        true
    }

    fn lacks(&self, token: Token, batch: u64) -> bool {
        self.applied.is_some_and(|(epoch, applied)| epoch == token.epoch && applied < batch)
    }
}

pub(crate) fn node_name(index: usize) -> NodeName {
    format!("gw-{index}").parse().unwrap()
}

fn node_index(name: &NodeName) -> usize {
    name.as_str().strip_prefix("gw-").unwrap().parse().unwrap()
}
