//! The world of a simulation: a cache, workers and clients, and the checks after each step.

mod changes;
mod checks;
mod connections;
mod listing;
mod rights;
mod sources;
mod tiers;

use crate::{
    client::{Client, Events, Progress, Scripted},
    shared::{Connection, Line},
};
use bytes::Bytes;
use changes::Changes;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rights::Permit;
pub(crate) use rights::{Grant, Terms};
use sources::Feeds;
use std::{
    cell::{RefCell, RefMut},
    collections::{BTreeSet, HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{Cache, Published, RingLimits, SymbolState, Tick, WorkerIndex, WorkerMask},
    fanout::{
        Command, Missed, NewStream, Options, ResponseHead, Resume, Unlisted, Wait, Worker, WorkerInbox, WorkerLimits,
    },
    market::{Decimal, Field, Now, Origin, Part, Parts, QuoteUpdate, TradeUpdate, UnixMicros, Update},
    telemetry::ClientName,
    wire::{Dictionary, Epoch, StreamName},
};
pub(crate) use tiers::DELAY;
use tiers::Delay;

const MAX_LAG: Duration = Duration::from_millis(50);
const HEARTBEAT: Duration = Duration::from_millis(1_500);
const STALL_TIMEOUT: Duration = Duration::from_secs(3);
const RING_AGE: Duration = Duration::from_secs(1);
const EPOCH_SEED: u64 = 1 << 40;

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) symbols: usize,
    pub(crate) workers: usize,
    pub(crate) clients_max: usize,
    /// Clients choose parts and rates, and resume where another left.
    pub(crate) choosy: bool,
    /// The most ticks of a symbol that are kept.
    pub(crate) ring: usize,
    /// How often a worker takes its turn in the middle of a publish.
    pub(crate) interrupts: f64,
    /// How long workers gather changes.
    pub(crate) flush_interval: Option<Duration>,
    /// Every second client's transport holds bytes until it is flushed.
    pub(crate) holding: bool,
    /// Most clients share connections.
    pub(crate) sharing: bool,
    /// Two of three clients have the dictionary, unless they share connections.
    pub(crate) compressing: bool,
    /// Clients change their lists, and the choosy ones their options.
    pub(crate) changing: bool,
    /// Clients have rights, which end, and which their changes renew.
    pub(crate) signing: bool,
    /// Symbols have delayed states too, and rights are to one or the other.
    pub(crate) delayed: bool,
    /// Symbols have two feeds, which fail.
    pub(crate) failing: bool,
    /// Symbols leave the list of their feed, and come back.
    pub(crate) listing: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            symbols: 5,
            workers: 2,
            clients_max: 12,
            choosy: false,
            ring: 16,
            interrupts: 0.05,
            flush_interval: None,
            holding: false,
            sharing: false,
            compressing: false,
            changing: false,
            signing: false,
            delayed: false,
            failing: false,
            listing: false,
        }
    }
}

pub(crate) struct World {
    seed: u64,
    random: SmallRng,
    settings: Settings,
    now: Now,
    cache: Cache,
    /// The states of all symbols: the live ones, and behind them the delayed ones.
    symbols: Vec<Arc<SymbolState>>,
    /// Those that are not listed.
    retired: BTreeSet<usize>,
    /// What shows the delayed ones.
    delay: Option<Delay>,
    /// What is known of their feeds, where they have two.
    feeds: Option<Feeds>,
    workers: Vec<Simulated>,
    clients: Vec<Rc<RefCell<Client>>>,
    pub(crate) connections: Vec<Connection>,
    /// When each client's stream was opened, by client.
    joined: Vec<Instant>,
    /// Since when a full client took no byte, by client.
    stuck_since: Vec<Option<Instant>>,
    last_heard: Vec<Instant>,
    missed: Vec<Missed>,
    changes: Changes,
    /// Whether the streams are being ended.
    drains: bool,
    history: Vec<Vec<Arc<Tick>>>,
    /// The ticks encoded so far, by symbol, `seq` and whether as a patch.
    encoded: HashSet<(usize, u64, bool)>,
    /// The one frame that was offered for a tick, the same way.
    frames: HashMap<(usize, u64, bool), Bytes>,
}

