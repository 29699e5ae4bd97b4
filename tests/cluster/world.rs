//! The world of a simulation: true time, the store, the bus, machines that are paused, stopped and crash.

use crate::{
    Planted, Settings,
    checks::{Checked, Checks, Rule, Violation, violated},
    clock::Clock,
    node::{Input, Message, Node, Output, node_name},
    store::{Operation, Store},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{collections::BTreeMap, time::Duration};
use tickfan::cluster::{
    lease::{Action, Event, LeaseTiming, LeaveReason, ReadAnswer, Start, WriteAnswer},
    token::Token,
};

pub(crate) const MILLI: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;
/// Faults end by then.
const FAULTS_END: u64 = 50 * SECOND;
/// All nodes must agree this long after the last fault, and go on to.
const AGREED_AFTER: u64 = 12 * SECOND;
/// The same where the store forgets: three reads show it, and then a whole lease passes.
const AGREED_AFTER_LOSS: u64 = 16 * SECOND;
/// They go on to agree for as long.
const AGREED: u64 = 3 * SECOND;
const LEASE: Duration = Duration::from_secs(9);
/// The venue has news this often, in ms.
const MARKET: std::ops::Range<u64> = 60..140;

/// What a run saw, to show that it saw something.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) claimed: usize,
    pub(crate) granted: usize,
    pub(crate) went_on: usize,
    pub(crate) expired: usize,
    pub(crate) outranked: usize,
    pub(crate) published: usize,
    pub(crate) unanswered: usize,
}

pub(crate) struct World {
    random: SmallRng,
    settings: Settings,
    planted: Option<Planted>,
    pub(crate) now: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Box<Item>>,
    store: Store,
    machines: Vec<Machine>,
    checks: Checks,
    lives: u64,
    /// Machines are stopped from outside, and clocks are set back: never both, for then no clock tells the time.
    stops: bool,
    /// From then on the nodes must agree.
    agreed_from: u64,
    /// When that is checked next.
    agrees_at: u64,
    /// Slow times of store and bus.
    slow_until: u64,
    pub(crate) seen: Seen,
    /// Prints what happens.
    traced: bool,
}

struct Machine {
    clock: Clock,
    node: Option<Node>,
    /// Counts processes, over all machines.
    life: u64,
    paused_until: u64,
    is_stopped: bool,
    /// When its timer fires next.
    wakes_at: u64,
    /// Counts how often the timer was set.
    timer: u64,
    store_cut_until: u64,
    bus_cut_until: u64,
    /// What is published while the bus is cut goes out later, or is dropped.
    bus_holds: bool,
    /// By receiver: the time of the last delivery, and until when all wait.
    links: Vec<Link>,
}

#[derive(Clone, Copy, Default)]
struct Link {
    last: u64,
    held_until: u64,
}

