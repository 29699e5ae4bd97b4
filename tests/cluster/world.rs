//! The world of a simulation: true time, machines, the store and the bus between them, the venue and the clients.

use crate::{
    Planted, Settings,
    bus::{Cut, Link},
    checks::{Checked, Checks, Violation},
    clock::Clock,
    market::{Market, SYMBOLS},
    node::{Channel, Input, Limits, Message, Node, Output},
    store::{Operation, Store},
    streams::Client,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{collections::BTreeMap, time::Duration};
use tickfan::cluster::{
    lease::{LeaseTiming, LeaveReason, Start},
    message::{HEAD_BYTES, Kind},
    shard::Event,
    tape::Tape,
};

pub(crate) const MILLI: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;
/// Faults end by then.
pub(crate) const FAULTS_END: u64 = 50 * SECOND;
/// All nodes must agree this long after the last fault, and go on to.
const AGREED_AFTER: u64 = 12 * SECOND;
/// The same where the store forgets: three reads show it, and then a whole lease passes.
const AGREED_AFTER_LOSS: u64 = 16 * SECOND;
/// They go on to agree for as long.
const AGREED: u64 = 3 * SECOND;
/// Then the venue falls silent, and after so long all have the same.
const SETTLED: u64 = SECOND;
const LEASE: Duration = Duration::from_secs(9);
/// The venue has news of a shard this often, in ms.
const MARKET: std::ops::Range<u64> = 60..140;
/// How long the venue takes to accept a connection.
const CONNECT: u64 = 300 * MILLI;
/// How often a node tries to reach it again.
const RECONNECT: u64 = SECOND;
const CLIENTS: usize = 3;

/// What a run saw, to show that it saw something.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) claimed: usize,
    pub(crate) granted: usize,
    pub(crate) went_on: usize,
    pub(crate) unclean: usize,
    pub(crate) failed: usize,
    pub(crate) expired: usize,
    pub(crate) outranked: usize,
    pub(crate) published: usize,
    pub(crate) unanswered: usize,
    pub(crate) sent: usize,
    pub(crate) resumed: usize,
    pub(crate) replayed: usize,
    pub(crate) resumed_before_hello: usize,
    pub(crate) filled: u64,
    pub(crate) replaced: u64,
    pub(crate) fenced: u64,
    pub(crate) lost: u64,
    pub(crate) unjoined: u64,
    /// The most bytes of batches that a follower has kept.
    pub(crate) most_buffered: usize,
}

pub(crate) struct World {
    pub(crate) random: SmallRng,
    pub(crate) settings: Settings,
    pub(crate) planted: Option<Planted>,
    pub(crate) now: u64,
    order: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Box<Item>>,
    pub(crate) store: Store,
    pub(crate) machines: Vec<Machine>,
    pub(crate) markets: Vec<Market>,
    /// The venue is silent.
    pub(crate) settles: bool,
    pub(crate) clients: Vec<Client>,
    pub(crate) checks: Checks,
    lives: u64,
    /// Machines are stopped from outside, and clocks are set back: never both, for then no clock tells the time.
    pub(crate) stops: bool,
    /// From then on the nodes must agree.
    pub(crate) agreed_from: u64,
    /// When that is checked next.
    agrees_at: u64,
    /// Slow times of store and bus.
    pub(crate) slow_until: u64,
    pub(crate) seen: Seen,
    /// Prints what happens.
    traced: bool,
}

pub(crate) struct Machine {
    pub(crate) clock: Clock,
    pub(crate) node: Option<Node>,
    /// Counts processes, over all machines.
    pub(crate) life: u64,
    pub(crate) paused_until: u64,
    /// Until when the machine is stopped from outside, and its clock with it.
    pub(crate) stopped_until: u64,
    /// When its timer fires next.
    wakes_at: u64,
    /// Counts how often the timer was set.
    timer: u64,
    pub(crate) store_cut_until: u64,
    /// The store takes what grants a shard, and no answer comes.
    pub(crate) loses_answers: bool,
    /// Until when it does not reach the venue.
    venue_cut_until: u64,
    /// Its program is of the next version: now, and from its next start on.
    pub(crate) is_next: bool,
    pub(crate) upgrades: bool,
    /// The live connection, and the one for asks.
    pub(crate) live: Cut,
    pub(crate) asks: Cut,
    /// By receiver and channel.
    pub(crate) links: Vec<[Link; 3]>,
    /// For each shard the connection to the venue, and when the last news over it arrives.
    feeds: Vec<Option<(u64, u64)>>,
    /// For each shard, when the newest message was sent that its follower has heard.
    pub(crate) heard: Vec<u64>,
}

