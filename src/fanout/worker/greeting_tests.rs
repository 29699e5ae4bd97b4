//! How an open stream is greeted again where the numbers of a symbol begin again.

use super::{
    Worker,
    testing::{IsApplied, LIMITS, Page},
};
use crate::{
    cache::{Cache, OwnersTick, Published, RingLimits, Shard, SymbolState, WorkerIndex},
    fanout::{
        Change, Command, ControlNames, FirstBlock, NewStream, Options, RETRY_MILLIS, Ready, ResponseHead, Resume,
        StreamAddress, Unlisted, Wait, WorkerInbox,
    },
    market::{Decimal, Field, Now, Origin, Part, Parts, Reason, Snapshot, TradeUpdate, Update},
    wire::{Epoch, StreamName},
};
use bytes::Bytes;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

#[path = "cut_off_tests.rs"]
mod cut_off_tests;

/// The first `hello`, and names for later ones.
struct First;

impl FirstBlock for First {
    fn block(self: Box<Self>, _: StreamAddress) -> Bytes {
        Bytes::from_static(b"event: hello\ndata: {\"epoch\":\"first\"}\n\n")
    }

    fn names(&self) -> Option<Arc<dyn ControlNames>> {
        Some(Arc::new(Named))
    }
}

struct Named;

impl ControlNames for Named {
    fn name(&self, stream: StreamName, address: StreamAddress) -> String {
        format!("{stream}-{}", address.worker)
    }
}

/// A worker with one stream; the symbols A and B of one shard, C of another, which this node owns.
struct Fixture {
    now: Now,
    cache: Cache,
    shards: [Arc<Shard>; 2],
    /// A, B and C.
    states: [Arc<SymbolState>; 3],
    inbox: Arc<WorkerInbox<Page>>,
    worker: Worker<Page>,
    page: Page,
    read: usize,
}

fn epoch(bits: u64) -> Epoch {
    Epoch::from_bits(bits).unwrap()
}

/// A trade, as another node numbers it.
fn owners(epoch: Epoch, seq: u64, n: u64, prior: Option<[u64; 4]>) -> OwnersTick {
    OwnersTick { epoch, seq, n, changed: Parts::from_iter([Part::Trade]), prior }
}

fn price(of: u64) -> Option<Decimal> {
    Some(Decimal::new(i64::try_from(of).unwrap(), 0).unwrap())
}

impl Fixture {
    fn new() -> Self {
        let now = Now::read();
        let age = Duration::from_secs(60);
        let cache = Cache::new(epoch(1), RingLimits { count: 64, age });
        let shards = ["x.0", "y.0"].map(|name| cache.add_shard(name.into(), epoch(1)).unwrap());
        let register = |shard: usize, name: &str| {
            cache.register_in(&shards[shard], name.parse().unwrap(), "x".into(), Origin::Sim, now).unwrap()
        };
        let states = [register(0, "A"), register(0, "B"), register(1, "C")];
        let inbox: Arc<WorkerInbox<Page>> = Arc::default();
        let worker = Worker::new(WorkerIndex::new(0).unwrap(), inbox.clone(), LIMITS, 1);
        let page = Page::new(usize::MAX / 2);
        let mut fixture = Self { now, cache, shards, states, inbox, worker, page, read: 0 };
        for shard in 0..2 {
            fixture.begin(shard, 2);
        }
        (0..3).for_each(|symbol| fixture.open(symbol));
        (0..3).for_each(|symbol| fixture.trade(symbol));
        fixture
    }

    fn stream(&self, options: Options) -> NewStream {
        NewStream {
            name: StreamName::new(1),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            head: ResponseHead::default(),
            generation: self.cache.generation(),
            hello: Box::new(First),
            symbols: self.states.clone().into(),
            unlisted: Unlisted::default(),
            options,
            dictionary: None,
            resume: None,
            has_rights: false,
            until: None,
            permit: Box::new(()),
        }
    }

    fn join(&mut self, stream: NewStream) -> Vec<String> {
        let _ = self.inbox.send(Command::Open(self.page.clone(), stream));
        self.turn()
    }

