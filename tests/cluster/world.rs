//! The world of a simulation: true time, machines, the store and the bus between them, the venue and the clients.

use crate::{
    Planted, Settings,
    checks::{Checked, Checks, Rule, Violation, violated},
    clock::Clock,
    market::{Market, SYMBOLS, shown},
    node::{Input, Message, Node, Output, node_name, symbol_name},
    store::{Operation, Store},
    streams::Client,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{collections::BTreeMap, time::Duration};
use tickfan::{
    cluster::{
        follower::{BUFFER_BYTES_MAX, State as Following},
        history::HISTORY_BYTES_MAX,
        lease::{LeaseTiming, LeaveReason, ReadAnswer, Start, WriteAnswer},
        message::{HEAD_BYTES, Kind},
        shard::{Action, Event},
        token::Token,
    },
    market::State,
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
/// What is shown as live was true so lately.
const OLD: u64 = 2_500 * MILLI;
/// After a stop from outside each shard has an event within this time.
const WAKING: u64 = 1_100 * MILLI;
const CLIENTS: usize = 3;

/// What a run saw, to show that it saw something.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) claimed: usize,
    pub(crate) granted: usize,
    pub(crate) went_on: usize,
    pub(crate) unclean: usize,
    pub(crate) expired: usize,
    pub(crate) outranked: usize,
    pub(crate) published: usize,
    pub(crate) unanswered: usize,
    pub(crate) sent: usize,
    pub(crate) resumed: usize,
    pub(crate) replayed: usize,
    pub(crate) filled: u64,
    pub(crate) replaced: u64,
    pub(crate) fenced: u64,
    pub(crate) lost: u64,
}

pub(crate) struct World {
    pub(crate) random: SmallRng,
    pub(crate) settings: Settings,
    pub(crate) planted: Option<Planted>,
    pub(crate) now: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Box<Item>>,
    pub(crate) store: Store,
    pub(crate) machines: Vec<Machine>,
    markets: Vec<Market>,
    /// The venue is silent.
    pub(crate) settles: bool,
    clients: Vec<Client>,
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
    /// The live connection, and the one for asks.
    pub(crate) live: Cut,
    pub(crate) asks: Cut,
    /// By receiver and channel.
    pub(crate) links: Vec<[Link; 3]>,
    /// For each shard the connection to the venue, and when the last news over it arrives.
    feeds: Vec<Option<(u64, u64)>>,
    /// For each shard, when the newest message was sent that its follower has heard.
    heard: Vec<u64>,
}

/// A connection that is cut.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cut {
    pub(crate) until: u64,
    /// Messages are delivered later; otherwise they are dropped.
    pub(crate) holds: bool,
    /// Counts connections: what was on its way over one that is gone is lost.
    pub(crate) connection: u64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Link {
    last: u64,
    pub(crate) held_until: u64,
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
    Fault,
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
        of.node = Some(Node::new(machine, self.settings.shards, timing, seed, self.planted, now));
        of.life = life;
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
                self.push(at, Item::Input { machine, life, input: Input::Venue { shard, connection, trades: trades.clone() } });
            }
        }
    }

    fn connect(&mut self, machine: usize, life: u64, shard: usize, connection: u64) {
        if self.machines[machine].life != life {
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
            Input::Message { message: Message::Answer { shard, bytes, sent, .. }, .. } if bytes[3] == Kind::Beat as u8 => {
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

    /// Checks a node after its step, and passes on what its streams are sent.
    fn checked(&mut self, machine: usize, life: u64) -> Checked {
        let of = &mut self.machines[machine];
        let now = of.clock.read(self.now);
        let Some(node) = of.node.as_mut().filter(|_| of.life == life) else { return Ok(()) };
        for (shard, of_node) in node.shards.iter_mut().enumerate() {
            for record in of_node.shelf.records.drain(..) {
                self.checks.record(shard, record)?;
            }
            let sent = std::mem::take(&mut of_node.shelf.sent);
            self.seen.sent += sent.len();
            for client in self.clients.iter_mut().filter(|client| client.shard == shard && client.at == Some((machine, life))) {
                sent.iter().try_for_each(|event| client.take(*event, &mut self.checks))?;
            }
            let node = &of_node.node;
            let token = if node.owns() { node.lease().held() } else { node.follower().token() };
            if let Some(token) = token {
                self.checks.took(shard, life, token)?;
            }
            let buffered = node.follower().buffered_bytes();
            if buffered > BUFFER_BYTES_MAX || of_node.tape.as_ref().is_some_and(|tape| tape.bytes() > HISTORY_BYTES_MAX) {
                return violated(Rule::Limits, format!("gw-{machine} keeps too much"));
            }
            if node.owns() {
                of.heard[shard] = self.now;
                continue;
            }
            // After a pause it takes its timer to show what time has changed. After a stop from outside, which its clock
            // has not counted, it takes the shard's next event, of which there is one a second.
            let is_due = node.due().is_some_and(|due| due <= now.boot);
            let wakes = self.now < of.stopped_until + WAKING;
            if !of_node.shelf.is_live || is_due || wakes {
                continue;
            }
            let silent = self.now - of.heard[shard];
            if silent > OLD {
                return violated(Rule::Age, format!("gw-{machine} is live {silent} µs after the last message was sent"));
            }
            for state in of_node.shelf.states.iter().filter(|state| state.shown.state() == State::Live) {
                let age = self.markets[shard].age(state.symbol, shown(&state.shown), self.now);
                if age > OLD {
                    let symbol = symbol_name(state.symbol);
                    return violated(Rule::Age, format!("gw-{machine} shows {symbol} as live, {age} µs old"));
                }
            }
        }
        self.one_owner()
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
        let replayed = self.clients[client].replayed;
        self.clients[client].join(machine, life, &node.shards[shard].shelf, &mut self.checks)?;
        self.seen.resumed += 1;
        self.seen.replayed += self.clients[client].replayed - replayed;
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
                Output::Closes(input) => {
                    let longest = if self.is_slow() { 1_500 * MILLI } else { 20 * MILLI };
                    let at = self.now + self.random.random_range(0..longest);
                    self.push(at, Item::Input { machine, life, input });
                }
                Output::Owns { shard, token, start } => {
                    self.trace(|| format!("gw-{machine} owns feed-{shard}.0 under {token:?} {start:?}"));
                    match start {
                        Start::NewEpoch => self.seen.claimed += 1,
                        Start::After(_) => self.seen.went_on += 1,
                    }
                }
                Output::Left { reason } => {
                    self.trace(|| format!("gw-{machine} leaves: {reason:?}"));
                    match reason {
                        LeaveReason::Expired => self.seen.expired += 1,
                        LeaveReason::Outranked => self.seen.outranked += 1,
                    }
                }
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
        }
        of.life = 0;
        of.feeds.fill(None);
    }

    /// Chances are higher in slow times.
    fn is_slow(&self) -> bool {
        self.slow_until > self.now
    }

    /// How long a message takes.
    fn delay(&mut self) -> u64 {
        let slow = self.is_slow();
        if slow && self.random.random_ratio(1, 4) {
            let longest = (FAULTS_END.saturating_sub(self.now)).clamp(2 * MILLI, 3 * SECOND);
            self.random.random_range(MILLI..longest)
        } else {
            self.random.random_range(100..2 * MILLI)
        }
    }

    fn request(&mut self, machine: usize, life: u64, shard: usize, action: Action) {
        let (request, operation) = match action {
            Action::Read { request } => (request, Operation::Read),
            Action::Write { request, expected, value } => {
                (request, Operation::Write { expected, value: value.to_json() })
            }
            other => panic!("not a request: {other:?}"),
        };
        let lost =
            self.machines[machine].store_cut_until > self.now || self.is_slow() && self.random.random_ratio(1, 20);
        if lost {
            self.seen.unanswered += 1;
            return;
        }
        let at = self.now + self.delay();
        self.push(at, Item::Operation { machine, life, shard, request, operation });
    }

    fn operate(&mut self, order: u64, machine: usize, life: u64, shard: usize, request: u64, operation: Operation) {
        let at = self.now + self.delay();
        if self.store.leaderless_until > self.now {
            // Dropped, with or without an error, or applied once there is a leader.
            match self.random.random_range(0..3) {
                0 => {}
                1 => self.answer(at, machine, life, shard, unknown(request, &operation)),
                _ => {
                    let at = self.store.leaderless_until;
                    let item = Item::Operation { machine, life, shard, request, operation };
                    self.queue.insert((at, order), Box::new(item));
                }
            }
            return;
        }
        let stale = if self.settings.faults && self.now < FAULTS_END { 0.03 } else { 0.0 };
        let event = match &operation {
            Operation::Read => {
                let answer = self.store.read(shard, stale, &mut self.random);
                Event::Read { request, answer }
            }
            Operation::Write { expected, value } => {
                let answer = self.store.write(shard, *expected, value);
                Event::Write { request, answer }
            }
        };
        let is_cut = self.machines[machine].store_cut_until > self.now;
        match self.random.random_range(0..20) {
            0 if self.is_slow() => self.answer(at, machine, life, shard, unknown(request, &operation)),
            1 if self.is_slow() => self.seen.unanswered += 1,
            _ if is_cut => self.seen.unanswered += 1,
            _ => self.answer(at, machine, life, shard, event),
        }
    }

    fn answer(&mut self, at: u64, machine: usize, life: u64, shard: usize, event: Event) {
        self.push(at, Item::Input { machine, life, input: Input::Event { shard, event } });
    }

    fn send_to_others(&mut self, from: usize, message: &Message) {
        for to in (0..self.machines.len()).filter(|to| *to != from) {
            self.send(from, to, message.clone());
        }
    }

    fn send(&mut self, from: usize, to: usize, mut message: Message) {
        if let Message::Answer { sent, .. } = &mut message {
            *sent = self.now;
        }
        let (sender, receiver) = (self.machines[from].sends(&message), self.machines[to].cut(&message));
        if sender.is_down(self.now) || receiver.is_down(self.now) {
            return;
        }
        let at = self.now + self.delay();
        let life = match &message {
            Message::Answer { life, .. } => *life,
            _ => self.machines[to].life,
        };
        let link = &mut self.machines[from].links[to][message.channel() as usize];
        let at = at.max(sender.until).max(receiver.until).max(link.held_until).max(link.last);
        link.last = at;
        self.push(at, Item::Deliver { machine: to, life, connection: receiver.connection, from, message });
    }

    /// The one owner of a shard.
    pub(crate) fn owner(&self, shard: usize) -> Option<usize> {
        self.owners(shard).next()
    }

    /// The token of a shard's owner.
    pub(crate) fn token(&self, shard: usize) -> Token {
        let owner = self.owner(shard).expect("the shard has an owner");
        let now = self.machines[owner].clock.read(self.now);
        let node = self.machines[owner].node.as_ref().expect("an owner runs");
        node.shards[shard].node.publishing(now).expect("an owner may publish")
    }

    pub(crate) fn drain(&mut self, machine: usize) {
        let life = self.machines[machine].life;
        self.push(self.now, Item::Input { machine, life, input: Input::Drain });
    }

    /// The nodes that may publish a shard right now, by their own clocks. A paused node counts: it may wake now.
    fn owners(&self, shard: usize) -> impl Iterator<Item = usize> {
        let may = move |machine: &Machine| {
            let Some(node) = &machine.node else { return false };
            let node = &node.shards[shard].node;
            node.owns() && node.publishing(machine.clock.read(self.now)).is_some()
        };
        (0..self.machines.len()).filter(move |&machine| may(&self.machines[machine]))
    }

    fn one_owner(&self) -> Checked {
        for shard in 0..self.settings.shards {
            if !self.settings.loses && self.owners(shard).count() > 1 {
                let owners: Vec<_> = self.owners(shard).collect();
                return violated(Rule::OneOwner, format!("{owners:?} may publish feed-{shard}.0"));
            }
        }
        Ok(())
    }

    /// While a node publishes, no other may.
    fn alone(&self, machine: usize, shard: usize) -> Checked {
        let others = self.owners(shard).filter(|other| *other != machine).count();
        if others > 0 && !self.settings.loses {
            return violated(Rule::OneOwner, format!("gw-{machine} publishes feed-{shard}.0, and {others} others may"));
        }
        Ok(())
    }

    /// All nodes are up and follow the one owner of each shard, and all is live.
    fn agrees(&self) -> Checked {
        let wrong = |text: String| violated(Rule::Agreement, text);
        for shard in 0..self.settings.shards {
            let owners: Vec<_> = self.owners(shard).collect();
            let [owner] = owners[..] else { return wrong(format!("{owners:?} own feed-{shard}.0")) };
            let token = self.token(shard);
            if self.store.newest(shard).map(|value| (value.node, value.token)) != Some((node_name(owner), token)) {
                return wrong(format!("the store does not name gw-{owner} for feed-{shard}.0"));
            }
            for (index, machine) in self.machines.iter().enumerate() {
                let Some(node) = &machine.node else { return wrong(format!("gw-{index} is down")) };
                let of = &node.shards[shard];
                let follower = of.node.follower();
                let follows = follower.token() == Some(token) && follower.state() == Following::Live;
                if index != owner && !follows {
                    return wrong(format!("gw-{index} does not follow gw-{owner}, feed-{shard}.0: {}", of.node.state()));
                }
                if !of.node.is_fresh() || !of.shelf.is_live {
                    return wrong(format!("gw-{index} is not fresh, feed-{shard}.0"));
                }
                if let Some(state) = of.shelf.states.iter().find(|state| state.shown.state() != State::Live) {
                    let (symbol, state) = (symbol_name(state.symbol), state.shown.state());
                    return wrong(format!("gw-{index} shows {symbol} of feed-{shard}.0 as {state:?}"));
                }
            }
        }
        Ok(())
    }

    /// How many ticks followers have missed, and how many batches a snapshot replaced.
    pub(crate) fn missed(&self) -> u64 {
        let shards = self.machines.iter().filter_map(|machine| machine.node.as_ref()).flat_map(|node| &node.shards);
        shards.map(|shard| shard.node.follower().counts()).map(|counts| counts.lost + counts.replaced).sum()
    }

    /// All books are as the owner's, and all know what is wanted.
    fn equal(&self) -> Checked {
        let wrong = |text: String| violated(Rule::Agreement, text);
        for shard in 0..self.settings.shards {
            let owner = self.owner(shard).expect("they agree");
            let shards = || self.machines.iter().map(|machine| &machine.node.as_ref().expect("they agree").shards[shard]);
            let owners = &shards().nth(owner).expect("an owner is a node").shelf;
            for (index, of) in shards().enumerate() {
                for state in &of.shelf.states {
                    let owners = &owners.states[owners.place_of(state.symbol)];
                    if (state.have, state.shown) != (owners.have, owners.shown) {
                        let symbol = symbol_name(state.symbol);
                        return wrong(format!("gw-{index} has {:?} of {symbol}, the owner {:?}", state.have, owners.have));
                    }
                    if shown(&state.shown) != self.markets[shard].newest()[state.symbol].number {
                        return wrong(format!("gw-{index} lacks the last trade of {}", symbol_name(state.symbol)));
                    }
                }
            }
            for (client, of) in self.clients.iter().enumerate().filter(|(_, client)| client.shard == shard) {
                let is_open = of.at.is_some_and(|(machine, life)| self.machines[machine].life == life);
                let symbol = symbol_name(client / self.settings.shards);
                if let Some(index) = shards().position(|of| is_open && !of.wanted.is_wanted(&symbol)) {
                    return wrong(format!("gw-{index} does not know that {symbol} is wanted"));
                }
            }
        }
        Ok(())
    }
}

impl Machine {
    /// The connection on which a message leaves.
    fn sends(&self, message: &Message) -> Cut {
        if matches!(message, Message::Live { .. }) { self.live } else { self.asks }
    }

    /// The connection on which it arrives.
    fn cut(&self, message: &Message) -> Cut {
        if matches!(message, Message::Live { .. } | Message::Report(_)) { self.live } else { self.asks }
    }
}

impl Cut {
    fn is_down(&self, now: u64) -> bool {
        self.until > now && !self.holds
    }
}

fn unknown(request: u64, operation: &Operation) -> Event {
    match operation {
        Operation::Read => Event::Read { request, answer: ReadAnswer::Failed },
        Operation::Write { .. } => Event::Write { request, answer: WriteAnswer::Unknown },
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
        self.expired += other.expired;
        self.outranked += other.outranked;
        self.published += other.published;
        self.unanswered += other.unanswered;
        self.sent += other.sent;
        self.resumed += other.resumed;
        self.replayed += other.replayed;
        self.filled += other.filled;
        self.replaced += other.replaced;
        self.fenced += other.fenced;
        self.lost += other.lost;
    }
}