pub(crate) enum Item {
    Input { machine: usize, life: u64, input: Input },
    Deliver { machine: usize, life: u64, connection: u64, from: usize, message: Message },
    Operation { machine: usize, life: u64, shard: usize, request: u64, operation: Operation },
    Start { machine: usize },
    Unpause { machine: usize },
    Market { shard: usize },
    Connect { machine: usize, life: u64, shard: usize, connection: u64 },
    Client { client: usize },
    CutVenue { machine: usize },
    Fault,
}

impl Settings {
    pub(crate) fn limits(&self) -> Limits {
        if self.is_tight { Limits::SMALL } else { Limits::default() }
    }
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings, planted: Option<Planted>) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let stops = random.random();
        let shards = settings.shards;
        let machines = (0..settings.nodes).map(|_| Machine {
            clock: Clock::new(
                1.0 + random.random_range(-0.01..0.01),
                random.random_range(0..1_000 * SECOND),
                planted == Some(Planted::NoWallClock),
            ),
            node: None,
            life: 0,
            paused_until: 0,
            stopped_until: 0,
            wakes_at: 0,
            timer: 0,
            store_cut_until: 0,
            loses_answers: false,
            venue_cut_until: 0,
            is_next: false,
            upgrades: false,
            live: Cut::default(),
            asks: Cut::default(),
            links: vec![[Link::default(); 3]; settings.nodes],
            feeds: vec![None; shards],
            heard: vec![0; shards],
        });
        let machines: Vec<_> = machines.collect();
        let client = |client: usize| Client::new(client % shards);
        let mut world = Self {
            random,
            settings,
            planted,
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            store: Store::default(),
            machines,
            markets: (0..shards).map(|_| Market::default()).collect(),
            settles: false,
            clients: (0..CLIENTS * shards).map(client).collect(),
            checks: Checks::default(),
            lives: 0,
            stops,
            agreed_from: FAULTS_END + if settings.loses { AGREED_AFTER_LOSS } else { AGREED_AFTER },
            agrees_at: 0,
            slow_until: 0,
            seen: Seen::default(),
            traced: std::env::var_os("CLUSTER_TRACE").is_some(),
        };
        for machine in 0..settings.nodes {
            let at = world.random.random_range(0..3 * SECOND);
            world.push(at, Item::Start { machine });
        }
        (0..shards).for_each(|shard| world.push(0, Item::Market { shard }));
        (0..world.clients.len()).for_each(|client| world.push(4 * SECOND, Item::Client { client }));
        if settings.faults {
            world.push(6 * SECOND, Item::Fault);
        }
        if settings.venue_fails {
            // One machine reaches it.
            for machine in 1..settings.nodes {
                let at = world.random.random_range(3 * SECOND..15 * SECOND);
                world.push(at, Item::CutVenue { machine });
            }
        }
        world
    }

    pub(crate) fn push(&mut self, at: u64, item: Item) {
        self.order += 1;
        self.queue.insert((at.max(self.now), self.order), Box::new(item));
    }

    pub(crate) fn trace(&self, text: impl FnOnce() -> String) {
        if self.traced {
            println!("{:10.6} {}", self.now as f64 / SECOND as f64, text());
        }
    }

    /// Runs to the end, or to the first broken rule.
    pub(crate) fn run(&mut self) -> Checked {
        self.run_until(self.agreed_from + AGREED)?;
        self.settle()
    }

    /// The venue falls silent; in the end all have the same.
    pub(crate) fn settle(&mut self) -> Checked {
        self.settles = true;
        self.run_until(self.now + SETTLED)?;
        self.agrees()?;
        self.equal()
    }

    pub(crate) fn run_until(&mut self, end: u64) -> Checked {
        while let Some(entry) = self.queue.first_entry() {
            let &(at, order) = entry.key();
            if at > end {
                break;
            }
            let item = *entry.remove();
            self.now = at;
            self.step(order, item)?;
            if at > self.agreed_from.max(self.agrees_at) {
                self.agrees_at = at + 100 * MILLI;
                self.agrees()?;
            }
        }
        self.now = end;
        Ok(())
    }

    fn step(&mut self, order: u64, item: Item) -> Checked {
        match item {
            Item::Input { machine, life, input } => {
                let of = &mut self.machines[machine];
                if of.life != life {
                    return Ok(());
                }
                if of.paused_until > self.now {
                    // In the same order when it wakes.
                    self.queue.insert((of.paused_until, order), Box::new(Item::Input { machine, life, input }));
                    return Ok(());
                }
                return self.input(machine, input);
            }
            Item::Deliver { machine, life, connection, from, message } => {
                let of = &self.machines[machine];
                if of.cut(&message).connection == connection {
                    let input = Input::Message { from, message };
                    return self.step(order, Item::Input { machine, life, input });
                }
            }
            Item::Operation { machine, life, shard, request, operation } => {
                self.operate(order, machine, life, shard, request, operation);
            }
            Item::Start { machine } => self.start(machine),
            Item::Unpause { machine } => {
                let of = &mut self.machines[machine];
                if of.stopped_until <= self.now {
                    of.clock.go_on(self.now);
                }
            }
            Item::Market { shard } => self.news(shard),
            Item::Connect { machine, life, shard, connection } => self.connect(machine, life, shard, connection),
            Item::Client { client } => return self.resume(client),
            Item::CutVenue { machine } => self.cut_venue(machine, FAULTS_END),
            Item::Fault => self.fault(),
        }
        Ok(())
    }

    fn start(&mut self, machine: usize) {
        if self.machines[machine].node.is_some() {
            return;
        }
        let stopped_until = self.machines[machine].stopped_until;
        if stopped_until > self.now {
            return self.push(stopped_until + MILLI, Item::Start { machine });
        }
        self.lives += 1;
        let life = self.lives;
        let mut timing = LeaseTiming::new(LEASE);
        if self.planted == Some(Planted::HoldsAsLongAsOthersWait) {
            timing.hold = timing.take;
        }
        let seed = self.random.random();
        let of = &mut self.machines[machine];
        let now = of.clock.read(self.now);
        let limits = self.settings.limits();
        of.node = Some(Node::new(machine, self.settings.shards, timing, seed, self.planted, limits, now));
        of.life = life;
        of.is_next = of.upgrades;
        of.paused_until = 0;
        of.wakes_at = u64::MAX;
        of.heard.fill(0);
        let up_at = self.now.max(if of.live.holds { 0 } else { of.live.until });
        self.trace(|| format!("gw-{machine} starts as process {life}"));
        let at = up_at + self.random.random_range(0..100 * MILLI);
        self.push(at, Item::Input { machine, life, input: Input::Connected(true) });
        self.wake(machine);
    }

    /// The venue has news of a symbol or two.
    fn news(&mut self, shard: usize) {
        if self.settles {
            return;
        }
        let quiet = if self.settings.faults && self.now < FAULTS_END && self.random.random_ratio(1, 100) {
            self.random.random_range(0..3 * SECOND)
        } else {
            0
        };
        let at = self.now + self.random.random_range(MARKET) * MILLI + quiet;
        self.push(at, Item::Market { shard });
        let trades: Vec<_> = (0..self.random.random_range(1..4))
            .map(|_| self.markets[shard].trade(self.random.random_range(0..SYMBOLS.len()), self.now))
            .collect();
        for machine in 0..self.machines.len() {
            let travel = self.random.random_range(100..2 * MILLI);
            let of = &mut self.machines[machine];
            let life = of.life;
            if let Some((connection, last)) = &mut of.feeds[shard] {
                *last = (*last).max(self.now + travel);
                let (at, connection) = (*last, *connection);
                self.push(
                    at,
                    Item::Input { machine, life, input: Input::Venue { shard, connection, trades: trades.clone() } },
                );
            }
        }
    }

    /// From now on the machine does not reach the venue.
    pub(crate) fn cut_venue(&mut self, machine: usize, until: u64) {
        self.trace(|| format!("gw-{machine} does not reach the venue until {until}"));
        let of = &mut self.machines[machine];
        of.venue_cut_until = until;
        let life = of.life;
        for shard in 0..self.settings.shards {
            if let Some((connection, _)) = self.machines[machine].feeds[shard].take() {
                self.connect(machine, life, shard, connection);
            }
        }
    }

    fn connect(&mut self, machine: usize, life: u64, shard: usize, connection: u64) {
        let of = &self.machines[machine];
        if of.life != life {
            return;
        }
        if of.venue_cut_until > self.now {
            let is_open = of.node.as_ref().is_some_and(|node| node.has_feed(shard, connection));
            if is_open {
                self.push(self.now, Item::Input { machine, life, input: Input::VenueLost { shard, connection } });
                self.push(self.now + RECONNECT, Item::Connect { machine, life, shard, connection });
            }
            return;
        }
        self.machines[machine].feeds[shard] = Some((connection, self.now));
        let trades = self.markets[shard].newest();
        self.push(self.now, Item::Input { machine, life, input: Input::Venue { shard, connection, trades } });
    }

    fn wake(&mut self, machine: usize) {
        let of = &mut self.machines[machine];
        let Some(node) = &of.node else { return };
        // A timer fires late.
        let late = self.random.random_range(0..5 * MILLI);
        let at = of.clock.true_time(node.due()).max(self.now) + late;
        if at < of.wakes_at {
            of.wakes_at = at;
            of.timer += 1;
            let (life, timer) = (of.life, of.timer);
            self.push(at, Item::Input { machine, life, input: Input::Timer(timer) });
        }
    }

    fn input(&mut self, machine: usize, input: Input) -> Checked {
        let of = &mut self.machines[machine];
        let now = of.clock.read(self.now);
        let life = of.life;
        let Some(node) = &mut of.node else { return Ok(()) };
        let mut live = None;
        match &input {
            // It was set again since.
            Input::Timer(timer) if *timer != of.timer => return Ok(()),
            Input::Timer(_) => of.wakes_at = u64::MAX,
            Input::Message { message: Message::Live { shard, bytes, sent }, .. } => {
                live = Some((*shard, bytes.slice(8..HEAD_BYTES), *sent));
            }
            // The answer to an ask for a beat shows the shard as a live one does.
            Input::Message { message: Message::Answer { shard, bytes, sent, .. }, .. }
                if bytes[3] == Kind::Beat as u8 =>
            {
                live = Some((*shard, bytes.slice(8..HEAD_BYTES), *sent));
            }
            _ => {}
        }
        let out = node.on(input, now);
        if let Some((shard, head, sent)) = live
            && let Some(token) = node.shards[shard].node.follower().token()
            && head[..8] == token.term.to_le_bytes()
            && head[8..16] == token.epoch.bits().to_le_bytes()
        {
            of.heard[shard] = of.heard[shard].max(sent);
        }
        self.outputs(machine, out)?;
        self.checked(machine, life)?;
        self.wake(machine);
        Ok(())
    }

    /// A client opens its stream on some node, behind what it had.
    fn resume(&mut self, client: usize) -> Checked {
        if self.settles {
            return Ok(());
        }
        let at = self.now + self.random.random_range(500 * MILLI..5 * SECOND);
        self.push(at, Item::Client { client });
        let machine = self.random.random_range(0..self.machines.len());
        let before = self.clients[client].at;
        let of = &mut self.machines[machine];
        let life = of.life;
        let paused = of.paused_until > self.now;
        let Some(node) = of.node.as_mut().filter(|_| !paused) else { return Ok(()) };
        let shard = self.clients[client].shard;
        let counts = |client: &Client| (client.replayed, client.resumed_before_hello);
        let (replayed, before_hello) = counts(&self.clients[client]);
        self.clients[client].join(machine, life, &node.shards[shard].shelf, &mut self.checks)?;
        self.seen.resumed += 1;
        self.seen.replayed += self.clients[client].replayed - replayed;
        self.seen.resumed_before_hello += self.clients[client].resumed_before_hello - before_hello;
        // Each client wants a symbol that no other wants.
        let symbol = client / self.settings.shards;
        if let Some((machine, life)) = before {
            self.push(self.now, Item::Input { machine, life, input: Input::Wants { shard, symbol, wanted: false } });
        }
        self.push(self.now, Item::Input { machine, life, input: Input::Wants { shard, symbol, wanted: true } });
        Ok(())
    }

    fn outputs(&mut self, machine: usize, outputs: Vec<Output>) -> Checked {
        let life = self.machines[machine].life;
        for output in outputs {
            match output {
                Output::Lease { shard, action } => self.request(machine, life, shard, action),
                Output::Send { to: Some(to), message } => self.send(machine, to, message),
                Output::Send { to: None, message } => self.send_to_others(machine, &message),
                Output::Ask { shard, id, ask } => {
                    let answers = |of: &Machine| of.node.as_ref().is_some_and(|node| node.answers(shard));
                    let answer = (0..self.machines.len()).filter(|to| *to != machine && answers(&self.machines[*to]));
                    let answer: Vec<_> = answer.collect();
                    if answer.is_empty() || self.machines[machine].asks.is_down(self.now) {
                        let input = Input::Event { shard, event: Event::Unanswered(id) };
                        self.push(self.now + MILLI, Item::Input { machine, life, input });
                    }
                    for to in answer {
                        self.send(machine, to, Message::Ask { shard, id, life, bytes: ask.encode() });
                    }
                }
                Output::Live { shard, bytes } => {
                    self.seen.published += 1;
                    self.alone(machine, shard)?;
                    self.checks.published(shard, &bytes)?;
                    self.send_to_others(machine, &Message::Live { shard, bytes, sent: self.now });
                }
                Output::Connect { shard, connection } => {
                    self.push(self.now + CONNECT, Item::Connect { machine, life, shard, connection });
                }
                Output::Read(input) => {
                    let at = self.now + self.random.random_range(0..20 * MILLI);
                    self.push(at, Item::Input { machine, life, input });
                }
                Output::After(after, input) => {
                    self.push(self.now + after.as_micros() as u64, Item::Input { machine, life, input });
                }
                Output::Closes(input) => {
                    let longest = if self.is_slow() { 1_500 * MILLI } else { 20 * MILLI };
                    let at = self.now + self.random.random_range(0..longest);
                    self.push(at, Item::Input { machine, life, input });
                }
                Output::Owns { shard, token, start } => {
                    self.trace(|| format!("gw-{machine} owns feed-{shard}.0 under {token:?} {start:?}"));
                    match start {
                        Start::NewEpoch => self.seen.claimed += 1,
                        Start::After(_) => {
                            self.seen.went_on += 1;
                            let node = self.machines[machine].node.as_ref().expect("an owner runs");
                            let last = node.shards[shard].tape.as_ref().map_or(0, Tape::last);
                            self.checks.succeeded(shard, token.epoch, last)?;
                        }
                    }
                }
                Output::Left { reason } => {
                    self.trace(|| format!("gw-{machine} leaves: {reason:?}"));
                    match reason {
                        LeaveReason::Expired => self.seen.expired += 1,
                        LeaveReason::Outranked => self.seen.outranked += 1,
                    }
                }
                Output::GivesAwayFailed => self.seen.failed += 1,
                Output::HandedOver { clean, granted } => {
                    self.trace(|| format!("gw-{machine} has handed over, clean: {clean}, granted: {granted}"));
                    self.seen.granted += usize::from(granted);
                    self.seen.unclean += usize::from(!clean);
                }
                Output::Exit => {
                    self.checked(machine, life)?;
                    self.end(machine);
                    let at = self.now + self.random.random_range(500 * MILLI..3 * SECOND);
                    self.push(at, Item::Start { machine });
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The process ends.
    pub(crate) fn end(&mut self, machine: usize) {
        self.trace(|| format!("gw-{machine} ends"));
        let of = &mut self.machines[machine];
        for shard in of.node.take().into_iter().flat_map(|node| node.shards) {
            let counts = shard.node.follower().counts();
            self.seen.filled += counts.filled;
            self.seen.replaced += counts.replaced;
            self.seen.fenced += counts.fenced;
            self.seen.lost += counts.lost;
            self.seen.unjoined += counts.unjoined;
        }
        of.life = 0;
        of.feeds.fill(None);
    }

    /// Chances are higher in slow times.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow_until > self.now
    }

    pub(crate) fn drain(&mut self, machine: usize) {
        self.tell(machine, Input::Drain);
    }

    /// A node stops, and starts again with the next version of the program.
    pub(crate) fn upgrade(&mut self, machine: usize) {
        self.machines[machine].upgrades = true;
        self.drain(machine);
    }

    /// The process is gone at once, and starts again.
    pub(crate) fn crash(&mut self, machine: usize) {
        self.end(machine);
        self.push(self.now + SECOND, Item::Start { machine });
    }

    /// A node is given this now.
    pub(crate) fn tell(&mut self, machine: usize, input: Input) {
        let life = self.machines[machine].life;
        self.push(self.now, Item::Input { machine, life, input });
    }

    /// Whether what a machine publishes arrives at the other one.
    pub(crate) fn lose_live(&mut self, from: usize, to: usize, is_lost: bool) {
        self.machines[from].links[to][Channel::Live as usize].loses_live = is_lost;
    }
}

/// A run from its seed.
pub(crate) fn run(seed: u64, settings: Settings, planted: Option<Planted>) -> Result<Seen, Violation> {
    let mut world = World::new(seed, settings, planted);
    world.run()?;
    (0..settings.nodes).for_each(|machine| world.end(machine));
    Ok(world.seen)
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.granted += other.granted;
        self.went_on += other.went_on;
        self.unclean += other.unclean;
        self.failed += other.failed;
        self.expired += other.expired;
        self.outranked += other.outranked;
        self.published += other.published;
        self.unanswered += other.unanswered;
        self.sent += other.sent;
        self.resumed += other.resumed;
        self.replayed += other.replayed;
        self.resumed_before_hello += other.resumed_before_hello;
        self.filled += other.filled;
        self.replaced += other.replaced;
        self.fenced += other.fenced;
        self.lost += other.lost;
        self.unjoined += other.unjoined;
        self.most_buffered = self.most_buffered.max(other.most_buffered);
    }
}