    /// Opens a stream of all symbols, and reads its first events.
    fn joined() -> Self {
        let mut fixture = Self::new();
        let stream = fixture.stream(Options::new(Duration::from_secs(15)));
        assert_eq!(fixture.join(stream), ["hello first", "A 1", "B 1", "C 1"]);
        fixture
    }

    fn begin(&self, shard: usize, bits: u64) {
        self.shards[shard].begin(epoch(bits));
    }

    fn open(&mut self, symbol: usize) {
        self.tick_clock();
        let published = self.states[symbol].open(Reason::Reconnect, self.now, None);
        self.announce(symbol, published);
    }

    fn trade(&mut self, symbol: usize) {
        self.tick_clock();
        let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
        let published = self.states[symbol].publish(&Update { trade: Some(trade), ..Update::default() }, self.now);
        self.announce(symbol, published);
    }

    /// Takes a tick of another node, whose price is its number.
    fn follow(&mut self, symbol: usize, tick: OwnersTick) {
        self.tick_clock();
        let merge = |snapshot: &mut Snapshot, _: &mut _| snapshot.trade.price = price(tick.seq);
        let published = self.states[symbol].follow(&tick, self.now, merge);
        self.announce(symbol, published);
    }

    /// Ticks of all shards are in order of their time.
    fn tick_clock(&mut self) {
        self.now = self.now.after(Duration::from_millis(1));
    }

    fn announce(&self, symbol: usize, published: Published) {
        let Published::Tick { interest } = published else { panic!("{published:?}") };
        let state = self.states[symbol].clone();
        if !state.marks().set(interest).is_empty() {
            let _ = self.inbox.announce(&mut vec![state]);
        }
    }

    fn change(&mut self, symbols: &[usize]) {
        let change = Change {
            rev: None,
            symbols: Some(symbols.iter().map(|&symbol| self.states[symbol].clone()).collect()),
            unknown: ["Z"].map(|name| name.parse().unwrap()).into(),
            parts: None,
            interval: None,
            patches: None,
            held: None,
            rights: None,
        };
        let key = self.page.key.load(Ordering::Relaxed);
        let (change, reply) = (Box::new(change), Box::new(IsApplied));
        let _ = self.inbox.send(Command::Change { key, name: StreamName::new(1), change, reply });
    }

    /// Has the worker take turns until it is idle; returns the events that are complete since the last time.
    fn turn(&mut self) -> Vec<String> {
        while self.worker.turn(self.now, &[]) == Wait::No {}
        self.events()
    }

    fn give_room(&mut self, bytes: usize) -> Vec<String> {
        self.page.room.store(bytes, Ordering::Relaxed);
        let ready = Ready { key: self.page.key.load(Ordering::Relaxed), readable: false, writable: true };
        self.worker.turn(self.now, &[ready]);
        self.turn()
    }

    fn events(&mut self) -> Vec<String> {
        let text = self.page.text();
        let field = |block: &str, name: &str| {
            let start = block.find(name).map(|at| at + name.len());
            start.map(|start| block[start..].split(['"', ',', '}']).next().unwrap().to_owned()).unwrap_or_default()
        };
        let complete = &text[self.read..text.rfind("\n\n").map_or(self.read, |at| at + 2)];
        self.read += complete.len();
        let name = |block: &str| match block {
            _ if block.contains("event: hello") => format!("hello {}", field(block, "\"epoch\":\"")),
            _ if block.contains("event: symbols") => format!("symbols {}", field(block, "\"epoch\":\"")),
            _ => {
                let form = if block.contains("event: patch") { " patch" } else { "" };
                format!("{} {}{form}", field(block, "\"symbol\":\""), field(block, "\"seq\":"))
            }
        };
        complete.split_terminator("\n\n").map(name).collect()
    }

    /// The epoch of all states as a `hello` tells it.
    fn epoch(&self) -> String {
        Cache::epoch_of(&self.states).to_string()
    }
}

#[test]
fn hello_comes_again_once_before_the_first_tick_of_an_epoch_and_the_newest_of_each_symbol_follows() {
    let mut fixture = Fixture::joined();
    fixture.trade(2);
    assert_eq!(fixture.turn(), ["C 2"]);
    fixture.begin(0, 3);
    fixture.open(0);
    fixture.open(1);
    fixture.trade(0);
    let hello = format!("hello {}", fixture.epoch());
    assert_eq!(fixture.turn(), [&*hello, "C 2", "B 2", "A 3"], "in order of n");
    fixture.trade(1);
    fixture.trade(2);
    assert_eq!(fixture.turn(), ["B 3", "C 3"]);
}