struct Simulated {
    worker: Worker<Line>,
    inbox: Arc<WorkerInbox<Line>>,
    events: Events,
    /// Until when it sleeps, unless it is woken.
    sleeps_until: Option<Wait>,
    /// By symbol, the newest tick that was announced.
    announced: Vec<u64>,
    /// By symbol, the newest announced tick when it last took changes. It need not know of a newer one.
    taken: Vec<u64>,
    takes_at: Instant,
    /// Whether changes wait for it that its streams want: others begin no interval.
    has_changes: bool,
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings) -> Self {
        let now = Now { instant: Instant::now(), unix: UnixMicros(1_732_283_045_000_000) };
        let cache = Cache::new(Epoch::new(EPOCH_SEED), RingLimits { count: settings.ring, age: RING_AGE });
        let register = |index| cache.register(name(index), "sim".into(), Origin::Sim, now).unwrap();
        let mut symbols: Vec<_> = (0..settings.symbols).map(register).collect();
        let feeds = settings.failing.then(|| sources::add_standbys(&symbols, now));
        let mut delay = None;
        if settings.delayed {
            let (late, of_late) = tiers::delay(&cache, &symbols, now);
            symbols.extend(late);
            delay = Some(of_late);
        }
        let worker = |index| {
            #[expect(clippy::arc_with_non_send_sync, reason = "one thread; a worker's inbox is shared by an Arc")]
            let inbox = Arc::new(WorkerInbox::default());
            let limits = WorkerLimits {
                max_lag: MAX_LAG,
                ring: settings.ring,
                stall_timeout: STALL_TIMEOUT,
                flush_interval: settings.flush_interval,
                compress_min_streams: 2,
            };
            let worker = Worker::new(WorkerIndex::new(index).unwrap(), inbox.clone(), limits, seed);
            Simulated {
                worker,
                inbox,
                events: Events::default(),
                sleeps_until: None,
                announced: vec![0; symbols.len()],
                taken: vec![0; symbols.len()],
                takes_at: now.instant,
                has_changes: false,
            }
        };
        Self {
            seed,
            random: SmallRng::seed_from_u64(seed),
            now,
            history: symbols.iter().map(|state| vec![state.newest()]).collect(),
            workers: (0..settings.workers).map(worker).collect(),
            symbols,
            retired: BTreeSet::new(),
            delay,
            feeds,
            cache,
            clients: Vec::new(),
            connections: Vec::new(),
            joined: Vec::new(),
            stuck_since: Vec::new(),
            last_heard: Vec::new(),
            missed: Vec::new(),
            changes: Changes::default(),
            drains: false,
            encoded: HashSet::new(),
            frames: HashMap::new(),
            settings,
        }
    }

    pub(crate) fn client(&self, client: usize) -> RefMut<'_, Client> {
        self.clients[client].borrow_mut()
    }

    /// The `n` of a symbol's tick.
    pub(crate) fn n(&self, symbol: usize, seq: u64) -> u64 {
        self.history[symbol][seq as usize].id.n
    }

    /// How many frames were encoded so far: whole ones, and patches.
    pub(crate) fn encoded(&self) -> (u64, u64) {
        (self.cache.frames_encoded(), self.cache.patches_encoded())
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now.after(by);
        if self.feeds.is_some() {
            return self.advance_feeds(until);
        }
        self.now = until;
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        let worker = self.random.random_range(0..self.workers.len());
        let client = (!self.clients.is_empty()).then(|| self.random.random_range(0..self.clients.len()));
        match (self.random.random_range(0..100), client) {
            (0..30, _) => {
                for _ in 0..self.random.random_range(1..12) {
                    let symbol = self.random.random_range(0..self.settings.symbols);
                    self.publish(symbol);
                }
            }
            (30..36, _) if self.clients.len() < self.settings.clients_max => self.join_some(worker),
            (36..50, Some(client)) => {
                let bytes = self.random.random_range(1..2_000);
                self.give_room(client, bytes);
            }
            (50..52, Some(client)) if self.random.random_bool(0.3) => self.leave_some(client),
            (30..36 | 50..52, _) if !self.connections.is_empty() => self.change_some_connection(),
            (52..60, _) => self.advance_some(),
            _ => {
                self.turn(worker);
            }
        }
        if self.settings.listing && self.random.random_bool(0.2) {
            self.list_some();
        }
        if self.settings.changing && self.random.random_bool(0.25) {
            self.change_some();
        }
        if self.settings.signing && self.random.random_bool(0.25) {
            self.renew_some();
            self.disturb_some();
        }
        if self.settings.delayed && self.random.random_bool(0.5) {
            self.show_late();
        }
        // No worker oversleeps: one that was woken, or whose time has come, takes its turn before long.
        for worker in 0..self.workers.len() {
            if self.random.random_bool(0.3) {
                self.turn_if_awake(worker);
            }
        }
    }

    /// A client leaves, or closes its sending side and reads on, or does both and shows only the latter.
    fn leave_some(&mut self, client: usize) {
        if let Some(connection) = self.connection_of(client) {
            return self.leave_connection(connection, client);
        }
        match self.random.random_range(0..3) {
            0 => self.client(client).leave(),
            way => self.client(client).half_close(way == 1),
        }
    }

    fn advance_some(&mut self) {
        let millis = match self.random.random_range(0..20) {
            0 => self.random.random_range(100..1_200),
            1..4 => self.random.random_range(20..100),
            _ => self.random.random_range(0..10),
        };
        self.advance(Duration::from_millis(millis));
    }

    fn join_some(&mut self, worker: usize) {
        let wanted: Vec<usize> = (0..self.settings.symbols).filter(|_| self.random.random_bool(0.5)).collect();
        let room = match self.random.random_range(0..3) {
            0 => usize::MAX,
            1 => self.random.random_range(0..4_000),
            _ => self.random.random_range(0..100_000),
        };
        if !wanted.is_empty() {
            let (options, resume) = if self.settings.choosy { self.choose() } else { (Options::new(HEARTBEAT), None) };
            let options = options.with_patches(self.clients.len() % 2 == 1);
            if self.settings.signing {
                return self.sign_on(worker, &wanted, room, options, resume);
            }
            if self.settings.sharing && self.random.random_bool(0.8) {
                let connection = self.some_connection(worker, room);
                self.join_on(connection, &wanted, options, resume);
            } else {
                self.join_with(worker, &wanted, room, options, resume);
            }
        }
    }

    /// Some options, and where another client was cut off.
    fn choose(&mut self) -> (Options, Option<Resume>) {
        let mut options = Options::new(HEARTBEAT);
        if self.random.random_bool(0.5) {
            options = options.on([Part::Trade, Part::Quote].into_iter().filter(|_| self.random.random()).collect());
        }
        if self.random.random_bool(0.3) {
            options = options.every(Duration::from_millis(self.random.random_range(5..400)));
        }
        let cut_off = self.clients.iter().map(|client| client.borrow().last_n).max().unwrap_or(0);
        let resume = self.random.random_bool(0.4).then(|| Resume {
            after: self.random.random_range(0..=cut_off + 1),
            bytes: self.random.random_range(0..8_000),
        });
        (options, resume)
    }

    pub(crate) fn join_all(&mut self, worker: usize, room: usize) -> usize {
        self.join(worker, &(0..self.settings.symbols).collect::<Vec<_>>(), room)
    }

    pub(crate) fn join(&mut self, worker: usize, wanted: &[usize], room: usize) -> usize {
        self.join_with(worker, wanted, room, Options::new(HEARTBEAT), None)
    }

    pub(crate) fn join_with(
        &mut self,
        worker: usize,
        wanted: &[usize],
        room: usize,
        options: Options,
        resume: Option<Resume>,
    ) -> usize {
        let client = self.add_client(worker, wanted, room, options, resume, None);
        self.open(client)
    }

    /// Has a client's stream opened.
    fn open(&mut self, client: usize) -> usize {
        let worker = self.client(client).worker;
        let stream = self.new_stream(client);
        let transport = Line::Alone(Scripted(self.clients[client].clone()));
        self.send(worker, Command::Open(transport, stream));
        client
    }

    /// A client whose stream is not opened yet.
    fn add_client(
        &mut self,
        worker: usize,
        wanted: &[usize],
        room: usize,
        options: Options,
        resume: Option<Resume>,
        grant: Option<Grant>,
    ) -> usize {
        let options = options.allowed_every(grant.as_ref().and_then(|grant| grant.interval_min));
        let terms = Terms::new(wanted.to_vec(), grant);
        let mut client = Client::new(worker, room, options, resume, terms, self.workers[worker].events.clone());
        client.holds = self.settings.holding && self.clients.len().is_multiple_of(2);
        let compresses = self.settings.compressing && !self.clients.len().is_multiple_of(3);
        client.dictionary = compresses.then(Dictionary::built_in);
        for &symbol in wanted {
            let published = self.symbols[symbol].newest().seq;
            client.symbols.insert(symbol, Progress { at_join: published, published, ..Progress::default() });
        }
        self.clients.push(Rc::new(RefCell::new(client)));
        self.joined.push(self.now.instant);
        self.stuck_since.push(None);
        self.last_heard.push(self.now.instant);
        self.missed.push(Missed::default());
        self.clients.len() - 1
    }

    /// The stream that a client asks for.
    fn new_stream(&self, client: usize) -> NewStream {
        let client = self.clients[client].borrow();
        let terms = &client.terms;
        let name = ClientName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        NewStream {
            name: StreamName::new(0),
            client: match &terms.grant {
                Some(grant) => name.with_subject(rights::subject(grant.subject)),
                None => name,
            },
            head: ResponseHead::default(),
            hello: Box::new(Bytes::from_static(b"HEAD\n\n")),
            symbols: terms.list.iter().map(|&symbol| self.symbols[symbol].clone()).collect(),
            unlisted: Unlisted::default(),
            options: client.options,
            dictionary: client.dictionary.clone(),
            resume: client.resume,
            generation: self.cache.generation(),
            has_rights: terms.grant.is_some(),
            until: terms.grant.as_ref().and_then(|grant| grant.until),
            permit: Box::new(Permit(terms.permit.clone())),
        }
    }

    fn send(&mut self, worker: usize, command: Command<Line>) {
        let simulated = &mut self.workers[worker];
        if simulated.inbox.send(command).is_ok_and(|wakes| wakes) {
            simulated.sleeps_until = None;
        }
    }

    /// Ends all streams within this window.
    pub(crate) fn drain(&mut self, window: Duration) {
        self.drains = true;
        (0..self.workers.len()).for_each(|worker| self.send(worker, Command::Drain(window)));
    }

    pub(crate) fn give_room(&mut self, client: usize, bytes: usize) {
        match self.connection_of(client) {
            Some(connection) => self.give_connection_room(connection, bytes),
            None => self.client(client).give_room(bytes),
        }
    }

    /// Publishes a venue's update and announces the tick. Any worker's turn may come between two steps of it.
    pub(crate) fn publish(&mut self, symbol: usize) {
        let part = if self.random.random_bool(0.5) { Part::Trade } else { Part::Quote };
        self.publish_part(symbol, part);
    }

    pub(crate) fn publish_part(&mut self, symbol: usize, part: Part) {
        if self.retired.contains(&symbol) {
            return; // no connection has it
        }
        let state = self.symbols[symbol].clone();
        let update = self.some_update(part);
        let heard = if self.settings.failing { self.hear(symbol, &update) } else { state.publish(&update, self.now) };
        let Published::Tick { interest } = heard else { return };
        self.note_published(symbol);
        self.announce(symbol, interest);
    }

    /// A state has a new tick.
    fn note_published(&mut self, symbol: usize) {
        let newest = self.symbols[symbol].newest();
        for client in &self.clients {
            if let Some(progress) = client.borrow_mut().symbols.get_mut(&symbol) {
                progress.published = newest.seq;
            }
        }
        self.history[symbol].push(newest);
    }

    /// Tells the workers that want it of a state's new tick.
    fn announce(&mut self, symbol: usize, interest: WorkerMask) {
        let state = self.symbols[symbol].clone();
        let unmarked = state.marks().set(interest);
        if self.random.random_bool(self.settings.interrupts) {
            let worker = self.random.random_range(0..self.workers.len());
            self.turn(worker);
        }
        for (index, simulated) in self.workers.iter_mut().enumerate() {
            if unmarked.contains(WorkerIndex::new(index).unwrap()) {
                simulated.has_changes = true;
                if simulated.inbox.announce(&mut vec![state.clone()]) {
                    simulated.sleeps_until = None;
                }
            }
        }
        // A worker that was marked already finds this tick too, as its mark is cleared before the ring is read.
        for simulated in &mut self.workers {
            simulated.announced[symbol] = state.newest().seq;
        }
    }

    fn some_update(&mut self, part: Part) -> Update {
        let price = Field::Set(Decimal::new(self.random.random_range(1..1_000_000), 2).unwrap());
        match part {
            Part::Trade => Update { trade: Some(TradeUpdate { price, ..TradeUpdate::default() }), ..Update::default() },
            _ => Update { quote: Some(QuoteUpdate { bid: price, ..QuoteUpdate::default() }), ..Update::default() },
        }
    }

    fn turn_if_awake(&mut self, worker: usize) {
        self.exchange(worker);
        let simulated = &self.workers[worker];
        let sleeps = match simulated.sleeps_until {
            None | Some(Wait::No) => false,
            Some(Wait::Until(at)) => at > self.now.instant,
            Some(Wait::Forever) => true,
        };
        if !sleeps || !simulated.events.borrow().is_empty() {
            self.turn(worker);
        }
    }

    /// One turn of a worker, and all checks; returns whether it wants another one at once.
    pub(crate) fn turn(&mut self, worker: usize) -> bool {
        self.exchange(worker);
        let simulated = &mut self.workers[worker];
        let ready = std::mem::take(&mut *simulated.events.borrow_mut());
        let is_time = self.drains || simulated.takes_at <= self.now.instant;
        let takes = is_time && (self.settings.flush_interval.is_none() || std::mem::take(&mut simulated.has_changes));
        if takes && simulated.taken != simulated.announced {
            simulated.taken.clone_from(&simulated.announced);
            simulated.takes_at = self.now.instant + self.settings.flush_interval.unwrap_or_default();
        }
        let taken = simulated.taken.clone();
        let wishes = self.wishes(worker);
        self.note_closed();
        let simulated = &mut self.workers[worker];
        let wait = simulated.worker.turn(self.now, &ready);
        simulated.sleeps_until = match wait {
            Wait::No => None,
            wait => simulated.inbox.sleep().then_some(wait),
        };
        self.take_answers();
        for client in 0..self.clients.len() {
            if self.client(client).worker == worker {
                let is_open = self.client(client).key != 0;
                if is_open && self.client(client).is_new {
                    self.client(client).is_new = false;
                    self.joined[client] = self.now.instant;
                    for (&symbol, progress) in &mut self.clients[client].borrow_mut().symbols {
                        progress.at_join = self.symbols[symbol].newest().seq;
                    }
                    self.note_open(client);
                }
                self.note_ends(client);
                self.check_client(client, &taken, wait);
                self.check_terms(client);
            }
        }
        self.answer_requests(worker);
        self.check_counts(worker);
        self.check_encoded(&wishes);
        wait == Wait::No
    }

    /// Rule 3: once all clients read and the workers are idle, every client has the newest of each of its symbols.
    pub(crate) fn settle(&mut self) {
        self.show_late();
        for client in 0..self.clients.len() {
            self.give_room(client, usize::MAX);
        }
        self.connections.iter_mut().for_each(Connection::read_all);
        for worker in 0..self.workers.len() {
            // Only a worker that is awake takes a turn: a lost wake-up must show. The slowest rate has its time.
            for _ in 0..2_000 {
                self.turn_if_awake(worker);
            }
            self.advance(Duration::from_millis(400));
            for _ in 0..2_000 {
                self.turn_if_awake(worker);
            }
        }
        self.connections.iter().for_each(|connection| connection.check(!connection.is_over()));
        for client in &self.clients {
            let client = client.borrow();
            if !client.is_open() {
                continue;
            }
            assert!(client.terms.is_over_since.is_none(), "seed {}: a stream without rights goes on", self.seed);
            assert!(client.changed.is_none(), "seed {}: a client was not told of its list", self.seed);
            for (symbol, progress) in &client.symbols {
                let newest = last_change(&self.symbols[*symbol].newest(), client.options.parts()).max(progress.at_join);
                let last = progress.last;
                assert!(last >= Some(newest), "seed {}: rule 3: S{symbol} ends at {last:?} of {newest}", self.seed);
            }
        }
    }
}

/// The `seq` that last changed one of these parts.
fn last_change(tick: &Tick, parts: Parts) -> u64 {
    tick.last_change(parts) + first_seq(tick)
}

/// The `seq` with which the tick's state began.
fn first_seq(tick: &Tick) -> u64 {
    tick.seq - tick.version
}

fn name(index: usize) -> tickfan::market::Symbol {
    format!("S{index}").parse().unwrap()
}