enum Item {
    Input { machine: usize, life: u64, input: Input },
    Operation { machine: usize, life: u64, shard: usize, request: u64, operation: Operation },
    Start { machine: usize },
    Unpause { machine: usize },
    Fault,
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings, planted: Option<Planted>) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let stops = random.random();
        let machines = (0..settings.nodes).map(|_| Machine {
            clock: Clock::new(
                1.0 + random.random_range(-0.01..0.01),
                random.random_range(0..1_000 * SECOND),
                planted == Some(Planted::NoWallClock),
            ),
            node: None,
            life: 0,
            paused_until: 0,
            is_stopped: false,
            wakes_at: 0,
            timer: 0,
            store_cut_until: 0,
            bus_cut_until: 0,
            bus_holds: false,
            links: vec![Link::default(); settings.nodes],
        });
        let machines: Vec<_> = machines.collect();
        let mut world = Self {
            random,
            settings,
            planted,
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            store: Store::default(),
            machines,
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
        if settings.faults {
            world.push(6 * SECOND, Item::Fault);
        }
        world
    }

    fn push(&mut self, at: u64, item: Item) {
        self.order += 1;
        self.queue.insert((at.max(self.now), self.order), Box::new(item));
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        if self.traced {
            println!("{:10.6} {}", self.now as f64 / SECOND as f64, text());
        }
    }

    /// Runs to the end, or to the first broken rule.
    pub(crate) fn run(&mut self) -> Checked {
        self.run_until(self.agreed_from + AGREED)?;
        self.agrees()
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
            self.one_owner()?;
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
            Item::Operation { machine, life, shard, request, operation } => {
                self.operate(order, machine, life, shard, request, operation);
            }
            Item::Start { machine } => self.start(machine),
            Item::Unpause { machine } => {
                let of = &mut self.machines[machine];
                if of.is_stopped && of.paused_until <= self.now {
                    of.is_stopped = false;
                    of.clock.go_on(self.now);
                }
            }
            Item::Fault => self.fault(),
        }
        Ok(())
    }

    fn start(&mut self, machine: usize) {
        if self.machines[machine].node.is_some() {
            return;
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
        self.trace(|| format!("gw-{machine} starts as process {life}"));
        for shard in 0..self.settings.shards {
            self.market(machine, life, shard);
        }
        self.wake(machine);
    }

    fn market(&mut self, machine: usize, life: u64, shard: usize) {
        let at = self.now + self.random.random_range(MARKET) * MILLI;
        self.push(at, Item::Input { machine, life, input: Input::Market { shard } });
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
        let Some(node) = &mut of.node else { return Ok(()) };
        let life = of.life;
        match &input {
            // It was set again since.
            Input::Timer(timer) if *timer != of.timer => return Ok(()),
            Input::Timer(_) => of.wakes_at = u64::MAX,
            Input::Market { shard } => {
                let shard = *shard;
                let out = node.on(input, now);
                self.market(machine, life, shard);
                self.outputs(machine, out)?;
                self.wake(machine);
                return Ok(());
            }
            _ => {}
        }
        let out = node.on(input, now);
        self.outputs(machine, out)?;
        self.wake(machine);
        Ok(())
    }

    fn outputs(&mut self, machine: usize, outputs: Vec<Output>) -> Checked {
        let life = self.machines[machine].life;
        for output in outputs {
            match output {
                Output::Lease { shard, action } => self.request(machine, life, shard, action),
                Output::Send { to, message } => match to {
                    Some(to) => self.send(machine, to, message),
                    None => {
                        for to in (0..self.machines.len()).filter(|to| *to != machine) {
                            self.send(machine, to, message.clone());
                        }
                    }
                },
                Output::Published { shard, token, batch } => {
                    self.seen.published += 1;
                    self.alone(machine, shard)?;
                    self.checks.published(shard, token, batch)?;
                }
                Output::Took { shard, token } => self.checks.took(shard, life, token)?,
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
                Output::Granted => self.seen.granted += 1,
                Output::Exit => {
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
    fn end(&mut self, machine: usize) {
        self.trace(|| format!("gw-{machine} ends"));
        let of = &mut self.machines[machine];
        of.node = None;
        of.life = 0;
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
        self.push(at, Item::Input { machine, life, input: Input::Lease { shard, event } });
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        let cut = self.machines[from].bus_cut_until.max(self.machines[to].bus_cut_until);
        if cut > self.now && !self.machines[from].bus_holds {
            return;
        }
        let at = self.now + self.delay();
        let link = &mut self.machines[from].links[to];
        let at = at.max(cut).max(link.held_until).max(link.last);
        link.last = at;
        let life = self.machines[to].life;
        self.push(at, Item::Input { machine: to, life, input: Input::Message { from, message } });
    }

    /// A random fault, and when the next one comes.
    fn fault(&mut self) {
        let left = FAULTS_END.saturating_sub(self.now);
        if left < 10 * MILLI {
            return;
        }
        let span = |random: &mut SmallRng, longest: u64| random.random_range(MILLI..(longest.min(left)).max(2 * MILLI));
        let now = self.now;
        let machine = self.random.random_range(0..self.machines.len());
        let kind = self.random.random_range(0..if self.settings.loses { 14 } else { 12 });
        match kind {
            0 | 1 => {
                let until = now + span(&mut self.random, 20 * SECOND);
                let of = &mut self.machines[machine];
                of.paused_until = of.paused_until.max(until);
                // The whole machine, or the process alone.
                if kind == 1 && self.stops {
                    of.is_stopped = true;
                    of.clock.stop(now);
                    self.push(until, Item::Unpause { machine });
                }
                self.trace(|| format!("gw-{machine} is paused until {until}"));
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
                self.push(now, Item::Input { machine, life, input: Input::GiveAway { shard } });
            }
            6 => {
                let until = now + span(&mut self.random, 15 * SECOND);
                self.trace(|| format!("gw-{machine} has no bus until {until}"));
                self.machines[machine].bus_cut_until = until;
                self.machines[machine].bus_holds = self.random.random();
            }
            7 => {
                let until = now + span(&mut self.random, 15 * SECOND);
                self.trace(|| format!("gw-{machine} has no store until {until}"));
                self.machines[machine].store_cut_until = until;
            }
            8 => {
                self.store.leaderless_until = now + span(&mut self.random, 11 * SECOND);
                self.trace(|| "the store has no leader".into());
            }
            9 => self.slow_until = now + span(&mut self.random, 10 * SECOND),
            10 => {
                let earliest = if self.stops { 0 } else { -30 };
                let by = self.random.random_range(earliest..=30) * SECOND as i64;
                self.trace(|| format!("gw-{machine}'s wall clock is set by {by}"));
                self.machines[machine].clock.set_wall(by);
            }
            11 => {
                let to = self.random.random_range(0..self.machines.len());
                let until = now + span(&mut self.random, 20 * SECOND);
                self.machines[machine].links[to].held_until = until;
                self.trace(|| format!("gw-{to} hears gw-{machine} late until {until}"));
            }
            12 => {
                let writes = self.random.random_range(1..6);
                self.store.lose(writes);
                self.trace(|| format!("the store loses {writes} writes"));
            }
            13 => {
                self.store.lose(usize::MAX);
                self.trace(|| "the store is lost".into());
            }
            _ => {}
        }
        let next = now + self.random.random_range(100 * MILLI..4 * SECOND);
        self.push(next, Item::Fault);
    }

    /// The one owner of a shard.
    pub(crate) fn owner(&self, shard: usize) -> Option<usize> {
        self.owners(shard).next()
    }

    /// The token of a shard's owner.
    pub(crate) fn token(&self, shard: usize) -> Token {
        let owner = self.owner(shard).expect("the shard has an owner");
        let now = self.machines[owner].clock.read(self.now);
        self.machines[owner].node.as_ref().and_then(|node| node.publishing(shard, now)).expect("an owner may publish")
    }

    pub(crate) fn drain(&mut self, machine: usize) {
        let life = self.machines[machine].life;
        self.push(self.now, Item::Input { machine, life, input: Input::Drain });
    }

    /// The nodes that may publish a shard right now, by their own clocks. A paused node counts: it may wake now.
    fn owners(&self, shard: usize) -> impl Iterator<Item = usize> {
        let may = move |machine: &Machine| {
            let now = machine.clock.read(self.now);
            machine.node.as_ref().is_some_and(|node| node.publishing(shard, now).is_some())
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

    /// All nodes are up and follow the one owner of each shard.
    fn agrees(&self) -> Checked {
        for shard in 0..self.settings.shards {
            let owners: Vec<_> = self.owners(shard).collect();
            let [owner] = owners[..] else {
                return violated(Rule::Agreement, format!("{owners:?} own feed-{shard}.0"));
            };
            let held = self.machines[owner].node.as_ref().and_then(|node| node.shards[shard].lease.held());
            if self.store.newest(shard).map(|value| (value.node, Some(value.token))) != Some((node_name(owner), held)) {
                return violated(Rule::Agreement, format!("the store does not name gw-{owner} for feed-{shard}.0"));
            }
            for (index, machine) in self.machines.iter().enumerate().filter(|(index, _)| *index != owner) {
                let Some(node) = &machine.node else {
                    return violated(Rule::Agreement, format!("gw-{index} is down"));
                };
                let follower = node.follower(shard);
                let now = machine.clock.read(self.now).boot;
                let is_fresh = follower.heard.is_some_and(|heard| now.since(heard) < Duration::from_secs(1));
                if follower.taken != held || !is_fresh {
                    return violated(Rule::Agreement, format!("gw-{index} does not follow gw-{owner}, feed-{shard}.0"));
                }
            }
        }
        Ok(())
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
    Ok(world.seen)
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.granted += other.granted;
        self.went_on += other.went_on;
        self.expired += other.expired;
        self.outranked += other.outranked;
        self.published += other.published;
        self.unanswered += other.unanswered;
    }
}