#[test]
fn a_symbol_that_is_still_to_be_opened_follows_without_another_hello_and_without_its_old_tick() {
    let mut fixture = Fixture::joined();
    fixture.begin(1, 4);
    fixture.begin(0, 3);
    fixture.open(0);
    let hello = format!("hello {}", fixture.epoch());
    assert_eq!(fixture.turn(), [&*hello, "A 2"]);
    fixture.open(2);
    assert_eq!(fixture.turn(), ["C 2"], "its shard began before");
    fixture.open(1);
    assert_eq!(fixture.turn(), ["B 2"]);
}

#[test]
fn a_stream_that_joins_in_the_middle_of_an_opening_gets_no_old_tick_even_if_it_resumes() {
    let mut fixture = Fixture::new();
    fixture.begin(0, 3);
    fixture.open(0);
    let mut stream = fixture.stream(Options::new(Duration::from_secs(15)));
    stream.resume = Some(Resume { after: 1, bytes: 64 * 1024 });
    let events = fixture.join(stream);
    assert!(events.contains(&"A 2".to_owned()) && !events.iter().any(|event| event.starts_with('B')), "{events:?}");
    fixture.open(1);
    assert_eq!(fixture.turn(), ["B 2"]);
}

#[test]
fn no_patch_is_on_a_tick_of_another_epoch_or_from_before_a_hello() {
    let mut fixture = Fixture::new();
    let stream = fixture.stream(Options::new(Duration::from_secs(15)).with_patches(true));
    assert_eq!(fixture.join(stream), ["hello first", "A 1", "B 1", "C 1"]);
    (0..3).for_each(|symbol| fixture.trade(symbol));
    assert_eq!(fixture.turn(), ["A 2 patch", "B 2 patch", "C 2 patch"]);
    // `seq` goes on behind it, and all three come whole; so they do where the numbers of another shard have begun.
    fixture.begin(0, 3);
    (0..2).for_each(|symbol| fixture.open(symbol));
    let hello = format!("hello {}", fixture.epoch());
    assert_eq!(fixture.turn(), [&*hello, "C 2", "A 3", "B 3"]);
    (0..3).for_each(|symbol| fixture.trade(symbol));
    assert_eq!(fixture.turn(), ["A 4 patch", "B 4 patch", "C 3 patch"]);
}

#[test]
fn a_tick_behind_a_hole_of_the_bus_is_whole() {
    let mut fixture = Fixture::new();
    let stream = fixture.stream(Options::new(Duration::from_secs(15)).with_patches(true));
    fixture.join(stream);
    let mut forms = Vec::new();
    for (seq, prior) in [(5, Some([5; 4])), (6, None), (8, Some([7; 4])), (9, None)] {
        fixture.follow(0, owners(epoch(7), seq, 100 + seq, prior));
        forms.extend(fixture.turn().into_iter().filter(|event| event.starts_with('A')));
    }
    assert_eq!(forms, ["A 5", "A 6 patch", "A 8", "A 9 patch"]);
}

#[test]
fn a_hello_waits_for_the_rate_of_its_stream_unless_a_status_has_changed() {
    let mut fixture = Fixture::new();
    let options = Options::new(Duration::from_secs(15)).every(Duration::from_secs(1));
    let stream = fixture.stream(options.on([Part::Trade].into_iter().collect()));
    fixture.join(stream);
    fixture.trade(0);
    assert_eq!(fixture.turn(), [""; 0]);
    fixture.begin(0, 3);
    fixture.open(0);
    fixture.open(1);
    let hello = format!("hello {}", fixture.epoch());
    assert_eq!(fixture.turn(), [&*hello, "C 1", "A 3", "B 2"]);
}

#[test]
fn a_second_hello_is_whole() {
    let mut fixture = Fixture::new();
    let mut stream = fixture.stream(Options::new(Duration::from_secs(15)));
    stream.has_rights = true;
    let until = fixture.now.after(Duration::from_secs(60)).unix;
    stream.until = Some(until);
    stream.unlisted = Unlisted { unknown: ["X".parse().unwrap()].into(), denied: ["Y".parse().unwrap()].into() };
    fixture.join(stream);
    fixture.begin(1, 3);
    fixture.open(2);
    fixture.turn();
    let text = fixture.page.text();
    let hello = text.split_terminator("\n\n").filter(|block| block.contains("event: hello")).nth(1).unwrap();
    let (retry, hello) = hello.split_once("\nevent: hello\ndata: ").unwrap();
    assert!(RETRY_MILLIS.contains(&retry.strip_prefix("retry: ").unwrap().parse().unwrap()), "{retry}");
    assert_eq!(
        hello,
        format!(
            "{{\"stream\":\"000000000001\",\"epoch\":\"{}\",\"now\":{},\"symbols\":[\"A\",\"B\",\"C\"],\
             \"unknown\":[\"X\"],\"delayed\":[],\"denied\":[\"Y\"],\"until\":{},\"control\":\"000000000001-0\"}}",
            fixture.epoch(),
            fixture.now.unix.0,
            until.0
        )
    );
}

#[test]
fn a_change_that_is_to_be_told_comes_before_the_hello_and_once() {
    let mut fixture = Fixture::joined();
    fixture.change(&[1, 2]);
    fixture.begin(0, 3);
    fixture.open(0);
    fixture.open(1);
    let epoch = Cache::epoch_of(&fixture.states[1..]).to_string();
    let expected = [format!("symbols {epoch}"), format!("hello {epoch}"), "C 1".into(), "B 2".into()];
    assert_eq!(fixture.turn(), expected);
    fixture.change(&[0, 2]);
    let epoch = Cache::epoch_of([&fixture.states[0], &fixture.states[2]]).to_string();
    assert_eq!(fixture.turn(), [format!("symbols {epoch}"), "A 2".into()], "another epoch of a list is not a restart");
}

#[test]
fn numbers_that_begin_again_before_their_announcement_come_with_the_hello_of_another_shard() {
    let mut fixture = Fixture::joined();
    let absent = fixture.states[1].absent(fixture.now);
    fixture.begin(1, 4);
    fixture.open(2);
    let hello = format!("hello {}", fixture.epoch());
    assert_eq!(fixture.turn(), [&*hello, "B 0", "A 1", "C 2"]);
    fixture.announce(1, absent);
    assert_eq!(fixture.turn(), [""; 0], "they have come");
}

/// A full transport is cut at each byte, with a tick that waits, a change, and two epochs that begin meanwhile.
#[test]
fn a_hello_that_is_cut_anywhere_comes_once_and_whole() {
    for room in 0..1_200 {
        let mut fixture = Fixture::joined();
        fixture.page.room.store(room, Ordering::Relaxed);
        fixture.trade(0);
        fixture.change(&[0, 2]);
        let mut events = fixture.turn();
        fixture.begin(0, 3);
        fixture.open(0);
        events.extend(fixture.turn());
        fixture.begin(1, 4);
        fixture.open(2);
        events.extend(fixture.turn());
        events.extend(fixture.give_room(usize::MAX / 2));
        let hellos: Vec<usize> = (0..events.len()).filter(|&at| events[at].starts_with("hello")).collect();
        assert!((1..=2).contains(&hellos.len()), "{room}: {events:?}");
        let last = events[*hellos.last().unwrap()].clone();
        assert_eq!(last, format!("hello {}", Cache::epoch_of([&fixture.states[0], &fixture.states[2]])), "{room}");
        let newest = |symbol: usize, name: &str| format!("{name} {}", fixture.states[symbol].newest().seq);
        let mut after: Vec<&String> = events[hellos.last().unwrap() + 1..].iter().collect();
        after.sort();
        assert_eq!(after, [&newest(0, "A"), &newest(2, "C")], "{room}: {events:?}");
        assert_eq!(events.iter().filter(|event| event.starts_with("symbols")).count(), 1, "{room}: {events:?}");
        let symbols = events.iter().position(|event| event.starts_with("symbols")).unwrap();
        assert!(symbols < hellos[0], "{room}: {events:?}");
    }
}
